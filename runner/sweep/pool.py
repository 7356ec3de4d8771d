"""Worker processes: started from a server that has imported everything once, watched, ended, replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

from runner.stop import GIVE_UP
from runner.sweep.plan import Job
from runner.sweep.worker import Outcome, Seat, serve

SAFE = "PYTHONSAFEPATH"
PRELOADED = ("runner.sweep.preload",)  # imported once, by the server that workers are forked from
GRACE_S = 10.0  # seconds that a worker has to stop by itself


@dataclass
class Worker:
    """One process and the job that it does.

    Fields:
        begun: when it took its job, seconds, monotonic.
        ending: when it is killed if it still lives.
        why: the reason that it was told to end for.
    """

    process: Any
    pipe: Connection
    life: Connection
    ready: bool = False
    job: Job | None = None
    group: str | None = None
    begun: float = 0.0
    ending: float | None = None
    why: str = ""
    progress: tuple[Any, ...] = ()

    def give(self, job: Job, again: bool = False, metric: str | None = None) -> bool:
        """A job to do; False where the worker is gone.

        Args:
            job: of the plan.
            again: from the beginning, where it has been done before.
            metric: the number that is to be told while the job is under way.
        """
        try:
            self.pipe.send(({**job.config, "rerun": again}, job.overrides, metric))
        except OSError:
            return False
        self.job, self.group, self.begun, self.progress = job, job.group, time.monotonic(), ()
        return True

    def end(self, why: str, grace_s: float = GRACE_S) -> None:
        """Ask it to stop, and kill it where it does not."""
        if self.ending is None:
            self.ending, self.why = time.monotonic() + grace_s, why
            self._signal(signal.SIGTERM)

    def give_up(self) -> None:
        """Ask it to end its job where it is."""
        self._signal(GIVE_UP)

    def kill(self) -> None:
        """At once."""
        self._signal(signal.SIGKILL)

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        try:
            with open(f"/proc/{self.process.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        except (OSError, ValueError, IndexError):
            return 0.0

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)


@dataclass
class Pool:
    """So many workers.

    Fields:
        log: what their libraries print.
        threads: of each; None: as many as there are.
    """

    log: Path
    threads: int | None = None
    workers: list[Worker] = field(default_factory=list)
    _context: Any = None

    def hire(self) -> Worker:
        """One more worker."""
        if self._context is None:
            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload(list(PRELOADED))
            with _safe_path():
                ensure_running()
        ours, theirs = self._context.Pipe()
        watched, life = self._context.Pipe(duplex=False)
        seat = Seat(str(self.log.absolute()), self.threads)
        process = self._context.Process(target=serve, args=(theirs, watched, seat))
        process.start()
        theirs.close()
        watched.close()
        self.workers.append(Worker(process, ours, life))
        return self.workers[-1]

    def events(self, timeout_s: float) -> Iterator[tuple[Worker, Any]]:
        """What workers told, or None where one has ended; waits so long for the first."""
        known: dict[Any, Worker] = {}
        for worker in self.workers:
            known[worker.pipe] = known[worker.process.sentinel] = worker
        told = wait(list(known), timeout_s)
        for one in sorted(told, key=lambda found: isinstance(found, int)):  # what was told before it ended comes first
            worker = known[one]
            if worker not in self.workers:
                continue
            if isinstance(one, int):
                yield from self._rest(worker)
                self.workers.remove(worker)
                yield worker, None
            else:
                with suppress(EOFError, OSError):  # its sentinel says so, too
                    yield worker, worker.pipe.recv()

    def last_words(self) -> str:
        """The last line that a worker has printed."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError as error:
            return str(error)
        return lines[-1] if lines else "it has said nothing"

    def dismiss(self, worker: Worker) -> None:
        """Let a worker without a job go."""
        with suppress(OSError):
            worker.pipe.send(None)

    def close(self) -> None:
        """No worker is left behind."""
        for worker in self.workers:
            worker.life.close()
        for worker in self.workers:
            worker.process.join(1.0)
            if worker.process.is_alive():
                worker.kill()
                worker.process.join()
        self.workers = []

    def _rest(self, worker: Worker) -> Iterator[tuple[Worker, Any]]:
        while True:
            try:
                if not worker.pipe.poll():
                    return
                yield worker, worker.pipe.recv()
            except (EOFError, OSError):
                return


def ended(worker: Worker) -> Outcome:
    """What became of the job of a worker that has ended by itself."""
    code = worker.process.exitcode
    if worker.why:
        return Outcome("failed", error=worker.why)
    if worker.ending is not None:  # it was asked to stop, and did not in time
        return Outcome("stopped")
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        memory = " (out of memory?)" if -code == signal.SIGKILL else f" ({name})"
        return Outcome("failed", error=f"killed by signal {-code}{memory}", passing=True)
    return Outcome("failed", error=f"process ended with code {code}")


@contextmanager
def _safe_path() -> Iterator[None]:
    """A Python that is started within it does not import what lies in the working directory."""
    before = os.environ.get(SAFE)
    os.environ[SAFE] = "1"
    try:
        yield
    finally:
        os.environ.pop(SAFE)
        if before is not None:
            os.environ[SAFE] = before


def fair_threads(workers: int) -> int | None:
    """Processor threads of each of so many workers; None: one worker may use all."""
    if workers <= 1:
        return None
    return max(1, len(os.sched_getaffinity(0)) // workers)
