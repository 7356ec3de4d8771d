"""How the run was made: the command, the configuration, data, checkpoint, environment, time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runner.report.markup import Markup, clipped, duration, is_number, join, many, rate, tag, within, words
from runner.report.read import Run, part
from runner.report.svg import share_bar

VALUE = 300  # characters of a value
FILES = 30
SIZE = 120_000  # bytes of the configuration
Pairs = Iterable[tuple[str, Any]]


def origin(run: Run) -> Markup:
    """The last section: all that is needed to make the run again."""
    cards = [
        _card("Checkpoint", _checkpoint(part(run.manifest, "checkpoint"))),
        _card("Data", _data(part(run.manifest, "data"))),
        _card("Decoding in effect", part(run.manifest, "decoding").items()),
        _card("Environment", _environment(run.manifest)),
    ]
    notes = run.manifest.get("notes")
    listed = [tag("li", clipped(note, 600)) for note in notes[:30]] if isinstance(notes, list) else []
    return tag(
        "section",
        tag("h2", "How it was made"),
        _command(run),
        tag("ul", *listed, class_="notes") if listed else None,
        tag("div", *cards, _time(run), class_="facts"),
        _configuration(run),
        id="origin",
    )


def _command(run: Run) -> Markup:
    command = run.manifest.get("command")
    if not command:
        return Markup("")
    button = tag("button", "copy", type="button", data_copy="command", hidden=True)
    return tag("div", tag("pre", tag("code", clipped(command, 8_000), id="command")), button, class_="command")


def _card(title: str, pairs: Pairs) -> Markup:
    """A titled list of names and values; empty values are left out."""
    shown = [(name, value) for name, value in pairs if value is not None and value != "" and value != {}]
    if not shown:
        return Markup("")
    items = [
        tag("div", tag("dt", clipped(words(str(name)), 80)), tag("dd", _plain(value))) for name, value in shown[:40]
    ]
    return tag("div", tag("h3", title), tag("dl", *items), class_="fact")


def _checkpoint(checkpoint: dict[str, Any]) -> Pairs:
    yield from ((key, checkpoint.get(key)) for key in ("name", "commit", "parameters", "dtype", "device", "attention"))
    if checkpoint.get("random_weights"):
        yield "weights", tag("strong", "random: nothing was loaded", class_="warn")
    yield "files", _files(part(checkpoint, "files"))


def _data(data: dict[str, Any]) -> Pairs:
    yield from ((key, data.get(key)) for key in ("name", "rows"))
    if data.get("rejected"):
        yield "rejected", tag("strong", many(int(data["rejected"]), "row"), class_="warn")
    yield "files", _files(part(data, "files"))


def _files(files: dict[str, Any]) -> Markup | None:
    """Paths with their hashes cut short; the whole hash is in the title."""
    if not files:
        return None
    lines = [
        tag(
            "li",
            clipped(path, 200),
            " ",
            tag("code", str(value)[:8], title=f"sha256 {clipped(value, 80)}", class_="hash"),
        )
        for path, value in list(files.items())[:FILES]
    ]
    more = tag("li", f"and {len(files) - FILES:,} more in manifest.json") if len(files) > FILES else None
    return tag("ul", *lines, more)


def _environment(manifest: dict[str, Any]) -> Pairs:
    machine, git, packages = (part(manifest, key) for key in ("machine", "git", "packages"))
    yield "runner", manifest.get("runner")
    if git:
        yield (
            "git commit",
            tag("code", str(git.get("commit"))[:10], title=clipped(git.get("commit"), 80), class_="hash"),
        )
        if git.get("dirty_sha256"):
            yield (
                "uncommitted changes",
                tag("code", str(git["dirty_sha256"])[:8], title=clipped(git["dirty_sha256"], 80)),
            )
    yield "seed", manifest.get("seed")
    yield "started", manifest.get("started")
    yield "machine", machine.get("host")
    yield "processor", machine.get("cpu")
    yield "gpus", ", ".join(map(str, machine["gpus"])) if isinstance(machine.get("gpus"), list) else None
    size = [many(machine["cores"], "core")] if is_number(machine.get("cores")) else []
    size += [many(machine["threads"], "thread")] if is_number(machine.get("threads")) else []
    size += [f"{machine['memory_gb']:.3g} GB"] if is_number(machine.get("memory_gb")) else []
    yield "size", ", ".join(size)
    yield "system", machine.get("platform")
    yield "python", machine.get("python")
    yield (
        "packages",
        ", ".join(f"{clipped(name, 60)} {clipped(version, 60)}" for name, version in list(packages.items())[:30]),
    )


def _time(run: Run) -> Markup:
    """The phases with their share of the time."""
    phases = {str(k): float(v) for k, v in part(run.timing, "phases").items() if is_number(v)}
    if not phases:
        return Markup("")
    whole = sum(phases.values()) or 1.0
    rows = [
        tag("tr", tag("th", clipped(words(name), 60), scope="row"), tag("td", duration(value), class_="number"),
            tag("td", share_bar(value / whole), class_="picture"))
        for name, value in list(phases.items())[:40]
    ]  # fmt: skip
    said = []
    if is_number(run.timing.get("tokens_per_second")):
        said.append(f"{rate(run.timing['tokens_per_second'])} tokens/s")
    if is_number(run.timing.get("peak_mb")):
        said.append(f"peak {run.timing['peak_mb']:,.0f} MB")
    rest = tag("p", " · ".join(said), class_="quiet") if said else None
    return tag("div", tag("h3", "Time"), tag("table", tag("tbody", *rows)), rest, class_="fact")


def _configuration(run: Run) -> Markup:
    """Every option that is set, by section; those overridden on the command line are marked."""
    if not run.config:
        return Markup("")
    given = [_split(line) for line in run.overrides]
    sections: dict[str, dict[str, Any]] = {}
    for key, value in _flat(run.config):
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
        rows.append(tag("tr", label, tag("td", _plain(value)), class_="overridden" if marked else None))
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


def _plain(value: Any) -> Any:
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
