"""All that is known of a sweep when its results are told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.sweep.board import Place
from runner.sweep.entries import Entry
from runner.sweep.plan import Job


@dataclass(frozen=True)
class Findings:
    """What came of a sweep.

    Fields:
        directory: of the sweep.
        facts: what sweep.json says.
        numbers: of its jobs, and whether a larger one is better.
        metric: the number that the places are ordered by; None where the jobs have none.
        entries: of all jobs in the plan.
        places: the points that are done, the best first.
    """

    directory: Path
    facts: Mapping[str, Any]
    numbers: Mapping[str, bool]
    metric: str | None
    entries: Sequence[Entry]
    places: Sequence[Place]

    @property
    def goals(self) -> list[str]:
        """The numbers that a search made best together; empty where it was one."""
        goals = self.facts.get("asked", {}).get("goals")
        known = [name for name in goals if name in self.numbers] if isinstance(goals, list) else []
        return known if len(known) > 1 else []

    @property
    def command(self) -> list[str]:
        """The overrides that the sweep was asked for by."""
        given = self.facts.get("asked", {}).get("command")
        return [str(text) for text in given] if isinstance(given, list) else []

    @property
    def work(self) -> list[float]:
        """Seconds of each run; trials that drew the same point share one."""
        return [one.seconds for one in {entry.job.id: entry for entry in self.entries}.values() if one.seconds]

    def path(self, entry: Entry) -> str | None:
        """The report of a run, or its directory where it has none, as seen from the sweep's directory."""
        if entry.directory is None:
            return None
        report = entry.directory / "report.html"
        return os.path.relpath(report if report.is_file() else entry.directory, self.directory)


def said(job: Job) -> dict[str, str]:
    """The values that tell a job from the others, by key."""
    pairs = (text.lstrip("+").partition("=") for text in job.differs)
    return {key: value for key, _, value in pairs}


def keys(places: Sequence[Place]) -> list[str]:
    """The keys that tell points from each other; the seed is none where a point has several."""
    seen = dict.fromkeys(key for place in places for key in said(place.entries[0].job))
    several = any(len(place.entries) > 1 for place in places)
    return [key for key in seen if not (several and key == "seed")]


def short(keys: Sequence[str]) -> dict[str, str]:
    """Keys without the parts that they can do without: `decode.top_p` is top_p unless another key ends so, too."""
    names = {}
    for key in keys:
        parts = key.split(".")
        tails = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        names[key] = next((t for t in tails if sum(k == t or k.endswith(f".{t}") for k in keys) == 1), key)
    return names


def drawn(value: str) -> str:
    """A number that was drawn, in four digits; the files have all of them."""
    try:
        return f"{float(value):.4g}" if len(value.partition(".")[2]) > 6 else value
    except ValueError:
        return value
