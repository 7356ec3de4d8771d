"""The results of a sweep as one self-contained page: sweep.html."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from runner.files import write_text
from runner.report.document import Look, document, embedded
from runner.report.markup import Markup, clipped, duration, join, many, moment, tag
from runner.sweep.findings import Findings, short
from runner.sweep.page.answer import answer
from runner.sweep.page.charts import charts
from runner.sweep.page.curves import curves
from runner.sweep.page.failures import failures
from runner.sweep.page.leaderboard import leaderboard
from runner.sweep.page.origin import origin
from runner.sweep.page.points import points
from runner.sweep.page.weights import weights

HERE = Path(__file__).parent
LOOK = Look(
    [HERE / "sweep.css"],
    [HERE / f"{name}.js" for name in ("draw", "chosen", "board", "parallel", "slices", "pairs", "front", "start")],
)
SECTIONS = {
    "answer": "the best",
    "front": "the front",
    "board": "leaderboard",
    "weights": "what matters",
    "parallel": "all keys at once",
    "slices": "key by key",
    "pairs": "two keys",
    "curves": "learning curves",
    "failures": "failures",
    "origin": "how it was made",
}


def write_page(findings: Findings) -> str:
    """sweep.html in the sweep's directory; its name.

    The page needs nothing else: no network, no other file. It stays under 1 MB however many jobs there are.
    """
    path = findings.directory / "sweep.html"
    write_text(path, page(findings).encode("utf-8", "replace").decode())  # lone surrogates become ?
    return path.name


def page(findings: Findings) -> str:
    """The whole page."""
    board, shown = leaderboard(findings)
    drawn = points(findings, shown)
    sections = [
        answer(findings),
        board,
        weights(findings),
        *charts(findings, drawn),
        curves(findings),
        failures(findings),
        origin(findings),
    ]
    if findings.goals:  # what was asked for is the front
        sections.insert(0, sections.pop(next(at for at, one in enumerate(sections) if one.startswith(_start("front")))))
    body = tag("main", *sections)
    return document(f"{_title(findings)} · sweep", LOOK, _header(findings, sections), body, _footer(findings),
                    embedded("data", drawn.data))  # fmt: skip


def _header(findings: Findings, sections: list[Markup]) -> Markup:
    """What was swept over, and how far it came."""
    links = [tag("a", name, href=f"#{place}") for section in sections for place, name in SECTIONS.items()
             if section.startswith(_start(place))]  # fmt: skip
    state = str(findings.facts.get("state", "unknown"))
    name = findings.facts.get("asked", {}).get("name")
    kind = "Search" if findings.facts.get("asked", {}).get("goals") else "Sweep"
    varied = list(dict.fromkeys(key for text in _differing(findings) for key in [text.lstrip("+").partition("=")[0]]))
    return tag(
        "header",
        tag("p", f"{kind}{f' {clipped(name, 120)}' if name else ''} over {clipped(_listed(varied), 300)}",
            class_="name"),
        tag("h1", _title(findings)),
        tag("p", tag("span", state, class_=f"badge {state if state.isalpha() else ''}"),
            *(tag("span", fact) for fact in _facts(findings)), class_="how"),
        _banner(findings, state),
        tag("nav", *links, aria_label="sections"),
    )  # fmt: skip


def _facts(findings: Findings) -> list[str]:
    counts = Counter(entry.state for entry in findings.entries)
    told = [many(len(findings.entries), "job")]
    told += [f"{counts[name]:,} {said}" for name, said in _STATES.items() if counts[name]]
    told += [f"{duration(sum(findings.work))} of work"] if findings.work else []
    started = moment(findings.facts.get("planned") or findings.facts.get("began"))
    return [*told, f"{started:%Y-%m-%d %H:%M}"] if started else told


_STATES = {"done": "done", "pruned": "pruned", "failed": "failed", "stopped": "stopped", "running": "running",
           "new": "not run"}  # fmt: skip


def _banner(findings: Findings, state: str) -> Markup | None:
    """What to know first about a sweep that is not through."""
    left = sum(entry.state in ("new", "stopped", "running") for entry in findings.entries)
    if state == "running":
        return tag("p", "The sweep had not ended when this page was written: what follows is what there was.",
                   class_="banner")  # fmt: skip
    if state == "stopped" or left:
        said = f"{many(left, 'job')} of those planned {'has' if left == 1 else 'have'} not been run to the end"
        return tag("p", f"{said if left else 'It was stopped'}: the same command goes on with them.", class_="banner")
    return None


def _title(findings: Findings) -> str:
    """The task and the checkpoint, or how many of them."""
    configs = [entry.job.config for entry in findings.entries if entry.job.config]
    tasks = {str(config.get("task", {}).get("name")) for config in configs}
    checkpoints = {str(config.get("checkpoint", {}).get("name_or_path") or "random weights") for config in configs}
    names = [
        Path(found.pop()).name if len(found) == 1 else f"{len(found)} {noun}"
        for found, noun in ((tasks, "tasks"), (checkpoints, "checkpoints"))
        if found
    ]
    return clipped(" · ".join(names) or "A sweep", 160)


def _differing(findings: Findings) -> list[str]:
    return [text for entry in findings.entries[:200] for text in entry.job.differs]


def _listed(varied: list[str]) -> str:
    return " × ".join(short(varied).values()) or "one point"


def _start(place: str) -> str:
    return f'<section id="{place}"'


def _footer(findings: Findings) -> Markup:
    from runner import __version__

    where = tag("code", findings.directory.resolve().name)
    return tag("footer", join(["Made from ", where, f" by runner {__version__}"]))
