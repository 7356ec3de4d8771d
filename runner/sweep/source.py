"""Where the jobs of a sweep come from: a list that is known, or a search that learns from those before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runner.sweep.plan import Job
from runner.sweep.worker import Outcome


class Source(Protocol):
    """Gives jobs one by one, and is told what came of them."""

    @property
    def total(self) -> int:
        """Jobs that there will be, as far as that is known."""

    @property
    def eager(self) -> bool:
        """Whether jobs may be asked for before a worker is free for them."""

    def next(self) -> Job | None:
        """The next job; None when there are no more."""

    def reported(self, job: Job, report: Mapping[str, Any]) -> bool:
        """What a job has reached so far; whether it is not worth going on with."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """A job has ended."""


@dataclass
class Listed:
    """Jobs that are known beforehand."""

    jobs: Iterator[Job]
    total: int
    eager: bool = True
    given: int = 0

    def next(self) -> Job | None:
        """See Source; points that came to the same job are no longer counted once all are known."""
        job = next(self.jobs, None)
        if job is None:
            self.total = self.given
        else:
            self.given += 1
        return job

    def reported(self, job: Job, report: Mapping[str, Any]) -> bool:
        """Each is done to its end."""
        return False

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Nothing is learnt from it."""
