"""Worker processes of this machine: started from a server that has imported everything once, watched, replaced."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

from runner.errors import RunFailed
from runner.sweep.worker import Seat, serve
from runner.sweep.workers import Worker

SAFE = "PYTHONSAFEPATH"
PRELOADED = ("runner.sweep.preload",)  # imported once, by the server that workers are forked from
STILLBORN = 3  # workers in a row that end before they are ready, until no more are started


@dataclass
class Pipe:
    """The line to a child process.

    Fields:
        life: the child ends when this is closed.
    """

    process: Any
    pipe: Connection
    life: Connection

    @property
    def pid(self) -> int | None:
        """See Line."""
        found: int | None = self.process.pid
        return found

    @property
    def memory_mb(self) -> float:
        """See Line."""
        try:
            with open(f"/proc/{self.process.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        except (OSError, ValueError, IndexError):
            return 0.0

    def send(self, order: Any) -> bool:
        """See Line."""
        try:
            self.pipe.send(order)
        except OSError:
            return False
        return True

    def signal(self, number: int) -> None:
        """See Line."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, number)


@dataclass
class Local:
    """See Pool.

    Fields:
        log: where what workers print goes.
        threads: processor threads of each job that does not say how many.
        stillborn: workers in a row that ended before they were ready.
    """

    log: Path
    threads: int | None = None
    lines: dict[int, tuple[Pipe, Worker]] = field(default_factory=dict)  # by their sentinel
    stillborn: int = 0
    _context: Any = None

    @property
    def workers(self) -> Sequence[Worker]:
        """See Pool."""
        return [worker for _, worker in self.lines.values()]

    def hire(self) -> None:
        """See Pool; one more worker, which tells when it is ready."""
        if self.stillborn >= STILLBORN:
            raise RunFailed(f"no worker can begin: {self._last_words()}")
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
        line = Pipe(process, ours, life)
        self.lines[process.sentinel] = line, Worker(line)

    def events(self, timeout_s: float) -> Iterator[tuple[Worker, Sequence[Any]]]:
        """See Pool."""
        known: dict[Any, int] = {line.pipe: sentinel for sentinel, (line, _) in self.lines.items()}
        told = wait([*known, *self.lines], timeout_s)
        for one in sorted(told, key=lambda found: isinstance(found, int)):  # what was told before it ended comes first
            if one in known:
                yield from self._told(known[one], all_=False)
            elif isinstance(one, int):
                yield from self._told(one, all_=True)
                line, worker = self.lines.pop(one)
                self.stillborn = 0 if worker.ready or worker.ending is not None else self.stillborn + 1
                yield worker, ("gone", line.process.exitcode)

    def close(self) -> None:
        """See Pool."""
        for line, _ in self.lines.values():
            line.life.close()
        for line, _ in self.lines.values():
            line.process.join(1.0)
            if line.process.is_alive():
                line.process.kill()
                line.process.join()
        self.lines = {}

    def _told(self, sentinel: int, all_: bool) -> Iterator[tuple[Worker, Sequence[Any]]]:
        """The next thing that a worker told, or all that is left."""
        line, worker = self.lines[sentinel]
        with suppress(EOFError, OSError):  # its sentinel says so, too
            while line.pipe.poll():
                told = line.pipe.recv()
                worker.ready = True
                if told[0] != "ready":
                    yield worker, told
                if not all_:
                    return

    def _last_words(self) -> str:
        """The last line that a worker has printed."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError as error:
            return str(error)
        return lines[-1] if lines else "it has said nothing"


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
