"""Charts of answers against what is right, as inline SVG: see `svg`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.report.markup import Markup, join, many, number, tag, within
from runner.report.svg import Frame, Series, axes, label_below, label_left, picture, ticks

SIDE = 40  # cells of a scatter along an axis
SIZE = 300_000  # bytes of the points of a map


@dataclass(frozen=True)
class Bar:
    """A bar from `start` to `end` on the x axis, or one of equal width where these are None."""

    name: str
    value: float
    told: str  # when it is pointed at
    count: int = 0
    start: float | None = None
    end: float | None = None


def bars(title: str, shown: Sequence[Bar], width: int = 420, height: int = 220) -> Markup:
    """Bars of equal width with their names below; from 0 to the largest."""
    most = max((bar.value for bar in shown), default=0.0) or 1.0
    frame = Frame(width, height, 0, len(shown), 0, most * 1.1)
    marks = [mark for mark in ticks(0, frame.high_y, 4)]
    lines = [
        tag("line", class_="grid", x1=frame.left, x2=width - frame.right, y1=frame.y(m), y2=frame.y(m)) for m in marks
    ]
    lines += [label_left(frame, mark) for mark in marks]
    lines += [label_below(frame, place + 0.5, bar.name) for place, bar in enumerate(shown)]
    boxes = [_bar(frame, bar, place, place + 1.0) for place, bar in enumerate(shown)]
    return picture(title, f"{len(shown)} bars", frame, join(lines), join(boxes))


def reliability(title: str, shown: Sequence[Bar], low: float, width: int = 420, height: int = 300) -> Markup:
    """How often answers of a probability are right, against the diagonal; how many there are stands below."""
    frame = Frame(width, height, low, 1, 0, 1, bottom=78)
    below = Frame(width, height, low, 1, 0, max((bar.count for bar in shown), default=1), top=height - 50, bottom=12)
    diagonal = tag("line", class_="diagonal", x1=frame.x(low), y1=frame.y(low), x2=frame.x(1), y2=frame.y(1))
    boxes = [_bar(frame, bar, bar.start or 0.0, bar.end or 1.0) for bar in shown]
    counts = [
        tag("rect", class_="count", x=below.x(bar.start or 0.0) + 1, y=below.y(bar.count),
            width=round(below.x(bar.end or 1.0) - below.x(bar.start or 0.0) - 2, 1),
            height=round(below.y(0) - below.y(bar.count), 1))
        for bar in shown
    ]  # fmt: skip
    word = tag("text", "rows", x=frame.left - 8, y=height - 16, text_anchor="end")
    return picture(title, "", frame, axes(frame), join(boxes), diagonal, join(counts), word)


def unit_lines(
    title: str, series: Sequence[Series], names: tuple[str, str], width: int = 420, height: int = 300
) -> Markup:
    """Lines through the unit square."""
    frame = Frame(width, height, 0, 1, 0, 1, bottom=44)
    lines = []
    for one in series:
        path = "M" + "L".join(f"{frame.x(x):g},{frame.y(y):g}" for x, y in one.points)
        lines.append(tag("g", tag("title", one.name), tag("path", class_=f"line {one.look}", d=path)))
    return picture(title, ", ".join(one.name for one in series), frame, axes(frame), _names(frame, names), join(lines))


def scatter(
    title: str, points: Sequence[tuple[float, float]], names: tuple[str, str], diagonal: bool = False,
    width: int = 640, height: int = 400,
) -> Markup:  # fmt: skip
    """Points (x, y), near ones together as one larger dot that says how many they are."""
    low_x, high_x = _ends([x for x, _ in points])
    low_y, high_y = _ends([y for _, y in points])
    if diagonal:
        low_x = low_y = min(low_x, low_y)
        high_x = high_y = max(high_x, high_y)
    frame = Frame(width, height, low_x, high_x, low_y, high_y, bottom=44)
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for x, y in points:
        place = int((x - low_x) / (high_x - low_x) * SIDE), int((y - low_y) / (high_y - low_y) * SIDE)
        cells.setdefault(place, []).append((x, y))
    most = max(map(len, cells.values()))
    dots = []
    for inside in cells.values():
        x, y = (sum(point[axis] for point in inside) / len(inside) for axis in (0, 1))
        told = f"{many(len(inside), 'row')}: {names[0]} {number(x)}, {names[1]} {number(y)}"
        radius = 2.6 + 4.4 * ((len(inside) - 1) / max(most - 1, 1)) ** 0.5
        dots.append(
            tag(
                "g",
                tag("title", told),
                tag("circle", class_="point", cx=frame.x(x), cy=frame.y(y), r=f"{radius:.1f}"),
                class_="at",
            )
        )
    line = tag("line", class_="diagonal", x1=frame.x(low_x), y1=frame.y(low_y), x2=frame.x(high_x), y2=frame.y(high_y))
    return picture(
        title,
        many(len(points), "row"),
        frame,
        axes(frame),
        _names(frame, names),
        line if diagonal else Markup(""),
        join(dots),
    )


def cloud(
    title: str, points: Iterable[tuple[float, float, str, int | None]], width: int = 640, height: int = 460
) -> Markup:
    """Points of a map (x, y, text, colour); its axes have no unit."""
    known = list(points)
    frame = Frame(
        width, height, *_ends([p[0] for p in known]), *_ends([p[1] for p in known]), left=8, right=8, top=8, bottom=8
    )
    dots = within(
        (
            tag("g", tag("title", text), tag("circle", class_=f"point t{colour}" if colour is not None else "point",
                                             cx=frame.x(x), cy=frame.y(y), r=3.4), class_="at")
            for x, y, text, colour in known
        ),
        SIZE,
    )  # fmt: skip
    return picture(title, f"{len(dots):,} texts", frame, join(dots))


def legend(names: Mapping[str, str]) -> Markup:
    """Names with the look of their line."""
    return join(tag("span", tag("i", class_=f"swatch {look}"), name, class_="legend") for name, look in names.items())


def _bar(frame: Frame, bar: Bar, start: float, end: float) -> Markup:
    x, width = frame.x(start) + 1.5, max(frame.x(end) - frame.x(start) - 3, 1)
    box = tag("rect", class_="bar", x=round(x, 1), width=round(width, 1), y=frame.y(bar.value),
              height=round(frame.y(0) - frame.y(bar.value), 1))  # fmt: skip
    hit = tag(
        "rect", class_="hit", x=round(x, 1), width=round(width, 1), y=frame.top, height=round(frame.y(0) - frame.top, 1)
    )
    return tag("g", tag("title", bar.told), hit, box, class_="at")


def _names(frame: Frame, names: tuple[str, str]) -> Markup:
    """What the axes are."""
    middle = frame.left + (frame.width - frame.left - frame.right) / 2
    below = tag("text", names[0], x=middle, y=frame.height - 6, text_anchor="middle", class_="named")
    height = frame.top + (frame.height - frame.top - frame.bottom) / 2
    turned = f"rotate(-90 14 {height:g})"
    return join([below, tag("text", names[1], x=14, y=height, text_anchor="middle", transform=turned, class_="named")])


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis with some room; never the same."""
    low, high = min(values), max(values)
    room = (high - low) * 0.03 or abs(high) * 0.1 or 1.0
    return low - room, high + room
