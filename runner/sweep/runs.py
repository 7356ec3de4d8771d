"""The run directories of a sweep's jobs, found by their fingerprints, and what they say of what was done before."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.files import read_json, write_json
from runner.naming import safe
from runner.record import now
from runner.sweep.options import SweepConfig
from runner.sweep.plan import Job, thawed
from runner.sweep.worker import Outcome, cost


class Comparison(threading.Thread):
    """Of the inputs of a finished run with the files of today; hashing weights may take long.

    Fields:
        taken: finished jobs of its group that are taken for done meanwhile.
        error: why they are not; "" where they are, or as long as that is not known.
    """

    def __init__(self, job: Job):
        super().__init__(daemon=True)
        self.job = job
        self.taken: list[int] = []
        self.error = ""
        self.start()

    def run(self) -> None:
        """Compare."""
        from runner.experiment import changed_inputs

        try:
            changed = changed_inputs(thawed(self.job.config))
            if changed:
                self.error = f"inputs changed since this run ({', '.join(changed)}); sweep.done=redo replaces it"
        except Exception as error:  # data or a checkpoint that is gone
            self.error = f"{type(error).__name__}: {' '.join(str(error).split())}"


@dataclass
class Runs:
    """Looks directories up without listing them once a job.

    Fields:
        since: when the sweep was begun, as status.json has times: what `sweep.done=redo` has done after that stays.
        gives_up: since when a run that was given up has been given up by this sweep, and counts as ended; None: never.
        base: where relative paths of the jobs begin.
        compares: whether inputs of finished runs are compared with those of today, of one run a group.
        redone: jobs that are done again, by their number.
    """

    options: SweepConfig
    since: str
    gives_up: str | None = None
    base: Path = Path()
    compares: bool = True
    redone: set[int] = field(default_factory=set)
    _names: dict[Path, dict[str, str]] = field(default_factory=dict)  # of the directories in a folder, by fingerprint
    _compared: dict[str, Comparison] = field(default_factory=dict)  # by group

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
        if directory is None:
            return None
        status = read_json(directory / "status.json")
        state = status.get("state") if isinstance(status, dict) else None
        if state == "done" and not self._stays(status):
            self.redone.add(job.number)
            return None
        if state == "done":
            if self.compares and job.group not in self._compared:
                self._compared[job.group] = Comparison(job)
            comparison = self._compared.get(job.group)
            if comparison is not None and comparison.error:
                return Outcome("failed", str(directory), comparison.error, fresh=False, changed=True)
            metrics = read_json(directory / "metrics.json")
            if not _are_numbers(metrics):  # a worker finds the same, and mends it
                return None
            if comparison is not None and comparison.is_alive():
                comparison.taken.append(job.number)
            return Outcome("done", str(directory), fresh=False, metrics=metrics, seconds=cost(directory))
        if state == "pruned" and self.gives_up is not None and str(status.get("ended", "")) >= self.gives_up:
            return Outcome("pruned", str(directory), str(status.get("error", "")), fresh=False)
        if state == "failed" and self.options.failed == "skip":
            return Outcome("failed", str(directory), str(status.get("error", "")), fresh=False)
        return None

    @property
    def comparing(self) -> bool:
        """Whether it is not known yet of a finished run if it is made from the files that are there now."""
        return any(one.is_alive() or (one.error and one.taken) for one in self._compared.values())

    def refused(self) -> Iterator[tuple[list[int], str]]:
        """Jobs that were taken for done and are not, for the inputs of their group have changed; once."""
        for one in self._compared.values():
            if one.error and one.taken:
                taken, one.taken = one.taken, []
                yield taken, one.error

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
        return self.base / str(job.config["output_dir"]) / (safe(job.config["task"]["name"]) or "task")

    def _stays(self, status: Mapping[str, Any]) -> bool:
        return self.options.done == "skip" or str(status.get("ended", "")) > self.since  # whole seconds


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
