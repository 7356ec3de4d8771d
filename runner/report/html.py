"""A run directory as one self-contained page: report.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.files import write_text
from runner.report.answers import answers, card, drawn, numbers_first
from runner.report.data import data
from runner.report.document import Look, document
from runner.report.figures import curves, not_finite, numbers
from runner.report.lines import part
from runner.report.markup import Markup, clipped, duration, is_number, join, many, moment, rate, tag, within
from runner.report.origin import new_weights, origin
from runner.report.read import Run, read_run
from runner.report.trace import traces

MISSED = 6  # rows that went wrong that are shown
BANNER = 400  # characters of an error at the top
TRACEBACK = 20_000  # characters, from the end
SECTIONS = {
    "answers": "answers",
    "numbers": "numbers",
    "drawn": "",  # as its heading
    "training": "training",
    "steps": "step by step",
    "look": "worth a look",
    "data": "data",
    "origin": "how it was made",
}


def write_report(directory: Path) -> Path:
    """Write report.html into a run directory, from its files alone; returns its path.

    The page needs nothing else: no network, no other file. It stays under 1 MB whatever the run's size.

    Raises:
        NotADirectoryError: when there is no such directory.
    """
    directory = Path(directory)
    path = directory / "report.html"
    write_text(path, page(read_run(directory)).encode("utf-8", "replace").decode())  # lone surrogates become ?
    return path


def page(run: Run) -> str:
    """The whole page."""
    figures = drawn(run)
    first = [numbers(run), *figures, answers(run)] if numbers_first(run) else [answers(run), numbers(run), *figures]
    sections = [*first, curves(run), traces(run), look(run, bool(figures)), data(run), origin(run)]
    title = f"{_name(run)} · {run.state}"
    return document(title, Look(), header(run, sections), tag("main", *sections), _footer(run))


def header(run: Run, sections: list[Markup]) -> Markup:
    """What ran, on what, how it ended, how long it took."""
    task, checkpoint = _task(run), _checkpoint(run)
    badge = tag("span", run.state, class_=f"badge {run.state if run.state.isalpha() else ''}")
    links = [
        tag("a", _heading(section) if place == "drawn" else name, href=f"#{place}")
        for section in sections
        for place, name in SECTIONS.items()
        if section.startswith(f'<section id="{place}">')
    ]
    human = run.manifest.get("name")
    return tag(
        "header",
        tag("p", clipped(human, 120), class_="name") if human else None,
        tag("h1", task, tag("span", " · ", class_="dim"), checkpoint),
        tag("p", badge, *(tag("span", fact) for fact in _facts(run)), class_="how"),
        _banner(run),
        tag("nav", *links, aria_label="sections"),
    )


def look(run: Run, shown: bool) -> Markup:
    """Errors worth looking at: why it failed, rows that went wrong if they are not `shown`, unreadable files."""
    parts: list[Markup] = []
    error = str(run.status.get("error") or "")
    if error and (len(error) > BANNER or run.state not in ("failed", "stopped")):  # else it stands at the top
        parts.append(tag("p", clipped(error, 4_000), class_="error"))
    if run.status.get("traceback"):
        text = str(run.status["traceback"])
        said = "…\n" + text[-TRACEBACK:] if len(text) > TRACEBACK else text
        parts.append(tag("details", tag("summary", "traceback"), tag("pre", tag("code", said))))
    broken = not_finite(run)
    if broken:
        parts.append(broken)
    rejected = part(run.manifest, "data").get("rejected")
    if is_number(rejected) and rejected:
        parts.append(
            tag("p", f"{many(int(rejected), 'row')} of the data could not be used: ", tag("code", "rejected.jsonl"))
        )
    if run.problems:
        parts.append(tag("ul", *(tag("li", clipped(problem, 600)) for problem in run.problems), class_="problems"))
    if run.predictions.missed.seen and not shown:
        parts += _missed(run)
    return tag("section", tag("h2", "Worth a look"), *parts, id="look") if parts else Markup("")


def _missed(run: Run) -> list[Markup]:
    """The rows that went wrong; those that the answers show already are not shown again."""
    missed, above = run.predictions.missed, {line.get("row") for line in run.predictions.first.items()}
    hidden = [line for line in missed.items() if line.get("row") not in above]
    shown = within((card(run, line) for line in hidden[:MISSED]), 60_000)
    said = f"{many(missed.seen, 'row')} of {run.predictions.total:,} went wrong"
    if not shown:
        return [tag("p", f"{said}: see the answers above.")]
    return [
        tag("p", f"{said}; {len(shown)} that are not among the answers above:"),
        tag("div", *shown, class_="answers"),
    ]


def _heading(section: Markup) -> Markup:
    """What a section is called, in lower case."""
    return Markup(section.partition("<h2>")[2].partition("<")[0].lower())


def _banner(run: Run) -> Markup | None:
    """What to know first about a run that is not done."""
    error = run.status.get("error")
    if run.state == "failed":
        link = tag("a", "traceback", href="#look") if run.status.get("traceback") else None
        return tag(
            "p",
            tag("strong", "The run failed. "),
            clipped(error or "Nothing says why.", BANNER),
            " ",
            link,
            class_="banner",
        )
    told = {
        "stopped": f"{clipped(_sentence(error or 'stopped'), BANNER)}: it can be continued by the same command.",
        "running": "The run had not ended when this page was written: what follows is what there was.",
        "unknown": "status.json is missing or damaged: nothing says how this run ended.",
    }
    return tag("p", told[run.state], class_="banner") if run.state in told else None


def _sentence(text: Any) -> str:
    return str(text)[:1].upper() + str(text)[1:]


def _facts(run: Run) -> list[str]:
    checkpoint = part(run.manifest, "checkpoint")
    facts = []
    seconds = _elapsed(run)
    if seconds is not None:
        facts.append(f"in {duration(seconds)}")
    if run.predictions.total:
        facts.append(many(run.predictions.total, "row"))
    if is_number(checkpoint.get("parameters")):
        facts.append(f"{checkpoint['parameters'] / 1e6:,.1f} M parameters")
    facts += [clipped(checkpoint[key], 40) for key in ("dtype", "device") if checkpoint.get(key)]
    if checkpoint.get("random_weights"):
        facts.append(new_weights(run))
    if is_number(run.timing.get("tokens_per_second")):
        facts.append(f"{rate(run.timing['tokens_per_second'])} tokens/s")
    if is_number(run.manifest.get("seed")) and run.drawn:
        facts.append(f"seed {run.manifest['seed']}")
    if is_number(run.status.get("attempt")) and run.status["attempt"] > 1:
        facts.append(f"attempt {run.status['attempt']}")
    started = moment(run.status.get("started") or run.manifest.get("started"))
    return [*facts, f"{started:%Y-%m-%d %H:%M}"] if started else facts


def _elapsed(run: Run) -> float | None:
    """Seconds of the work; of the last attempt when the phases are not known."""
    if run.seconds is not None:
        return run.seconds
    started, ended = (moment(run.status.get(key)) for key in ("started", "ended"))
    try:
        return (ended - started).total_seconds() if started and ended else None
    except TypeError:  # one with a time zone, one without
        return None


def _task(run: Run) -> str:
    task = run.config.get("task")
    return clipped(part(run.config, "task").get("name") or (task if isinstance(task, str) else "a run"), 80)


def _checkpoint(run: Run) -> str:
    name = part(run.manifest, "checkpoint").get("name") or part(run.config, "checkpoint").get("name_or_path")
    return clipped(name or "random weights", 120)


def _name(run: Run) -> str:
    return f"{_task(run)} · {_checkpoint(run)}"


def _footer(run: Run) -> Markup:
    where = tag("code", run.directory.resolve().name)
    return tag("footer", join(["Made from ", where, " by runner ", run.manifest.get("runner", "")]))
