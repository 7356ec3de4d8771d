"""Processes below another one, and whether they live."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def below(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    found: list[int] = []
    parents = {pid}
    lines = subprocess.check_output(["ps", "-eo", "pid,ppid"], text=True).splitlines()[1:]
    pairs = [tuple(map(int, line.split())) for line in lines]
    while further := [one for one, parent in pairs if parent in parents and one not in found]:
        found += further
        parents = set(further)
    return found


def alive(pids: list[int]) -> list[int]:
    """Those that have not ended."""
    return [pid for pid in pids if state(pid) != "Z"]


def state(pid: int) -> str:
    """As ps says it; Z for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def command(pid: int) -> str:
    """What a process was started by."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def until(condition: Callable[[], T], seconds: float = 240.0) -> T:
    """What the condition comes to, once it comes to something."""
    begun = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - begun < seconds, "it has not come"
        time.sleep(0.05)
    return found
