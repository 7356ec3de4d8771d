"""The run directories of a sweep's jobs, found by their fingerprints, and what they say of what was done before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.files import read_json, write_json
from runner.naming import safe
from runner.record import now
from runner.sweep.compared import Compared
from runner.sweep.options import SweepConfig
from runner.sweep.plan import Job
from runner.sweep.worker import Outcome, cost


@dataclass
class Runs:
    """Looks directories up without listing them once a job.

    Fields:
        since: when the sweep was begun, as status.json has times: what `sweep.done=redo` has done after that stays.
        gives_up: since when a run that was given up has been given up by this sweep, and counts as ended; None: never.
        base: where relative paths of the jobs begin.
        failures: what jobs failed with whose directory does not say so.
        compared: finished jobs, with their inputs of today; None: they are taken for done.
        redone: jobs that are done again, by their number.
    """

    options: SweepConfig
    since: str
    gives_up: str | None = None
    base: Path = Path()
    failures: Mapping[str, str] = field(default_factory=dict)
    compared: Compared | None = None
    redone: set[int] = field(default_factory=set)
    _folders: dict[tuple[str, str], Path] = field(default_factory=dict)
    _names: dict[Path, dict[str, str]] = field(default_factory=dict)  # of the directories in a folder, by fingerprint

    def directory(self, job: Job) -> Path | None:
        """Where the run of a job is, if it has been begun."""
        found = self.listed(job)
        if found is None:
            self._names[self._folder(job)] |= _by_id(self._folder(job))
            found = self.listed(job)
        return found

    def listed(self, job: Job) -> Path | None:
        """The same as the folder was listed first; what has come since belongs to a job that runs now."""
        folder = self._folder(job)
        if folder not in self._names:
            self._names[folder] = _by_id(folder)
        name = self._names[folder].get(job.id)
        return None if name is None else folder / name

    def known(self, job: Job) -> Outcome | None:
        """How a job ended that is not run again; None for one that is to be run."""
        directory = self.listed(job)
        status = read_json(directory / "status.json") if directory else None
        status = status if isinstance(status, dict) else {}
        state = status.get("state")
        if state != "done" and self.options.failed == "skip" and str(job.number) in self.failures:
            return Outcome("failed", str(directory or ""), self.failures[str(job.number)], fresh=False)
        if directory is None:
            return None
        if state == "pruned" and self.gives_up is not None and str(status.get("ended", "")) >= self.gives_up:
            return Outcome("pruned", str(directory), str(status.get("error", "")), fresh=False)
        if status and not self._stays(status):
            self.redone.add(job.number)
            return None
        if state == "done":
            metrics = read_json(directory / "metrics.json")
            if not _are_numbers(metrics):  # a worker finds the same, and mends it
                return None
            if self.compared is not None:
                folder = self._folder(job)
                self.compared.take(job, folder, self._names[folder][job.id])
            return Outcome("done", str(directory), fresh=False, metrics=metrics, seconds=cost(directory))
        if state == "failed" and self.options.failed == "skip":
            return Outcome("failed", str(directory), str(status.get("error", "")), fresh=False)
        return None

    def says_failed(self, job: Job) -> bool:
        """Whether the directory of a job says that it has failed."""
        directory = self.directory(job)
        status = read_json(directory / "status.json") if directory else None
        return isinstance(status, dict) and status.get("state") == "failed"

    def mark_failed(self, job: Job, error: str, pid: int | None) -> None:
        """A run whose process could not say how it ended has failed; `pid` is that process."""
        directory = self.directory(job)
        if directory is None:
            return
        path = directory / "status.json"
        status = read_json(path)
        status = status if isinstance(status, dict) else {}
        if status.get("state") != "done" and status.get("pid") in (pid, None):
            write_json(path, status | {"state": "failed", "ended": now(), "error": error})

    def _folder(self, job: Job) -> Path:
        """See Record."""
        key = (str(job.config["output_dir"]), str(job.config["task"]["name"]))
        if key not in self._folders:
            self._folders[key] = self.base / key[0] / (safe(key[1]) or "task")
        return self._folders[key]

    def _stays(self, status: Mapping[str, Any]) -> bool:
        """Whether a run is not begun anew; one that this redoing has begun goes on."""
        at = "ended" if status.get("state") == "done" else "started"
        return self.options.done == "skip" or str(status.get(at, "")) > self.since  # whole seconds


def _are_numbers(found: Any) -> bool:
    """Whether metrics.json is as a run writes it."""
    return isinstance(found, dict) and all(
        isinstance(one, dict) and isinstance(one.get("value"), int | float) for one in found.values()
    )


def _by_id(folder: Path) -> dict[str, str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name.rpartition("-")[2]: entry.name for entry in entries}
    except FileNotFoundError:
        return {}
