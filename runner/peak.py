"""The most memory that this process has held, in a process that does one run after another too."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

RESET = "5"  # written to clear_refs: the kernel counts the peak anew (proc(5))


def forget_peak() -> None:
    """What comes before a run does not count as its own, where the system allows that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET)


def peak_mb() -> float:
    """Resident memory at its peak, in MiB, since it was forgotten last."""
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()):
            return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
