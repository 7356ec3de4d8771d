"""The results of a sweep as lines for a terminal and as tables: sweep.csv, sweep.parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.errors import visible
from runner.files import replacing
from runner.report.markup import duration, many, number, words
from runner.sweep.board import Place, mean
from runner.sweep.entries import Entry
from runner.sweep.findings import drawn, keys, said, short

SHOWN = 20  # points in a terminal; the others are in the files
WORTH_S = 1.5  # seconds of work from which on costs are compared: what a worker's first job takes besides is less
LAST = ("p", "seconds", "directory", "error")  # columns behind those that not all sweeps have


def lines(
    places: Sequence[Place], metric: str | None, found: Sequence[Entry], goals: Sequence[str] = ()
) -> Iterator[str]:
    """The leaderboard, then every failure again; `goals` are shown beside the number that places are ordered by."""
    if places and metric is not None:
        beside_it = [goal for goal in goals if goal != metric]
        rows = [_row(at, places, beside_it) for at in range(min(len(places), SHOWN))]
        yield from _table([_header(places, metric, beside_it), *rows])
        count = sum(entry.state == "done" and metric not in entry.metrics for entry in found)
        if count:
            yield f"{many(count, 'job')} done without {words(metric)}"
        if len(places) > SHOWN:
            yield f"… {len(places) - SHOWN:,} more in sweep.csv"
        yield from _cheapest(places)
    for entry in found:
        if entry.state == "failed":
            where = f" ({entry.directory})" if entry.directory else ""
            yield f"FAILED  {entry.job.told}{where}: {' '.join(entry.error.split())}"


def write(directory: Path, found: Sequence[Entry], places: Sequence[Place]) -> list[str]:
    """sweep.csv and sweep.parquet, a line a job; their names."""
    rank = {entry.job.id: (at + 1, place) for at, place in enumerate(places) for entry in place.entries}
    columns: dict[str, list[Any]] = {}
    for at, entry in enumerate(found):
        for name, value in _record(entry, *rank.get(entry.job.id, (None, None))).items():
            columns.setdefault(name, [None] * at).append(value)
        for values in columns.values():
            values += [None] * (at + 1 - len(values))
    columns = dict(sorted(columns.items(), key=lambda one: one[0] in LAST))
    with replacing(directory / "sweep.csv") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(columns)
        written.writerows(zip(*columns.values(), strict=True))
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replacing(directory / "sweep.parquet", binary=True) as file:
        pq.write_table(pa.table({name: _column(values) for name, values in columns.items()}), file)
    return ["sweep.csv", "sweep.parquet"]


def _record(entry: Entry, rank: int | None, place: Place | None) -> dict[str, Any]:
    row: dict[str, Any] = {"job": entry.job.number, "state": entry.state, "rank": rank} | said(entry.job)
    for name, one in entry.metrics.items():
        row |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high, f"{name}_n": one.n}
    row |= {"p": place.p if place else None, "seconds": entry.seconds, "directory": str(entry.directory or "")}
    return row | {"error": entry.error}


def _column(values: list[Any]) -> list[Any]:
    """Of one type, as Parquet wants it."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values] if float in kinds else values
    return values if len(kinds) <= 1 else [None if value is None else str(value) for value in values]


def _header(places: Sequence[Place], metric: str, goals: Sequence[str]) -> list[str]:
    return ["", words(metric), *map(words, goals), *short(keys(places)).values(), ""]


def _row(at: int, places: Sequence[Place], goals: Sequence[str]) -> list[str]:
    place = places[at]
    values = said(place.entries[0].job)
    interval = "" if place.low is None else f" [{number(place.low)}, {number(place.high)}]"
    told = [drawn(values.get(key, "")) for key in keys(places)]
    others = [number(mean(place, goal)) for goal in goals]
    return [f"{at + 1}", f"{number(place.value)}{interval}", *others, *told, _remark(at, places)]


def _remark(at: int, places: Sequence[Place]) -> str:
    place, best = places[at], places[0]
    parts = []
    if at and place.ties:
        cost = f", {beside(place.seconds, best.seconds)}" if min(best.seconds, place.seconds) > WORTH_S else ""
        parts.append(f"ties with 1 (p = {place.p:.2f}{'' if place.by_rows else ', unpaired'}){cost}")
    elif at and place.p is not None:
        parts.append(f"worse than 1 (p {_small(place.p)}{'' if place.by_rows else ', unpaired'})")
    if place.shared > 1:
        parts.append(f"best in {place.firsts} of {place.shared} seeds")
    if len(place.entries) < place.runs:
        parts.append(f"{len(place.entries)} of {place.runs} seeds{f', {place.failed} failed' if place.failed else ''}")
    if place.breaks:
        parts.append(f"breaks {', '.join(place.breaks)}")
    return "; ".join(parts)


def _cheapest(places: Sequence[Place]) -> Iterator[str]:
    """The one that takes least of those that may be as good as the best."""
    equal = [(at, place) for at, place in enumerate(places) if at == 0 or place.ties]
    at, least = min(equal, key=lambda one: one[1].seconds)
    if at and places[0].seconds > WORTH_S and least.seconds < 0.9 * places[0].seconds:
        yield f"{at + 1} takes {duration(least.seconds)} where 1 takes {duration(places[0].seconds)}"


def beside(seconds: float, other: float) -> str:
    """How much cheaper one is than the other."""
    share = seconds / other - 1
    return f"{abs(share):.0%} {'cheaper' if share < 0 else 'dearer'}"


def _small(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    from rich.cells import cell_len

    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
