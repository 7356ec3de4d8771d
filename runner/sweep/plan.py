"""The frozen plan of a sweep: each job as it was composed, a line each, in a file that only grows.

A line has what differs from the line before it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any

from runner.config import Config, freeze, plain
from runner.errors import RecordError
from runner.files import naming, replacing
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
        self.faulty = False  # whether there are jobs that cannot be run
        self._last: Job | None = None  # that was written or read
        self._file: Any = None

    def __iter__(self) -> Iterator[Job]:
        """The jobs that stand in the file.

        Raises:
            RecordError: the file holds something else than a plan.
        """
        return (job for _, job in self._lines() if job is not None)

    def mend(self) -> None:
        """Count what is there, and cut off the torn line that a kill may have left at the end.

        Raises:
            RecordError: the file holds something else than a plan.
        """
        whole = 0
        for end, job in self._lines():
            whole, self.complete = end, job is None
            if job is not None:
                self._counted(job)
        if self.writes and self.path.exists():
            os.truncate(self.path, whole)

    def amend(self, again: Callable[[Job], Job]) -> None:
        """Write the plan anew with what `again` makes of each of its jobs, where some could not be run."""
        if not (self.faulty and self.writes):
            return
        before = None
        with replacing(self.path) as file:
            for job in map(again, self):
                file.write(_line(_told(job, before)))
                self._counted(job)
                before = job
            if self.complete:
                file.write(_line({"jobs": self.size, "points": self.points}))

    def append(self, job: Job) -> None:
        """One more job."""
        self._write(_told(job, self._last))
        self.points = job.point + 1
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
        self.size = job.number + 1
        self.ids.add(job.id)
        self.faulty = self.faulty or bool(job.error)
        self._last = job

    def _lines(self) -> Iterator[tuple[int, Job | None]]:
        """Of each whole line its end in bytes, and its job; None where it says that there are no more."""
        if not self.path.exists():
            return
        end, before = 0, None
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    return
                try:
                    values = json.loads(line)
                    job = None if "jobs" in values else _read(values, before)
                    self.points = values["points"] if job is None else job.point + 1
                except (ValueError, TypeError, KeyError, AttributeError) as error:
                    raise RecordError(f"{self.path} is damaged at line {number + 1}: move it away") from error
                end, before = end + len(line), job or before
                yield end, job

    def _write(self, values: Mapping[str, Any]) -> None:
        if not self.writes:
            return
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        with naming(self.path):
            self._file.write(_line(values))
            self._file.flush()  # the file system keeps the order; a job is synced with its own directory


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"


def _told(job: Job, before: Job | None) -> dict[str, Any]:
    """A job as a line: the sections that the one before has as well are named only. 1 and true are equal, not same."""
    known = {} if before is None else before.config
    same = [name for name, one in job.config.items() if name in known and repr(known[name]) == repr(one)]
    rest = {name: one for name, one in job.config.items() if name not in same}
    values = {**vars(job), "config": rest, "same": same}
    if before is not None and before.group == job.group:
        del values["group"]
    return values


def _read(values: dict[str, Any], before: Job | None) -> Job:
    """The job of a line. It holds the very sections of the one before: a plan may have many jobs."""
    texts = {name: list(map(intern, values[name])) for name in ("overrides", "differs")}
    known = {} if before is None else vars(before)
    same = {name: known["config"][name] for name in values.pop("same", ())}
    group = values["group"] if "group" in values else known["group"]
    return Job(**{**values, **texts, "config": same | values["config"], "group": group})
