"""The jobs of a sweep that are done by the number that was asked for, and what ties with the best."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.errors import ConfigError, nearest
from runner.sweep.entries import Entry, scores
from runner.sweep.paired import by_row, holm, paired, unpaired
from runner.sweep.plan import Job, rows_of, thawed, way_of
from runner.task import Way

COSTS = {"seconds": False}  # what a job took is a number as well
SAME = 0.05  # p-values from here on are ties
Ways = dict[str, Way]  # by the part of a configuration that decides them
T = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}  # Student's, 97.5 %


@dataclass(frozen=True, slots=True)
class Place:
    """A point in the order of the number that was asked for; its runs with several seeds are one point.

    Fields:
        told: what tells the point from the others.
        value: of the number, the mean over seeds.
        low, high: 95 % interval: that of the run, or Student's over the seeds.
        p: of being as good as the best, corrected for the number of comparisons (Holm); None for the best itself, and
            where nothing can be said.
        by_rows: whether that compares row by row.
        firsts: in how many seeds it is the best.
        seconds: of work, the mean over seeds.
    """

    entries: Sequence[Entry]
    told: str
    value: float
    low: float | None
    high: float | None
    n: int
    seconds: float
    p: float | None = None
    by_rows: bool = True
    firsts: int = 0

    @property
    def ties(self) -> bool:
        """Whether it may be as good as the best."""
        return self.p is not None and self.p >= SAME


def leaderboard(found: Sequence[Entry], metric: str, larger: bool) -> list[Place]:
    """The points that are done, the best first; each is compared with the best on the same rows."""
    points: dict[str, list[Entry]] = {}
    once = {entry.job.id: entry for entry in found if metric in entry.metrics}  # trials may draw the same point again
    for entry in once.values():
        points.setdefault(_without_seed(entry.job), []).append(entry)
    places = [_place(told, group, metric) for told, group in points.items()]
    places.sort(key=lambda place: (-place.value if larger else place.value, place.seconds))
    if not places:
        return []
    ways: Ways = {}
    best_rows = _rows(places[0], metric, ways)
    compared = [_compared(places[0], place, best_rows, metric, ways) for place in places[1:]]
    known = [at for at, (p, _) in enumerate(compared) if p is not None]
    corrected = dict(zip(known, holm([compared[at][0] or 0.0 for at in known]), strict=True))
    best = _firsts(points, metric, larger)
    ranked = [_with(places[0], None, True, best)]
    return ranked + [_with(place, corrected.get(at), compared[at][1], best) for at, place in enumerate(places[1:])]


def chosen_metric(found: Sequence[Entry], numbers: Mapping[str, bool], asked: str | None) -> tuple[str, bool] | None:
    """The number that the jobs are ordered by, and whether a larger one is better.

    Raises:
        ConfigError: the number asked for is none of the task's.
    """
    if asked is not None and asked not in numbers:
        raise ConfigError(f"sweep.metric  {asked} is no number of these jobs; {nearest(asked, list(numbers))}")
    if asked is not None:
        return asked, numbers[asked]
    there = {name for entry in found for name in entry.metrics}
    return next(((name, larger) for name, larger in numbers.items() if name in there), None)


def _without_seed(job: Job) -> str:
    """What tells a point from the others, whatever its seed."""
    texts = (text.lstrip("+") for text in job.differs)
    return " ".join(text for text in texts if not text.startswith("seed=")) or "as it is"


def _place(told: str, group: Sequence[Entry], metric: str) -> Place:
    values = [entry.metrics[metric] for entry in group]
    seconds = statistics.fmean(entry.seconds for entry in group)
    if len(group) == 1:
        one = values[0]
        return Place(group, told, one.value, one.low, one.high, one.n, seconds)
    mean = statistics.fmean(one.value for one in values)
    half = _student(len(group) - 1) * statistics.stdev(one.value for one in values) / len(group) ** 0.5
    return Place(group, told, mean, mean - half, mean + half, values[0].n, seconds)


def _compared(
    best: Place, other: Place, first: dict[int, float] | None, metric: str, ways: Ways
) -> tuple[float | None, bool]:
    """The p-value of the two being as good, and whether it comes from the rows, `first` being those of the best."""
    same = rows_of(best.entries[0].job) == rows_of(other.entries[0].job)
    second = _rows(other, metric, ways) if first is not None and same else None
    if first is not None and second is not None and first.keys() == second.keys():
        return paired(first, second), True
    if best.low is None or best.high is None or other.low is None or other.high is None:
        return None, False
    return unpaired((best.value, best.low, best.high), (other.value, other.low, other.high)), False


def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: a table, then the expansion in 1 / freedom (Abramowitz and Stegun 26.7.5)."""
    z = 1.959964
    return T.get(freedom, z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2))


def _rows(place: Place, metric: str, ways: Ways) -> dict[int, float] | None:
    """The parts of the rows in the number, the mean over the seeds."""
    sums: dict[int, list[float]] = {}
    for entry in place.entries:
        assert entry.directory is not None
        part = _way(entry.job, ways).parts.get(metric)
        try:
            found = by_row(dict(scores(entry.directory)), part)
        except (TypeError, ValueError):  # a damaged line: what is no number is compared with nothing
            return None
        if found is None:
            return None
        for row, value in found.items():
            sums.setdefault(row, []).append(value)
    return {row: statistics.fmean(values) for row, values in sums.items()}


def _way(job: Job, ways: Ways) -> Way:
    """How its rows were scored; most jobs share that, and building a configuration takes a tenth of a second."""
    config = job.config
    key = json.dumps(
        [config["task"], config.get("mode"), (config.get("train") or {}).get("method")], sort_keys=True, default=str
    )
    if key not in ways:
        ways[key] = way_of(thawed(config))
    return ways[key]


def _firsts(points: Mapping[str, Sequence[Entry]], metric: str, larger: bool) -> dict[str, int]:
    """In how many seeds each point is the best."""
    seeds: dict[Any, list[tuple[float, str]]] = {}
    for told, group in points.items():
        for entry in group:
            value = entry.metrics[metric].value
            seeds.setdefault(entry.job.config.get("seed"), []).append((value if larger else -value, told))
    found: dict[str, int] = {}
    for ranked in seeds.values():
        for told in {told for value, told in ranked if value == max(ranked)[0]}:
            found[told] = found.get(told, 0) + 1
    return found


def _with(place: Place, p: float | None, by_rows: bool, firsts: Mapping[str, int]) -> Place:
    return replace(place, p=p, by_rows=by_rows, firsts=firsts.get(place.told, 0))
