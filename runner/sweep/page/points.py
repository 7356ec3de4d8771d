"""The points of a sweep as the page's script draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.report.markup import words
from runner.sweep.axes import Axis, axis, fence, measured
from runner.sweep.board import Place, mean
from runner.sweep.findings import Findings, keys, said, short
from runner.sweep.plan import Job

DRAWN = 1_500  # points in a chart
BEST, TIED, WORSE, UNSAID = range(4)  # how a point stands to the best


@dataclass(frozen=True)
class Points:
    """What can be drawn: the points that the leaderboard shows, those of the front, and of many every so many.

    Fields:
        told: which points the charts show, where that is not all.
        keys: axes of the keys that differ.
        number, seconds: axes of the number that points are ordered by, and of what they cost.
        goals: axes of the numbers that a search made best together.
        front: places of the points that none beats in all goals.
        data: all of it, for the script.
    """

    told: str
    keys: Sequence[Axis]
    number: Axis | None
    seconds: Axis
    goals: Sequence[Axis]
    front: Sequence[int]
    data: Mapping[str, Any]


def points(findings: Findings, count: int) -> Points:
    """Those of the first `count` places, and what is drawn.

    Charts of the best alone would show no point that is bad: of very many points every so many are drawn, by place.
    """
    every, metric, size = findings.places, findings.metric, len(findings.places)
    ahead = ahead_of_all(findings)
    drawn = range(size) if size <= DRAWN else [round(at * (size - 1) / (DRAWN - 1)) for at in range(DRAWN)]
    there = [*range(count), *sorted({*drawn, *ahead}.difference(range(count)))]
    at_ = {place: at for at, place in enumerate(there)}
    places = [every[at] for at in there]
    told = f" {len(drawn):,} of {size:,} points are drawn, evenly by place." if len(drawn) < size else ""
    varied = [one for one in key_axes([place.entries[0].job for place in places], keys(places), findings.command)
              if one.several]  # fmt: skip
    number = number_axis(findings, places) if metric and places else None
    seconds = measured("seconds", "seconds", [place.seconds for place in places])
    goals = [measured(goal, words(goal), [mean(place, goal) for place in places]) for goal in findings.goals]
    best = [at_[at] for at in ahead]
    data = {
        "axes": [_axis(one) for one in varied],
        "number": _axis(number) | {"larger": findings.numbers.get(metric or "", True)} if number else None,
        "wide": _axis(wide_axis(number, places)) if number else None,
        "seconds": _axis(seconds) if places else None,
        "goals": [_axis(one) | {"larger": findings.numbers[one.key]} for one in goals],
        "front": best,
        "drawn": [at_[at] for at in drawn] if len(drawn) < size else None,
        "points": [
            {"v": _round(place.value), "l": _round(place.low), "h": _round(place.high), "s": _round(place.seconds),
             "p": _round(place.p), "k": standing(there[at], place), "a": [_round(one.values[at]) for one in varied],
             "g": [_round(one.values[at]) for one in goals]}
            for at, place in enumerate(places)
        ],
    }  # fmt: skip
    return Points(told, varied, number, seconds, goals, best, data)


def number_axis(findings: Findings, places: Sequence[Place]) -> Axis:
    """The axis of the number that places are ordered by; what is far worse than most is drawn at its end."""
    assert findings.metric is not None
    made = measured(findings.metric, words(findings.metric), [place.value for place in places])
    return replace(made, within=fence(made.known, findings.numbers.get(findings.metric, True), made.place))


def wide_axis(number: Axis, places: Sequence[Place]) -> Axis:
    """The same with room for the intervals of most."""
    low, high = number.within or (min(number.known), max(number.known))
    inside = [place for place in places if low <= place.value <= high]
    lows = [place.low for place in inside if place.low is not None and (place.low > 0 or not number.log)]
    highs = [place.high for place in inside if place.high is not None]
    widths = sorted(b - a for a, b in zip(lows, highs, strict=False))
    room = max(high - low, widths[len(widths) // 2] if widths else 0.0)
    least = low if number.log else max(min([*lows, low]), low - room)
    return replace(number, within=(least, min(max([*highs, high]), high + room)))


def key_axes(jobs: Sequence[Job], names: Sequence[str], command: Sequence[str]) -> list[Axis]:
    """The axes of these keys for the jobs; the command says which of them were drawn by their logarithm."""
    given = {key.lstrip("+"): value for key, _, value in (text.partition("=") for text in command)}
    logs = {key: "log" in value.partition("interval(")[0] for key, value in given.items() if "interval(" in value}
    values = [said(job) for job in jobs]
    told, order = short(names), sorted(range(len(jobs)), key=lambda at: jobs[at].number)
    return [axis(key, told[key], [one.get(key) for one in values], logs.get(key), order) for key in names]


def standing(at: int, place: Place) -> int:
    """How a place stands to the best."""
    if at == 0:
        return BEST
    return UNSAID if place.p is None else TIED if place.ties else WORSE


def ahead_of_all(findings: Findings) -> list[int]:
    """Places of the points that none beats in all goals of a search, of those that keep to its conditions."""
    if not findings.goals:
        return []
    goals = [[None if place.breaks else mean(place, goal) for place in findings.places] for goal in findings.goals]
    return front(goals, [findings.numbers[goal] for goal in findings.goals])


def front(goals: Sequence[Sequence[float | None]], larger: Sequence[bool]) -> list[int]:
    """Which points none beats in every goal (Pareto); those without a number in each goal are left out."""
    rows = [(at, [v if up else -v for v, up in zip(row, larger, strict=True) if v is not None])
            for at, row in enumerate(zip(*goals, strict=True))]  # fmt: skip
    known = [(at, row) for at, row in rows if len(row) == len(larger)]
    kept: list[tuple[int, list[float]]] = []
    for at, row in sorted(known, key=lambda one: one[1], reverse=True):  # nothing later can beat what is kept
        rivals = kept[-1:] if len(larger) == 2 else kept  # of two goals the last one kept has the most of the second
        if not any(other != row and all(a >= b for a, b in zip(other, row, strict=True)) for _, other in rivals):
            kept.append((at, row))
    return sorted(at for at, _ in kept)


def _axis(one: Axis) -> dict[str, Any]:
    low, high = one.ends if one.known else (0.0, 1.0)
    missing = len(one.known) < len(one.values)
    return {"key": one.key, "name": one.name, "choices": len(one.choices), "log": one.log, "discrete": one.discrete,
            "low": low, "high": high, "ticks": list(one.ticks) if one.known else [], "missing": missing}  # fmt: skip


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
