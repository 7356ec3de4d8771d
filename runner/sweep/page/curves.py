"""Learning curves: what each job came to while it worked, those that were given up with a cross at their end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.report.markup import Markup, clipped, join, many, number, tag, words
from runner.report.read import Run, read_curves
from runner.report.svg import Frame, decades, label_below, picture, thinned, ticks
from runner.sweep.axes import fence
from runner.sweep.entries import Entry
from runner.sweep.findings import Findings
from runner.sweep.page.leaderboard import LEGEND, LOOKS
from runner.sweep.page.points import standing
from runner.sweep.page.reported import reported

MOST = 100  # jobs whose curves are drawn
POINTS = 60  # of a curve
CHARTS = 3
ORDER = ("best", "tied", "pruned", "worse", "unsaid", "")  # the first is drawn last
Curves = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Line:
    """One curve.

    Fields:
        look: how its point stands to the best, or `pruned`.
        point: its place in the leaderboard, if it has one.
    """

    points: Sequence[tuple[float, float]]
    look: str
    point: int | None
    told: str


def curves(findings: Findings) -> Markup:
    """The section; empty where no job left a curve."""
    chosen = _chosen(findings)
    seen = reported(findings)
    known: list[tuple[Entry, int | None, Curves]] = []
    for entry, at in chosen:
        own = {f"reported {words(findings.metric or '')}": seen[entry.job.number]} if entry.job.number in seen else {}
        known.append((entry, at, {**own, **_of(entry)}))
    names = [name for name in _names(findings.metric, known) if sum(len(one.get(name, ())) > 1 for *_, one in known)]
    if not names:
        return Markup("")
    larger = findings.numbers.get(findings.metric or "", False)
    figures = [
        _figure(name, [_line(findings, entry, at, one[name]) for entry, at, one in known if one.get(name)],
                larger and "loss" not in name)
        for name in names[:CHARTS]
    ]  # fmt: skip
    pruned = sum(entry.state == "pruned" for entry in findings.entries)
    told = [f"{many(pruned, 'job')} given up before the end (dashed, with a cross)"] if pruned else []
    told += (
        ["what is far worse than most runs along the edge"]
        if any("some along the edge" in figure for figure in figures)
        else []
    )
    ended = sum(entry.state in ("done", "pruned") for entry in findings.entries)
    told += [f"{len(known):,} of {many(ended, 'job')} drawn"] if ended > len(known) else []
    looks = dict.fromkeys(line.look for entry, at, _ in known for line in [_line(findings, entry, at, ())])
    legend = [tag("span", tag("i", class_=f"spot {look}"), LEGEND.get(look, "given up"), class_="legend")
              for look in (*LOOKS, "pruned") if look in looks]  # fmt: skip
    return tag("section", tag("h2", "Learning curves"), tag("p", *legend, class_="quiet"),
               tag("p", f"{'; '.join(told)}.", class_="quiet") if told else None,
               tag("div", *figures, class_="charts"), id="curves")  # fmt: skip


def _chosen(findings: Findings) -> list[tuple[Entry, int | None]]:
    """The best points' jobs, and those that were given up: half of each where there are too many."""
    ordered = [(entry, at) for at, place in enumerate(findings.places) for entry in place.entries]
    pruned: list[tuple[Entry, int | None]] = [(one, None) for one in findings.entries if one.state == "pruned"]
    least = MOST // 2
    first = ordered[: max(least, MOST - len(pruned))]
    return [*first, *pruned[: MOST - min(len(first), MOST)]]


def _of(entry: Entry) -> Curves:
    if entry.directory is None or not (entry.directory / "training.jsonl").is_file():
        return {}
    found = read_curves(Run(entry.directory))
    return {name: [point for point in points if math.isfinite(point[1])] for name, points in found.items()}


def _names(metric: str | None, known: Sequence[tuple[Entry, int | None, Curves]]) -> Iterator[str]:
    """What is drawn, the most telling first."""
    there = dict.fromkeys(name for *_, one in known for name in one)
    mine = f"eval_{metric}"
    yield from (name for name in there if name.startswith("reported "))
    reported = any(name.startswith("reported ") for name in there)  # that is the same
    yield from (name for name in ("" if reported else mine, "eval_loss", "loss") if name in there)


def _line(findings: Findings, entry: Entry, at: int | None, points: Sequence[tuple[float, float]]) -> Line:
    look = "pruned" if entry.state == "pruned" else LOOKS[standing(at, findings.places[at])] if at is not None else ""
    last = f"\n{number(points[-1][1])} at step {points[-1][0]:,.0f}" if points else ""
    return Line(thinned(points, POINTS), look, at, f"{clipped(entry.job.told, 200)}{last}")


def _figure(name: str, lines: Sequence[Line], larger: bool) -> Markup:
    """The curves under their name; what goes far beyond the others runs along the edge."""
    title = "training loss" if name == "loss" else words(name.replace("eval_", "validation "))
    values = [y for line in lines for _, y in line.points]
    log = min(values) > 0 and max(values) / min(values) >= 100
    scale = math.log10 if log else float
    low, high = map(scale, fence(values, larger, scale))
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    steps = [x for line in lines for x, _ in line.points]
    start = min(steps) if min(steps) > max(steps) / 4 else 0.0
    frame = Frame(480, 320, start, max(steps), low - room, high + room)
    inside = [replace(line, points=[(x, min(max(scale(y), frame.low_y), frame.high_y)) for x, y in line.points])
              for line in lines]  # fmt: skip
    order = sorted(inside, key=lambda line: -ORDER.index(line.look))
    drawn = join(_drawn(frame, line) for line in order)
    caption = tag("figcaption", title, tag("span", " (logarithmic)", class_="dim") if log else None)
    beyond = any(not low <= scale(value) <= high for value in values)
    described = f"{many(len(lines), 'curve')}{', some along the edge' if beyond else ''}"
    chart = picture(f"{title} against the step", described, frame, _axes(frame, log), drawn)
    return tag("figure", caption, chart, class_="plot")


def _axes(frame: Frame, log: bool) -> Markup:
    """Grid lines with their values, and steps below."""
    marks = [(math.log10(m), m) for m in decades(frame.low_y, frame.high_y)] if log else [
        (mark, mark) for mark in ticks(frame.low_y, frame.high_y, 5)]  # fmt: skip
    parts = []
    for place, value in marks:
        y = frame.y(place)
        parts.append(tag("line", class_="grid", x1=frame.left, x2=frame.width - frame.right, y1=y, y2=y))
        parts.append(tag("text", f"{value:,.6g}", x=frame.left - 8, y=y + 4, text_anchor="end"))
    marks_x = [mark for mark in ticks(frame.low_x, frame.high_x, 5) if mark == int(mark)]
    return join([*parts, *(label_below(frame, mark, f"{mark:,.12g}") for mark in marks_x)])


def _drawn(frame: Frame, line: Line) -> Markup:
    """The curve, a broad one to be pointed at, and what stands at its end."""
    places = [(frame.x(x), frame.y(y)) for x, y in line.points]
    path = "M" + "L".join(f"{x:g},{y:g}" for x, y in places)
    x, y = places[-1]
    end = tag("circle", cx=x, cy=y, r=2.6)
    if line.look == "pruned":
        end = tag("path", d=f"M{x - 4:g},{y - 4:g}l8,8m0,-8l-8,8", class_="cross")
    return tag("g", tag("title", line.told), tag("path", class_="near", d=path), tag("path", class_="way", d=path), end,
               class_=f"curve {line.look} at", data_point=line.point)  # fmt: skip
