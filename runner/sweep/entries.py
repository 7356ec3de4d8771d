"""The jobs of a sweep and how they ended, as their run directories say: what is damaged there counts as missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.files import read_json
from runner.report.lines import whole
from runner.report.markup import is_number
from runner.sweep.plan import Job
from runner.sweep.runs import Runs
from runner.sweep.worker import cost
from runner.types import Estimate


@dataclass(frozen=True, slots=True)
class Entry:
    """A job and how it ended.

    Fields:
        state: done | pruned | failed | stopped | running | new.
        seconds: of work, imports and loading left out.
    """

    job: Job
    state: str
    directory: Path | None = None
    error: str = ""
    seconds: float = 0.0
    metrics: Mapping[str, Estimate] = field(default_factory=dict)


def entries(jobs: Iterable[Job], runs: Runs, refused: Mapping[str, str]) -> Iterator[Entry]:
    """What the run directories of the jobs say, and of those whose directory does not what they failed with.

    Args:
        jobs: of the plan.
        runs: their directories, and what jobs failed with that are not done.
        refused: by number, of jobs that are done, with other inputs.
    """
    for job in jobs:
        if job.error:
            yield Entry(job, "failed", error=job.error)
            continue
        directory = runs.listed(job)
        status = read_json(directory / "status.json") if directory else None
        done, key = isinstance(status, dict) and status.get("state") == "done", str(job.number)
        error = refused.get(key) if done else runs.failures.get(key)
        if error is not None:
            yield Entry(job, "failed", directory, error=error)
            continue
        if directory is None or not isinstance(status, dict):
            yield Entry(job, "new", directory)
            continue
        metrics = _metrics(directory) if status.get("state") == "done" else {}
        seconds = _seconds(directory)
        metrics = metrics | ({"seconds": Estimate(seconds, None, None, 1)} if status.get("state") == "done" else {})
        yield Entry(job, str(status.get("state")), directory, str(status.get("error", "")), seconds, metrics)


def scores(directory: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The scores of the rows that have some, from predictions.jsonl."""
    try:
        with (directory / "predictions.jsonl").open(encoding="utf-8") as file:
            for line in file:
                values = json.loads(line)
                row, found = (values.get(name) if isinstance(values, dict) else None for name in ("row", "scores"))
                if whole(row) and isinstance(found, dict) and found:
                    yield row, found
    except (OSError, ValueError):
        return


def _metrics(directory: Path) -> dict[str, Estimate]:
    """What metrics.json says, as far as it is numbers: what is infinite or no number has no place in an order."""
    found = read_json(directory / "metrics.json")
    known = {name: _estimate(values) for name, values in found.items()} if isinstance(found, dict) else {}
    return {name: one for name, one in known.items() if one is not None}


def _estimate(values: Any) -> Estimate | None:
    if not isinstance(values, dict) or not is_number(values.get("value")):
        return None
    low, high = values.get("low"), values.get("high")
    if not (is_number(low) and is_number(high)):
        low = high = None
    return Estimate(values["value"], low, high, int(values["n"]) if is_number(values.get("n")) else 0)


def _seconds(directory: Path) -> float:
    """Of a run's work; 0 where its file is damaged."""
    try:
        seconds = cost(directory)
    except (AttributeError, TypeError, ValueError):
        return 0.0
    return seconds if is_number(seconds) else 0.0
