"""The configuration as a table: what was overridden is marked, what is empty is folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runner.report.lines import part
from runner.report.markup import Markup, clipped, join, many, tag, within
from runner.report.read import Run

VALUE = 300  # characters of a value
SIZE = 120_000  # bytes of the configuration


def configuration(run: Run) -> Markup:
    """Every option that is set, by section; those overridden on the command line are marked."""
    if not run.config:
        return Markup("")
    given = [_split(line) for line in run.overrides]
    sections: dict[str, dict[str, Any]] = {}
    inline = bool(part(run.config, "data").get("prompts"))
    for key, value in _flat(run.config):
        if inline and key == "data.path":  # the default that the prompts stand in for
            continue
        sections.setdefault(key.split(".")[0] if "." in key else "", {})[key] = value
    bodies = within((_section(name, values, given) for name, values in sorted(sections.items())), SIZE)
    heads = tag("tr", tag("th", "option", scope="col"), tag("th", "value", scope="col"))
    chips = [tag("code", clipped(line, 200), class_="override") for line in run.overrides[:60]]
    said = (
        join(["Given on the command line: ", *(piece for chip in chips for piece in (chip, " "))])
        if chips
        else "Nothing was overridden."
    )
    table = tag("table", tag("thead", heads), *bodies, class_="config")
    left = len(sections) - len(bodies)
    rest = tag("p", f"{many(left, 'section')} more in config.yaml.", class_="quiet") if left else None
    return join([tag("h3", "Configuration"), tag("p", said), tag("div", table, class_="scroll"), rest or ""])


def _section(name: str, values: dict[str, Any], given: list[tuple[str, str]]) -> Markup:
    """One section of the configuration; options left empty are only named."""
    group = next((f"{key}={value}" for key, value in given if key == name and name), None)
    rows, empty = [], []
    for key, value in values.items():
        marked = any(key == one or key.startswith(f"{one}.") for one, _ in given if one != name)
        if value in (None, {}, []) and not marked:
            empty.append(key.removeprefix(f"{name}."))
            continue
        mark = tag("span", "●", class_="mark", title="overridden", aria_label="overridden") if marked else None
        label = tag("th", clipped(key.removeprefix(f"{name}."), 120), " ", mark, scope="row")
        rows.append(tag("tr", label, tag("td", plain(value)), class_="overridden" if marked else None))
    chosen = tag("code", clipped(group, 200), class_="override") if group else None
    head = tag("tr", tag("th", name or "general", " ", chosen, colspan="2", scope="rowgroup"), class_="group")
    if empty:
        names = clipped(", ".join(empty), 4_000)
        folded = tag("details", tag("summary", f"{many(len(empty), 'option')} left empty"), tag("p", names))
        rows.append(tag("tr", tag("td", folded, colspan="2", class_="folded")))
    return tag("tbody", head, *rows)


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.strip().lstrip("+~").split("@")[0].replace("/", "."), value


def _flat(values: Mapping[Any, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from _flat(value, where)
        else:
            yield where, value


def plain(value: Any) -> Any:
    """A value as people write it in YAML; Markup stays."""
    if isinstance(value, Markup):
        return value
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, list):
        shown = ", ".join(clipped(item, VALUE) for item in value[:20])
        return clipped(shown + (f" … ({len(value):,} in all)" if len(value) > 20 else ""), 4 * VALUE)
    return clipped(value, VALUE)
