"""Pairs of ways measured in turn within one run, and the page they are written to."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results.md"
POLL_S = 0.02  # seconds between two looks at a process
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


@dataclass(frozen=True)
class Row:
    """One line of a table of results."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None


def cpu_of(command: Sequence[str], **options: object) -> tuple[float, float, int]:
    """CPU seconds (user and system) and wall seconds of a whole process, and its exit code."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start, done.returncode


@dataclass(frozen=True)
class Spent:
    """What a command took, with every process below it; `peak_mb` is of the first process alone, resident MiB."""

    cpu_s: float
    wall_s: float
    code: int
    peak_mb: float


def spent(command: Sequence[str], log: Path | None = None, **options: object) -> Spent:
    """Run a command to the end of its last process: workers of a sweep may outlive the process that asked for them.

    Args:
        command: with its arguments.
        log: what it prints is added there; None: nowhere.
        options: of Popen.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become children of this process
    with suppress(ChildProcessError):  # orphans of an earlier command that have ended are none of this one's
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with Path(log or os.devnull).open("a") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
        peak, status = 0.0, None
        while status is None:
            peak = max(peak, peak_mb(process.pid))
            ended, found = os.waitpid(process.pid, os.WNOHANG)
            status = found if ended else None
            time.sleep(POLL_S)
    wall, process.returncode = time.perf_counter() - start, os.waitstatus_to_exitcode(status)
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(cpu, wall, process.returncode, peak)


def peak_mb(pid: int) -> float:
    """Most resident memory so far, MiB; what wait4 tells counts the process that it was forked from, too."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0  # it has just ended


def in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each way; every round runs each of them once, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds[name].append(time.process_time() - start)
            print(f"  round {number + 1} {name}: {seconds[name][-1]:.2f} s", flush=True)
    return {name: statistics.median(values) for name, values in seconds.items()}


def write(title: str, rows: Sequence[Row], rounds: int, threads: int, notes: Sequence[str] = ()) -> None:
    """Replace the section of that title in results.md."""
    import torch

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    where = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores"
    said = f"{time.strftime('%Y-%m-%d')}, commit {commit}, {where}, {threads} thread(s), {rounds} round(s), CPU time."
    lines = [f"## {title}", "", said, "", "| what | measured | goal | met |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {r.figure} | {r.goal} | {_yes(r.met)} |" for r in rows]
    lines += ["", *(f"- {note}" for note in notes)] if notes else []
    section = "\n".join(lines) + "\n"
    page = (
        RESULTS.read_text() if RESULTS.exists() else "# Results\n\nWritten by `python -m bench`. A and B run in turn.\n"
    )
    pattern = re.compile(rf"## {re.escape(title)}\n.*?(?=\n## |\Z)", re.S)
    page = pattern.sub(lambda _: section, page) if pattern.search(page) else f"{page.rstrip()}\n\n{section}"
    RESULTS.write_text(page)
    print(section, flush=True)


def _yes(met: bool | None) -> str:
    return "" if met is None else ("yes" if met else "no")
