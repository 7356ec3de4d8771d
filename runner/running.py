"""What the steps of one run share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from runner.config import Config
from runner.data import Split
from runner.kept import Kept
from runner.manifest import Inputs
from runner.record import Record
from runner.stop import Stop
from runner.task import Task, Way
from runner.types import Following


@dataclass
class Run:
    """What the steps of one run share."""

    config: Config
    task: Task
    record: Record
    observer: Following
    stop: Stop
    splits: Mapping[str, Split]  # rows and, where weights are trained, train and validation
    kept: Kept | None = None  # what the process keeps from run to run
    inputs: Inputs = field(default_factory=lambda: Inputs({}, {}, {}))
    header: str = ""  # what runs, told first
    notes: list[str] = field(default_factory=list)
    timing: dict[str, Any] = field(default_factory=lambda: {"phases": {}})

    @property
    def way(self) -> Way:
        """How rows are answered in this run."""
        return self.task.evaluate if self.config.evaluates else self.task.predict

    @property
    def trains(self) -> bool:
        """Whether weights are trained before rows are answered."""
        return self.config.trains

    def say(self, line: str) -> None:
        """A line for the terminal and the manifest, once."""
        if line not in self.notes:
            self.notes.append(line)
            self.observer.phase(line)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, in seconds."""
        start = time.perf_counter()
        yield
        before = self.timing["phases"].get(name, 0.0)  # a trained checkpoint is loaded again
        self.timing["phases"][name] = round(before + time.perf_counter() - start, 3)


def many(count: int, noun: str) -> str:
    """The count with its noun, e.g. 1 row, 2,500 rows."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
