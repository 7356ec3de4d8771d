"""Processor threads: their number changes results in the last bits, so it is set once and recorded."""

from __future__ import annotations

import os


def choose_threads(threads: int | None) -> int:
    """Use as many threads as asked for, or as this process may use processors; returns how many."""
    import torch

    count = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(count)
    return count
