"""Sweeps that nobody has run: jobs with numbers, run directories with what a test puts there."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from runner.sweep.board import leaderboard
from runner.sweep.entries import Entry
from runner.sweep.findings import Findings
from runner.sweep.plan import Job
from runner.types import Estimate

CONFIG = {"data": {"path": "a"}, "task": {"name": "poems"}, "checkpoint": {"name_or_path": "some/gpt"}}


class Invented:
    """A sweep in a directory; jobs are added one by one."""

    def __init__(self, home: Path, metric: str | None = "accuracy", larger: bool = True, **asked):
        self.directory = home / "outputs" / "sweeps" / "one"
        self.directory.mkdir(parents=True)
        self.metric, self.larger = metric, larger
        self.facts = {"asked": {"command": ["x=1,2"], **asked}, "state": "done", "began": "2026-01-02T03:04:05+00:00"}
        self.entries: list[Entry] = []

    def job(self, said, value=None, state="done", seed=0, seconds=1.0, correct=(), error="", width=0.05, **numbers):
        """One more job; `said` are its own overrides."""
        number = len(self.entries)
        folder = self.directory.parent.parent / "poems" / f"run-{number}"
        folder.mkdir(parents=True)
        lines = [json.dumps({"row": row, "scores": {"correct": one}}) for row, one in enumerate(correct)]
        (folder / "predictions.jsonl").write_text("".join(f"{line}\n" for line in lines))
        job = Job(number, number, f"id{number}", [*said, "y=0"], list(said), "", CONFIG | {"seed": seed})
        metrics = {name: Estimate(one, None, None, 20) for name, one in numbers.items()}
        if value is not None:
            metrics |= {self.metric: Estimate(value, value - width, value + width, 20)}
        metrics |= {"seconds": Estimate(seconds, None, None, 1)}
        self.entries.append(Entry(job, state, folder, error, seconds, metrics if state == "done" else {}))
        return folder

    def findings(self) -> Findings:
        """What came of it."""
        numbers = {self.metric or "accuracy": self.larger, "seconds": False}
        way = SimpleNamespace(parts={self.metric: "correct"})
        with patch("runner.sweep.board.thawed"), patch("runner.sweep.board.way_of", return_value=way):
            places = leaderboard(self.entries, self.metric, self.larger) if self.metric else []
        return Findings(self.directory, self.facts, numbers, self.metric, self.entries, places)
