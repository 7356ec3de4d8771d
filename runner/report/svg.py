"""Charts as inline SVG: colours by CSS class, values in titles, so that they are read without a script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.report.markup import Markup, is_number, join, many, number, tag

POINTS = 240  # of a curve; more are averaged, as more could not be seen


@dataclass(frozen=True)
class Series:
    """A named line through points (x, y), drawn with the CSS class `look`."""

    name: str
    points: Sequence[tuple[float, float]]
    look: str = "first"
    dotted: bool = False  # a dot at each point, for values that are few
    best: tuple[float, float] | None = None  # a point to be ringed


@dataclass(frozen=True)
class Frame:
    """Where the data lies in a picture of width W and height H."""

    width: float
    height: float
    low_x: float
    high_x: float
    low_y: float
    high_y: float
    left: float = 58
    right: float = 16
    top: float = 12
    bottom: float = 30

    def x(self, value: float) -> float:
        """The horizontal place of a value."""
        share = (value - self.low_x) / ((self.high_x - self.low_x) or 1)
        return round(self.left + share * (self.width - self.left - self.right), 1)

    def y(self, value: float) -> float:
        """The vertical place of a value; larger is higher."""
        share = (value - self.low_y) / ((self.high_y - self.low_y) or 1)
        return round(self.height - self.bottom - share * (self.height - self.top - self.bottom), 1)


def line_chart(title: str, series: Sequence[Series], width: int = 640, height: int = 300) -> Markup:
    """Lines against the training step; pointing at a step shows its values."""
    series = [Series(s.name, thinned(s.points), s.look, s.dotted, s.best) for s in series if s.points]
    everything = [point for one in series for point in one.points]
    low, high = min(y for _, y in everything), max(y for _, y in everything)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    xs = [x for x, _ in everything]
    start = min(xs) if min(xs) > max(xs) / 4 else 0.0
    frame = Frame(width, height, start, max(xs), low if low == 0 else low - room, high + room)
    described = "; ".join(f"{s.name} from {number(s.points[0][1])} to {number(s.points[-1][1])}" for s in series)
    return picture(
        title, described, frame, axes(frame), join(_line(frame, one) for one in series), _places(frame, series)
    )


def thinned(points: Sequence[tuple[float, float]], limit: int = POINTS) -> list[tuple[float, float]]:
    """At most `limit` points: the mean of neighbours, at the last one's step."""
    size = math.ceil(len(points) / limit)
    if size <= 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) from low to high, about `count` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * m for m in (1, 2, 5, 10)), key=lambda candidate: abs(math.log(candidate / rough)))
    return [round(i * step, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def histogram(title: str, bins: Mapping[int, int], per_decade: int, width: int = 640, height: int = 190) -> Markup:
    """Counts of values on a logarithmic axis; bin b holds 10**(b / per_decade) up to the next."""
    lowest, size = min(bins), math.ceil((max(bins) - min(bins) + 1) / 48)
    counts: dict[int, int] = {}
    for place, count in bins.items():
        counts[(place - lowest) // size] = counts.get((place - lowest) // size, 0) + count
    ends = lowest / per_decade, (lowest + (max(counts) + 1) * size) / per_decade  # log10
    frame = Frame(width, height, *ends, 0, max(counts.values()) * 1.08)
    bars = []
    for place, count in sorted(counts.items()):
        start, end = ((lowest + (place + shift) * size) / per_decade for shift in (0, 1))
        text = f"{many(count, 'row')} from {number(10**start)} to {number(10**end)}"
        box = {"x": frame.x(start) + 0.75, "width": round(max(frame.x(end) - frame.x(start) - 1.5, 1), 1)}
        bar = tag("rect", class_="bar", y=frame.y(count), height=round(frame.y(0) - frame.y(count), 1), **box)
        hit = tag("rect", class_="hit", y=frame.top, height=frame.y(0) - frame.top, **box)
        bars.append(tag("g", tag("title", text), hit, bar, class_="at"))
    marks = decades(*ends)
    axes = [tag("line", class_="axis", x1=frame.left, x2=width - frame.right, y1=frame.y(0), y2=frame.y(0))]
    axes += [label_below(frame, math.log10(mark), f"{mark:,g}") for mark in marks]
    axes += [label_left(frame, mark) for mark in ticks(0, frame.high_y, 3) if mark == int(mark)]
    return picture(title, f"{many(sum(counts.values()), 'row')}", frame, join(axes), join(bars))


def interval(value: float, low: float, high: float) -> Markup:
    """A dot with its whisker, from 0 to 1 for shares, else from 0 to a round number above."""
    share = low >= 0 and high <= 1
    top = 1.0 if share else _round_up(max(abs(low), abs(high), abs(value)))
    bottom = -top if min(low, value) < 0 else 0.0
    frame = Frame(180, 26, bottom, top, 0, 1, left=6, right=6, top=0, bottom=0)
    ends = [tag("text", f"{end:g}", class_="end", x=frame.x(end), y=25, text_anchor=anchor)
            for end, anchor in ((bottom, "start"), (top, "end"))]  # fmt: skip
    wide = frame.x(high) - frame.x(low) > 10  # else the dot hides the caps
    caps = [
        tag("line", class_="whisker thin", x1=frame.x(end), x2=frame.x(end), y1=5, y2=13) for end in (low, high) if wide
    ]
    return tag(
        "svg",
        tag("title", f"{number(value)}, from {number(low)} to {number(high)}, on a scale from {bottom:g} to {top:g}"),
        tag("line", class_="axis", x1=6, x2=174, y1=9, y2=9),
        *ends,
        tag("line", class_="whisker", x1=frame.x(low), x2=frame.x(high), y1=9, y2=9),
        *caps,
        tag("circle", class_="dot", cx=frame.x(value), cy=9, r=4.2),
        class_="interval", viewBox="0 0 180 26", role="img",
    )  # fmt: skip


def share_bar(share: float) -> Markup:
    """A horizontal bar of a share from 0 to 1."""
    bar = tag("rect", class_="bar", width=round(100 * min(max(share, 0.0), 1.0), 2), height=8, rx=1)
    return tag("svg", tag("rect", class_="trough", width=100, height=8, rx=1), bar, class_="share",
               viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true")  # fmt: skip


def picture(title: str, described: str, frame: Frame, *content: Markup) -> Markup:
    """The picture with its title and description for those who cannot see it."""
    size = f"0 0 {frame.width:g} {frame.height:g}"
    return tag("svg", tag("title", title), tag("desc", described), *content, class_="chart", viewBox=size, role="img")


def _round_up(value: float) -> float:
    if not is_number(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((power * m for m in (1, 1.5, 2, 3, 5) if power * m >= value * 1.02), power * 10)


def axes(frame: Frame) -> Markup:
    """Grid lines with their values, and the values below."""
    lines = []
    for mark in ticks(frame.low_y, frame.high_y, 5 if frame.height > 200 else 3):
        place = frame.y(mark)
        lines.append(tag("line", class_="grid", x1=frame.left, x2=frame.width - frame.right, y1=place, y2=place))
        lines.append(label_left(frame, mark))
    marks = ticks(frame.low_x, frame.high_x, 5 if frame.width > 400 else 3)
    return join([*lines, *(label_below(frame, mark, f"{mark:,.12g}") for mark in marks)])


def label_left(frame: Frame, value: float) -> Markup:
    """A value at its height."""
    return tag("text", f"{value:,.6g}", x=frame.left - 8, y=frame.y(value) + 4, text_anchor="end")


def label_below(frame: Frame, place: float, text: str) -> Markup:
    """A text below a place."""
    return tag("text", text, x=frame.x(place), y=frame.height - frame.bottom + 20, text_anchor="middle")


def _line(frame: Frame, one: Series) -> Markup:
    places = [(frame.x(x), frame.y(y)) for x, y in one.points]
    path = "M" + "L".join(f"{x:g},{y:g}" for x, y in places)
    shapes = [tag("path", class_=f"line {one.look}", d=path)]
    if one.dotted or len(places) == 1:
        shapes += [tag("circle", class_=f"dot {one.look}", cx=x, cy=y, r=2.8) for x, y in places]
    if one.best is not None:
        shapes.append(tag("circle", class_=f"ring {one.look}", cx=frame.x(one.best[0]), cy=frame.y(one.best[1]), r=7))
    return join(shapes)


def _places(frame: Frame, series: Sequence[Series]) -> Markup:
    """A strip for each step that has values; pointed at, it shows them and a hair line."""
    values: dict[float, list[tuple[Series, float]]] = {}
    for one in series:
        for x, y in one.points:
            values.setdefault(x, []).append((one, y))
    steps = sorted(values)
    edges = [frame.left, *((frame.x(a) + frame.x(b)) / 2 for a, b in pairwise(steps)), frame.width - frame.right]
    strips = []
    for step, start, end in zip(steps, edges, edges[1:], strict=False):
        lines = [f"step {step:,.0f}", *(f"{one.name} {number(y)}" for one, y in values[step])]
        x, box = frame.x(step), {"y": frame.top, "height": frame.height - frame.top - frame.bottom}
        strips.append(
            tag(
                "g",
                tag("title", "\n".join(lines)),
                tag("rect", class_="hit", x=round(start, 1), width=round(max(end - start, 0.5), 1), **box),
                tag("line", class_="hair", x1=x, x2=x, y1=frame.top, y2=frame.height - frame.bottom),
                *(tag("circle", class_=f"dot {one.look}", cx=x, cy=frame.y(y), r=4) for one, y in values[step]),
                class_="at",
            )
        )
    return join(strips)


def decades(low: float, high: float) -> list[float]:
    """Round numbers between 10**low and 10**high, some two to nine of them."""
    for leads in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        marks = [m * 10.0**p for p in range(math.floor(low), math.ceil(high) + 1) for m in leads]
        marks = [m for m in marks if low <= math.log10(m) <= high]
        if len(marks) >= 4:
            return marks
    return marks if len(marks) > 1 else [float(f"{10**end:.3g}") for end in (low, high)]
