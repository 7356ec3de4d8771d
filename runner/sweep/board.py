"""The jobs of a sweep that are done by the number that was asked for, and what ties with the best."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.errors import ConfigError, nearest
from runner.sweep.conditions import broken
from runner.sweep.entries import Entry, scores
from runner.sweep.paired import NORMAL, by_row, holm, paired, student, unpaired
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
        low, high: 95 % interval: that of the run; of several seeds Student's over them, with that of the runs.
        p: of being as good as the best, corrected for the number of comparisons (Holm); None for the best itself, and
            where nothing can be said.
        by_rows: whether that compares row by row.
        firsts: in how many seeds it is the best, of so many that it shares with other points.
        seconds: of work, the mean over seeds.
        runs: that it has in the plan; those that are done are its entries.
        failed: of these.
        breaks: conditions that its numbers do not meet.
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
    shared: int = 0
    runs: int = 1
    failed: int = 0
    breaks: Sequence[str] = ()

    @property
    def ties(self) -> bool:
        """Whether it may be as good as the best."""
        return self.p is not None and self.p >= SAME


def leaderboard(found: Sequence[Entry], metric: str, larger: bool, conditions: Sequence[str] = ()) -> list[Place]:
    """The points that are done, the best first; each is compared with the best on the same rows.

    Points that failed with some of their seeds stand behind those that did not, points that break one of the
    conditions behind all.
    """
    # trials may draw the same point again
    runs = list({entry.job.id or entry.job.number: entry for entry in found}.values())
    points: dict[str, list[Entry]] = {}
    for entry in runs:
        points.setdefault(_without_seed(entry.job), []).append(entry)
    places = [_place(told, group, metric, conditions) for told, group in points.items() if _with(metric, group)]
    places.sort(key=lambda one: (bool(one.breaks), bool(one.failed), -one.value if larger else one.value, one.seconds))
    if not places:
        return []
    ways: Ways = {}
    best_rows = _rows(places[0], metric, ways)
    compared = [_compared(places[0], place, best_rows, metric, ways) for place in places[1:]]
    known = [at for at, (p, _) in enumerate(compared) if p is not None]
    corrected = dict(zip(known, holm([compared[at][0] or 0.0 for at in known]), strict=True))
    firsts, shared = _firsts(places, metric, larger)
    return [
        replace(place, p=corrected.get(at - 1), by_rows=by_rows, firsts=firsts[at], shared=shared[at])
        for at, (place, (_, by_rows)) in enumerate(zip(places, [(None, True), *compared], strict=True))
    ]


def mean(place: Place, metric: str) -> float | None:
    """A number of a point, the mean over its seeds."""
    values = [entry.metrics[metric].value for entry in place.entries if metric in entry.metrics]
    return sum(values) / len(values) if values else None


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


def _with(metric: str, group: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in group if metric in entry.metrics]


def _place(told: str, runs: Sequence[Entry], metric: str, conditions: Sequence[str]) -> Place:
    group = _with(metric, runs)
    values = [entry.metrics[metric] for entry in group]
    seconds = statistics.fmean(entry.seconds for entry in group)
    names = set.intersection(*(set(entry.metrics) for entry in group))
    numbers = {name: statistics.fmean(entry.metrics[name].value for entry in group) for name in names}
    breaks, failed = broken(conditions, numbers), sum(entry.state == "failed" for entry in runs)
    mean, low, high = numbers[metric], values[0].low, values[0].high
    if len(group) > 1:
        seeds = _student(len(group) - 1) * statistics.stdev(one.value for one in values) / len(group) ** 0.5
        known = [(one.value - one.low, one.high - one.value) for one in values
                 if one.low is not None and one.high is not None]  # fmt: skip
        below, above = (statistics.fmean(halves) for halves in zip(*known, strict=True)) if known else (0.0, 0.0)
        low, high = mean - math.hypot(seeds, below), mean + math.hypot(seeds, above)
    return Place(group, told, mean, low, high, values[0].n, seconds, runs=len(runs), failed=failed, breaks=breaks)


def _compared(
    best: Place, other: Place, first: dict[int, float] | None, metric: str, ways: Ways
) -> tuple[float | None, bool]:
    """The p-value of the two being as good, and whether it comes from the rows, `first` being those of the best."""
    if best.breaks or other.breaks or best.failed or other.failed:
        return None, False
    same = rows_of(best.entries[0].job) == rows_of(other.entries[0].job)
    second = _rows(other, metric, ways) if first is not None and same else None
    by_rows = first is not None and second is not None and first.keys() == second.keys()
    if len(best.entries) > 1 or len(other.entries) > 1:
        return _over_seeds(best, other, metric, (first, second) if by_rows else None), by_rows
    if by_rows:
        return paired(first or {}, second or {}), True
    if best.low is None or best.high is None or other.low is None or other.high is None:
        return None, False
    return unpaired((best.value, best.low, best.high), (other.value, other.low, other.high)), False


def _over_seeds(best: Place, other: Place, metric: str, rows: Any) -> float | None:
    """The p-value of two points with several seeds; None where they do not share all of them.

    What varies is the seed and the rows: both variances of the difference count. Where the seed changes anything there
    are as many degrees of freedom as seeds beyond the first.
    """
    ours, theirs = (
        {entry.job.config.get("seed"): entry.metrics[metric] for entry in one.entries} for one in (best, other)
    )
    if ours.keys() != theirs.keys() or len(ours) < 2:
        return None
    differences = [ours[seed].value - theirs[seed].value for seed in ours]
    by_seeds = statistics.variance(differences) / len(differences)
    by_rows, freedom = 0.0, math.inf
    if rows is not None:
        first, second = rows
        each = [first[row] - second[row] for row in first]
        if len(each) > 1:
            by_rows, freedom = statistics.variance(each) / len(each), len(each) - 1.0
    else:
        halves = [(one.high - one.low) / 2 / NORMAL for one in (*ours.values(), *theirs.values())
                  if one.low is not None and one.high is not None]  # fmt: skip
        by_rows = 2 * statistics.fmean(half**2 for half in halves) if halves else 0.0
    return student(statistics.fmean(differences), by_seeds + by_rows, len(differences) - 1.0 if by_seeds else freedom)


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


def _firsts(places: Sequence[Place], metric: str, larger: bool) -> tuple[list[int], list[int]]:
    """Of each point: in how many seeds it is the best, and how many it shares with another one."""
    seeds: dict[Any, list[tuple[float, int]]] = {}
    for at, place in enumerate(places):
        for entry in place.entries:
            value = entry.metrics[metric].value
            seeds.setdefault(entry.job.config.get("seed"), []).append((value if larger else -value, at))
    firsts, shared = [0] * len(places), [0] * len(places)
    for ranked in seeds.values():
        if len(ranked) > 1:
            most = max(value for value, _ in ranked)
            for value, at in ranked:
                shared[at] += 1
                firsts[at] += value == most
    return firsts, shared
