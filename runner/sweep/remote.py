"""Workers that a launcher of Hydra's has started, told what to do through the directory of the sweep."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import RunFailed
from runner.sweep.post import POLL_S, TERMINAL, Incoming, Outgoing, address, held, is_held
from runner.sweep.workers import Worker

BARREN = 3  # launches in a row that bring no worker, until no more are tried
LEAVE_S = 20.0  # seconds that hosts have to leave


@dataclass
class Letters:
    """The line to one worker of a host.

    Fields:
        orders: to the host.
        to: whom they are for; a worker that takes the place of this one has another name.
    """

    orders: Outgoing
    to: str
    pid: int | None
    memory_mb: float = 0.0

    def send(self, order: Any) -> bool:
        """See Line."""
        self.orders.send(self.to, *(("leave",) if order is None else ("job", *order)))
        return True

    def signal(self, number: int) -> None:
        """See Line."""
        self.orders.send(self.to, "signal", int(number))


@dataclass
class Post:
    """What goes to and fro between the sweep and those that had one number.

    Fields:
        lock: held by the host while it lives.
        host: the name of the one that is there now; "" where there is none.
        here: whether it is on this machine.
        worker: of that host, once it is ready.
        letters: to that worker.
        came: whether there has been one.
        error: why a host has ended by itself.
    """

    orders: Outgoing
    told: Incoming
    lock: Path
    host: str = ""
    here: bool = False
    worker: Worker | None = None
    letters: Letters | None = None
    came: bool = False
    error: str = ""

    @classmethod
    def at(cls, folder: Path, number: int) -> Post:
        """The post of a number."""
        orders, told, lock = (folder / f"{number}.{kind}" for kind in ("orders", "told", "lock"))
        return cls(Outgoing(orders), Incoming(told), lock)

    def events(self) -> Iterator[tuple[Worker, Sequence[Any]]]:
        """What has come since; a host that is silent for long loses its job, and has another when it is heard again."""
        ended = self.here and not is_held(self.lock)  # looked at first: what it said last is read all the same
        with suppress(FileNotFoundError):  # it has not begun yet
            for host, what, *more in self.told.new():
                if what == "begun":
                    yield from self._lost("gone", None)
                    self.host, self.here, ended = host, more[0] == socket.gethostname(), False
                elif host != self.host:
                    continue
                elif what == "ready":
                    self.letters = Letters(self.orders, address(host, more[0]), more[0])
                    self.worker, self.came = Worker(self.letters, ready=True), True
                elif what in ("gone", "left"):
                    yield from self._lost(what, *more)
                elif what == "failed":
                    self.error = more[0]
                elif self.worker is None or self.letters is None:
                    continue
                elif what == "alive":
                    self.letters.memory_mb, self.worker.progress = more
                else:
                    yield self.worker, (what, *more)
        if ended:
            self.host, self.here = "", False
            yield from self._lost("gone", None)
        elif self.told.lost and self.worker is not None:
            self.worker.kill()
            yield from self._lost("gone", None)
        self.orders.beat("", "alive")

    @property
    def alive(self) -> bool:
        """Whether a host is there, as far as that is known."""
        return bool(self.host) and not self.told.lost

    def _lost(self, *told: Any) -> Iterator[tuple[Worker, Sequence[Any]]]:
        worker, self.worker = self.worker, None
        if worker is not None:
            yield worker, told


@dataclass
class Remote:
    """See Pool.

    Fields:
        folder: of the messages; it is there as long as the sweep goes on.
        launch: starts so many hosts, numbered from the second argument on, and waits until they have ended.
        hosts: at a time.
        error: what the last launch ended with.
        barren: launches in a row that have brought no worker.
    """

    folder: Path
    launch: Callable[[int, int], None]
    hosts: int
    posts: list[Post] = field(default_factory=list)
    error: str = ""
    barren: int = -1
    _thread: threading.Thread | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def workers(self) -> Sequence[Worker]:
        """See Pool."""
        return [post.worker for post in self.posts if post.worker is not None]

    def hire(self) -> None:
        """See Pool; all hosts at once, and again when all have ended: a batch system has taken its machines back."""
        if self._thread is not None and (self._thread.is_alive() or any(post.alive for post in self.posts)):
            return
        if self._thread is None:
            self.folder.mkdir()
            self._open.enter_context(held(self.folder / "lock"))
        self.barren = 0 if any(post.came for post in self.posts) else self.barren + 1
        if self.barren == BARREN:
            told = next((post.error for post in self.posts if post.error), "")
            raise RunFailed(told or f"no worker can begin: {self.error or 'the launcher has started none'}")
        first, self.posts = len(list(self.folder.glob("*.orders"))), []
        for number in range(first, first + self.hosts):
            self.posts.append(Post.at(self.folder, number))
            self.posts[-1].orders.beat("", "alive")
        self._thread = threading.Thread(target=self._launched, args=(first,), daemon=True)
        self._thread.start()

    def events(self, timeout_s: float) -> Iterator[tuple[Worker, Sequence[Any]]]:
        """See Pool."""
        until = time.monotonic() + timeout_s
        while True:
            told = False
            for post in self.posts:
                for event in post.events():
                    told = True
                    yield event
            if told or time.monotonic() >= until:
                return
            time.sleep(POLL_S)

    def close(self) -> None:
        """See Pool; hosts that still wait for their turn leave as soon as they begin."""
        for post in self.posts:
            with suppress(OSError):  # on a full disk they find it out by the lock, or by the silence
                post.orders.send("", "leave")
        until = time.monotonic() + LEAVE_S
        while self._stays and time.monotonic() < until:
            time.sleep(POLL_S)
        self._open.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _stays(self) -> bool:
        """Whether a host has not left yet, as far as that is known."""
        launching = self._thread is not None and self._thread.is_alive()
        return launching or any(post.here and is_held(post.lock) for post in self.posts)

    def _launched(self, first: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL)  # what is started from this thread inherits that
        try:
            self.launch(self.hosts, first)
            self.error = ""
        except BaseException as error:  # whatever a launcher raises; the crew finds no worker, and tells this
            self.error = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
