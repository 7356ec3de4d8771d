"""Worker processes of this machine: started from a server that has imported everything once, watched, replaced."""

from __future__ import annotations

import multiprocessing
import os
import threading
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


@dataclass(eq=False)
class Pipe:
    """The line to a child process.

    Fields:
        life: the child ends when this is closed.
        theirs: the child's ends of both.
        begun: whether the server has answered; it does not while it imports.
        error: what it answered with, if it has ended.
    """

    process: Any
    pipe: Connection
    life: Connection
    theirs: Sequence[Connection]
    begun: bool = False
    error: Exception | None = None

    def begin(self) -> None:
        """Start the child, in a thread: that may take as long as the server's imports."""
        try:
            self.process.start()
        except Exception as error:  # whatever a server that ends leaves behind; its log says why
            self.error = error
        for end in self.theirs:
            end.close()
        self.begun = True

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
        if self.process.pid is not None:
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
    lines: list[tuple[Pipe, Worker]] = field(default_factory=list)
    stillborn: int = 0

    @property
    def workers(self) -> Sequence[Worker]:
        """See Pool."""
        return [worker for _, worker in self.lines]

    def hire(self) -> None:
        """See Pool; one more worker, which tells when it is ready."""
        if self.stillborn >= STILLBORN:
            raise RunFailed(f"no worker can begin: {self._last_words()}")
        context = start_server()
        ours, theirs = context.Pipe()
        watched, life = context.Pipe(duplex=False)
        seat = Seat(str(self.log.absolute()), self.threads)
        process = context.Process(target=serve, args=(theirs, watched, seat))
        line = Pipe(process, ours, life, (theirs, watched))
        self.lines.append((line, Worker(line)))
        threading.Thread(target=line.begin, daemon=True).start()

    def events(self, timeout_s: float) -> Iterator[tuple[Worker, Sequence[Any]]]:
        """See Pool."""
        there = [(line, worker) for line, worker in self.lines if line.begun and line.error is None]
        told = set(wait([one for line, _ in there for one in (line.pipe, line.process.sentinel)], timeout_s))
        for line, worker in there:
            ended = line.process.sentinel in told
            if ended or line.pipe in told:
                yield from self._told(line, worker, all_=ended)  # what was told before it ended comes first
            if ended:
                yield from self._gone(line, worker, line.process.exitcode)
        for line, worker in [pair for pair in self.lines if pair[0].error is not None]:
            yield from self._gone(line, worker, 1)

    def close(self) -> None:
        """See Pool; a worker that has not begun yet ends as it begins."""
        for line, _ in self.lines:
            line.life.close()
        for line, _ in self.lines:
            if line.process.pid is not None:
                line.process.join(1.0)
                if line.process.is_alive():
                    line.process.kill()
                    line.process.join()
        self.lines = []

    def _gone(self, line: Pipe, worker: Worker, code: int) -> Iterator[tuple[Worker, Sequence[Any]]]:
        self.lines.remove((line, worker))
        self.stillborn = 0 if worker.ready or worker.ending is not None else self.stillborn + 1
        yield worker, ("gone", code)

    def _told(self, line: Pipe, worker: Worker, all_: bool) -> Iterator[tuple[Worker, Sequence[Any]]]:
        """The next thing that a worker told, or all that is left."""
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


def start_server() -> Any:
    """The context of processes that come from the server; it runs from the first call on, and imports by itself."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    with _safe_path():
        ensure_running()
    return context


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
