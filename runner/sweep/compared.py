"""Whether finished runs are made from the files that are there now: what they came to is of these, or of others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from runner.sweep.plan import Job, thawed

if TYPE_CHECKING:
    from runner.manifest import Inputs

AT_ONCE = 2_000  # manifests that are read before something else is looked at


class Compared:
    """Finished jobs that are taken for done until it is known what their inputs are today.

    Those of a group share a checkpoint and data, which are hashed once, by a thread: that may take long. A file that
    has come or gone is seen at the first run of a group; what belongs to one job alone, as a rule or a checkpoint that
    drafts, at those that share it with the first.

    Fields:
        trouble: why inputs of groups are not known; told as they become known.
    """

    def __init__(self, remedy: str) -> None:
        self.remedy = remedy
        self.trouble: list[str] = []
        self._asked: SimpleQueue[Job] = SimpleQueue()
        self._known: dict[str, Inputs | None] = {}  # by group; None where they cannot be known
        self._first: dict[str, int] = {}  # by group
        self._taken: dict[str, list[tuple[int, Path, str]]] = {}  # by group: number, folder, name of the directory
        self._thread: threading.Thread | None = None

    def take(self, job: Job, folder: Path, name: str) -> None:
        """A finished job and its directory."""
        if job.group not in self._first:
            self._first[job.group] = job.number
            self._asked.put(job)
        self._taken.setdefault(job.group, []).append((job.number, folder, name))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()

    @property
    def waiting(self) -> bool:
        """Whether there are jobs of which it is not known yet."""
        return any(self._taken.values())

    def refused(self) -> Iterator[tuple[int, str]]:
        """Jobs that are not done, and why; each once, some at a time."""
        for group, taken in self._taken.items():
            if group in self._known and taken:
                some, self._taken[group] = taken[:AT_ONCE], taken[AT_ONCE:]
                if (now := self._known[group]) is not None:
                    yield from self._changed(some, now, self._first[group])
                return

    def _changed(self, jobs: list[tuple[int, Path, str]], now: Inputs, first: int) -> Iterator[tuple[int, str]]:
        from runner.manifest import read_manifest

        digests = [digest.encode() for digest in (*now.checkpoint.values(), *now.data.values(), *now.code.values())]
        for number, folder, name in jobs:
            if number != first and _holds(folder / name / "manifest.json", digests):
                continue
            known = read_manifest(folder / name)
            if known and (changed := now.changed(known, shared=number != first)):
                yield number, f"inputs changed since this run ({', '.join(changed)}); {self.remedy}"

    def _work(self) -> None:
        from runner.experiment import inputs_of
        from runner.secret import redacted

        while True:
            job = self._asked.get()
            try:
                found = inputs_of(thawed(job.config))
            except Exception as error:  # no network, a file that is gone: that makes no number another
                told = redacted(f"{type(error).__name__}: {' '.join(str(error).split())}")
                self.trouble.append(f"not compared with its inputs: {job.told}: {told}")
                self._known[job.group] = None
            else:
                self._known[job.group] = found


def _holds(path: Path, digests: list[bytes]) -> bool:
    """Whether a manifest has all of them: reading it takes a third of the time."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return all(digest in text for digest in digests)
