"""The frozen plan of a sweep: each job as it was composed, a line each, in a file that only grows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any

from runner.config import Config, freeze, plain
from runner.errors import RecordError
from runner.files import naming
from runner.fingerprint import fingerprint
from runner.task import Task, Way

FILE = "plan.jsonl"


@dataclass(frozen=True)
class Job:
    """One job as it will be run, whatever becomes of the YAML files that it was composed from.

    Fields:
        number: its place in the plan, from 0.
        point: its place in the grid; points that come to the same job are one.
        id: the fingerprint of its configuration, which its run directory ends in.
        overrides: what it was asked for by.
        differs: the overrides that not all jobs have.
        group: jobs of a group share a loaded checkpoint and data.
        config: all options, resolved.
        error: why it cannot be run; the others can.
    """

    number: int
    point: int
    id: str
    overrides: list[str]
    differs: list[str]
    group: str
    config: Mapping[str, Any]
    error: str = ""

    @classmethod
    def of(cls, number: int, point: int, config: Config, overrides: list[str], differs: list[str]) -> Job:
        """A job of a checked configuration."""
        return cls(number, point, fingerprint(config), overrides, differs, group(config), plain(config))

    @property
    def told(self) -> str:
        """What tells it from the others."""
        return " ".join(text.lstrip("+") for text in self.differs) or " ".join(self.overrides) or "as it is"


def thawed(values: Mapping[str, Any]) -> Config:
    """The configuration that plain values say."""
    from omegaconf import OmegaConf

    return freeze(OmegaConf.merge(OmegaConf.structured(Config), values))  # type: ignore[arg-type]


def way_of(config: Config) -> Way:
    """How its rows are answered and scored."""
    task = Task.build(config.task)
    return task.evaluate if config.evaluates else task.predict


def rows_of(job: Job) -> dict[str, Any]:
    """Where its rows come from: those of two jobs are compared one by one where that is the same."""
    data = job.config["data"]
    return {name: data.get(name) for name in ("path", "prompts", "name", "revision", "split", "limit", "columns")}


def group(config: Config) -> str:
    """What a worker keeps from one job to the next: jobs with the same text share it. Training shares nothing."""
    parts = (plain(config.checkpoint), plain(config.data), config.task.auto_class, plain(config.engine))
    return json.dumps([config.trains, *parts], sort_keys=True, default=str)


class Plan:
    """plan.jsonl in the directory of a sweep. A torn last line is cut off; lines before it never change.

    Args:
        directory: of the sweep.
        writes: whether jobs that are appended are written.
    """

    def __init__(self, directory: Path, writes: bool = True):
        self.writes = writes
        self.path = directory / FILE
        self.size = 0  # jobs
        self.points = 0  # of the grid that they came from, as far as they have been composed
        self.ids: set[str] = set()
        self.complete = False
        self._file: Any = None

    def __iter__(self) -> Iterator[Job]:
        """The jobs that stand in the file."""
        if not self.path.exists():
            return
        before: Mapping[str, Any] = {}
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    return
                values = json.loads(line)
                if "number" in values:
                    before = _shared(values["config"], before)
                    for name in ("overrides", "differs"):
                        values[name] = list(map(intern, values[name]))
                    yield Job(**{**values, "config": before, "group": intern(values["group"])})

    def mend(self) -> None:
        """Count what is there, without the torn line that a kill may have left at the end.

        Raises:
            RecordError: the file holds something else than a plan.
        """
        end = 0
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    values = json.loads(line)
                    self.complete = "jobs" in values
                    if not self.complete:
                        self._counted(Job(**values))
                except (ValueError, TypeError) as error:
                    raise RecordError(f"{self.path} is damaged at line {self.size + 1}: move it away") from error
                end += len(line)
        os.truncate(self.path, end)

    def append(self, job: Job) -> None:
        """One more job."""
        self._write(vars(job))
        self._counted(job)

    def end(self, points: int) -> None:
        """Say that there are no more; `points` counts those too that were the same as others."""
        self._write({"jobs": self.size, "points": points})
        self.complete = True
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with naming(self.path):
                self._file.flush()
                os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _counted(self, job: Job) -> None:
        self.size, self.points = job.number + 1, job.point + 1
        self.ids.add(job.id)

    def _write(self, values: Mapping[str, Any]) -> None:
        if not self.writes:
            return
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        with naming(self.path):
            self._file.write(json.dumps(values, ensure_ascii=False) + "\n")
            self._file.flush()  # the file system keeps the order; a job is synced with its own directory


def _shared(config: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that holds the very sections of the one before where they are equal: a plan may have many jobs.

    1 and true are equal, but not the same.
    """
    return {name: before[name] if repr(before.get(name)) == repr(one) and name in before else one
            for name, one in config.items()}  # fmt: skip
