"""How the run was made: the command, the configuration, data, checkpoint, environment, time."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.report.configuration import configuration, plain
from runner.report.lines import part
from runner.report.markup import Markup, clipped, duration, is_number, many, tag, words
from runner.report.read import Run
from runner.report.svg import share_bar

FILES = 30
Pairs = Iterable[tuple[str, Any]]


def origin(run: Run) -> Markup:
    """The last section: all that is needed to make the run again."""
    cards = [
        card("Checkpoint", _checkpoint(run)),
        card("Data", _data(part(run.manifest, "data"))),
        card("Decoding in effect", part(run.manifest, "decoding").items()),
        card("Environment", _environment(run.manifest)),
    ]
    notes = run.manifest.get("notes")
    listed = [tag("li", clipped(note, 600)) for note in notes[:30]] if isinstance(notes, list) else []
    return tag(
        "section",
        tag("h2", "How it was made"),
        _command(run),
        tag("ul", *listed, class_="notes") if listed else None,
        tag("div", *cards, _time(run), class_="facts"),
        configuration(run),
        id="origin",
    )


def new_weights(run: Run) -> str:
    """Which weights were not loaded: all of them, or how many."""
    new = part(run.manifest, "checkpoint").get("random_weights")
    if isinstance(new, list) and not part(run.config, "checkpoint").get("architecture"):
        return f"{many(len(new), 'weight tensor')} new and random"
    return "random weights"


def _command(run: Run) -> Markup:
    """The command that makes the run again: it asks for no rerun."""
    try:
        words = shlex.split(str(run.manifest.get("command") or ""))
    except ValueError:
        return Markup("")
    return command([word for word in words if not word.startswith("rerun=")], run.config)


def command(words: Sequence[str], config: Mapping[str, Any], name: str = "command") -> Markup:
    """A command with a button that copies it; it trusts the packages that the configuration names."""
    if not words:
        return Markup("")
    trusted = sorted({target.split(".")[0] for target in _targets(config)} - {"runner"})
    said = shlex.join(words)
    if trusted:
        said = f"RUNNER_TRUST={shlex.quote(','.join(trusted))} {said}"
    button = tag("button", "copy", type="button", data_copy=name, hidden=True)
    return tag("div", tag("pre", tag("code", clipped(said, 8_000), id=name)), button, class_="command")


def _targets(values: Any) -> Iterable[str]:
    if isinstance(values, Mapping):
        yield from ([str(values["_target_"])] if "_target_" in values else [])
        for value in values.values():
            yield from _targets(value)


def card(title: str, pairs: Pairs) -> Markup:
    """A titled list of names and values; empty values are left out."""
    shown = [(name, value) for name, value in pairs if value is not None and value != "" and value != {}]
    if not shown:
        return Markup("")
    items = [
        tag("div", tag("dt", clipped(words(str(name)), 80)), tag("dd", plain(value))) for name, value in shown[:40]
    ]
    return tag("div", tag("h3", title), tag("dl", *items), class_="fact")


def _checkpoint(run: Run) -> Pairs:
    """What the page does not say at its top."""
    checkpoint = part(run.manifest, "checkpoint")
    yield from ((key, checkpoint.get(key)) for key in ("commit", "attention"))
    new = checkpoint.get("random_weights")
    if new:
        yield "weights", tag("strong", new_weights(run), class_="warn")
        if isinstance(new, list) and new_weights(run) != "random weights":
            yield "of which", ", ".join(map(str, new[:12])) + (", …" if len(new) > 12 else "")
    yield "files", _files(part(checkpoint, "files"))


def _data(data: dict[str, Any]) -> Pairs:
    yield "name", data.get("name")
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
    yield "code of yours", _files(part(manifest, "code"))
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
    if is_number(run.timing.get("peak_mb")):
        said.append(f"peak {run.timing['peak_mb']:,.0f} MB")
    rest = tag("p", " · ".join(said), class_="quiet") if said else None
    return tag("div", tag("h3", "Time"), tag("table", tag("tbody", *rows)), rest, class_="fact")
