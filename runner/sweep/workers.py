"""Workers as a crew knows them, wherever they are: what they do, and how they are reached."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runner.stop import GIVE_UP
from runner.sweep.plan import Job
from runner.sweep.worker import Outcome

GRACE_S = 10.0  # seconds that a worker has to stop by itself


class Line(Protocol):
    """The line to one worker process."""

    @property
    def pid(self) -> int | None:
        """Of the process, on its machine."""

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process; 0 where that is not known."""

    def send(self, order: Any) -> bool:
        """(configuration, overrides, metric) of a job, or None for no more; False where nobody is there."""

    def signal(self, number: int) -> None:
        """Send the process a signal."""


class Pool(Protocol):
    """Worker processes, somewhere."""

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that are there, or are starting."""

    def hire(self) -> None:
        """Start what can be started; raises RunFailed where that fails again and again."""

    def events(self, timeout_s: float) -> Iterator[tuple[Worker, Sequence[Any]]]:
        """What workers told (see `serve`); waits so long for the first.

        ("gone", exit code) of those that ended, ("left",) of those whose machine is taken back.
        """

    def close(self) -> None:
        """No worker is left behind."""


@dataclass(eq=False)
class Worker:
    """One process and the job that it does.

    Fields:
        line: to the process.
        begun: when it took its job, seconds, monotonic.
        ending: when it is killed if it still lives.
        why: the reason that it was told to end for.
        progress: of its job: (what it does, done, total, note).
    """

    line: Line
    ready: bool = False
    job: Job | None = None
    group: str | None = None
    begun: float = 0.0
    ending: float | None = None
    why: str = ""
    progress: Sequence[Any] = ()
    dismissed: bool = False

    def give(self, job: Job, again: bool = False, metric: str | None = None) -> bool:
        """A job to do; False where the worker is gone.

        Args:
            job: of the plan.
            again: from the beginning, where it has been done before.
            metric: the number that is to be told while the job is under way.
        """
        if not self.line.send(({**job.config, "rerun": again}, job.overrides, metric)):
            return False
        self.job, self.group, self.begun, self.progress = job, job.group, time.monotonic(), ()
        return True

    def end(self, why: str, grace_s: float = GRACE_S) -> None:
        """Ask it to stop, and kill it where it does not; one that has been asked may have less time now."""
        moment = time.monotonic() + grace_s
        if self.ending is None:
            self.ending, self.why = moment, why
            self.line.signal(signal.SIGTERM)
        self.ending = min(self.ending, moment)

    def give_up(self) -> None:
        """Ask it to end its job where it is."""
        self.line.signal(GIVE_UP)

    def kill(self) -> None:
        """At once."""
        self.line.signal(signal.SIGKILL)

    def dismiss(self) -> None:
        """Let it go, having no job."""
        if not self.dismissed:
            self.dismissed = True
            self.line.send(None)

    def ended(self, code: int | None) -> Outcome:
        """What became of its job when its process ended with this code; None: its machine is gone."""
        if self.why:
            return Outcome("failed", error=self.why)
        if self.ending is not None:  # it was asked to stop, and did not in time
            return Outcome("stopped")
        if code is None:
            return Outcome("failed", error="its machine is gone", passing=True)
        if code < 0:
            name = signal.Signals(-code).name
            memory = " (out of memory?)" if -code == signal.SIGKILL else f" ({name})"
            return Outcome("failed", error=f"killed by signal {-code}{memory}", passing=True)
        return Outcome("failed", error=f"process ended with code {code}")
