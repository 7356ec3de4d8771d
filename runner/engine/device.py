"""Processor threads: their number changes results in the last bits, so it is set once and recorded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SMALL = 50_000_000  # parameters: a step of a smaller network is too short to be shared among threads


def choose_threads(threads: int | None, small: bool = False) -> int:
    """Use as many threads as asked for, by the configuration or OMP_NUM_THREADS; returns how many.

    Else one where all work is `small`, for waiting at its barriers costs more than other threads bring, above all
    beside other work; else as many as this process may use processors.
    """
    import torch

    given = os.environ.get("OMP_NUM_THREADS", "")
    count = threads or (int(given) if given.isdecimal() else 0) or (1 if small else len(os.sched_getaffinity(0)))
    torch.set_num_threads(count)
    return count


@contextmanager
def threads_as_before() -> Iterator[None]:
    """Leave the number of threads to whoever had set it, in a process that has other work."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else None
    try:
        yield
    finally:
        if torch is not None and before is not None:
            torch.set_num_threads(before)
