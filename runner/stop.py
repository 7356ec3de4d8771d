"""Requests to stop: SIGINT and SIGTERM set a flag that the work looks at between batches."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from runner.errors import Pruned, Stopped

GIVE_UP = signal.SIGUSR1  # from a search, to a worker that ignores it between its jobs
TWICE_S = 0.3  # seconds in which a second signal to a worker is the same request, sent by its parent, too
GRACE_S = 2.0  # how long rows that are being answered may take after a request to stop


class Stop:
    """Whether a stop was asked for, and by which signal; a second request ends the work at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.asked = 0.0  # seconds, monotonic

    @property
    def overdue(self) -> bool:
        """Whether what is under way is not waited for any longer; what a search has given up, not at all."""
        return bool(self) and (self.for_good or time.monotonic() - self.asked > GRACE_S)

    @property
    def for_good(self) -> bool:
        """Whether a search gave the run up: what it was at is not kept to be gone on with."""
        return self.signal == GIVE_UP

    def __bool__(self) -> bool:
        return self.signal is not None

    def error(self, where: str) -> Stopped:
        """What a run ends with that stops there."""
        if self.for_good:
            return Pruned(f"given up {where}")
        return Stopped(f"stopped {where}", self.interrupted)

    @property
    def interrupted(self) -> bool:
        """Whether it was Ctrl-C."""
        return self.signal == signal.SIGINT


@contextmanager
def stop_on_signals(stop: Stop, say: Callable[[str], None]) -> Iterator[Stop]:
    """Own handlers for SIGINT and SIGTERM while the work runs, also where they were ignored (nohup, &).

    SIGHUP, when a terminal is closed, is a request too, unless it is ignored (nohup); SIGUSR1 where it is ignored, as
    workers do.
    Outside the main thread nothing can be handled and nothing is changed.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        again = bool(stop) and stop.signal != GIVE_UP
        if again and (number == GIVE_UP or (GIVE_UP in asking and time.monotonic() - stop.asked < TWICE_S)):
            return
        if again:
            raise KeyboardInterrupt
        stop.signal, stop.asked = number, time.monotonic()
        if number != GIVE_UP:
            say("stopping after this batch (again to stop now)")

    asking = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        asking.append(signal.SIGHUP)
    if signal.getsignal(GIVE_UP) == signal.SIG_IGN:
        asking.append(GIVE_UP)
    try:
        before = {number: signal.signal(number, ask) for number in asking}
    except ValueError:
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
