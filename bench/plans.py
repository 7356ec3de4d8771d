"""Sweeps of thousands of jobs: how long their plan takes, how soon the next job begins after a kill, and memory.

No thousands of jobs are run for that: one is, and the directories of the others are copies of its files.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Row, peak_mb, spent, write

MANY, FEW, HALF = 10_000, 1_000, 500  # jobs
COMMON = ("data.prompts=[春]", "decode.do_sample=true", "decode.max_new_tokens=1", "engine.threads=1",
          "hydra.launcher.n_jobs=1")  # fmt: skip
COPIED = ("status.json", "metrics.json", "predictions.jsonl", "timing.json", "manifest.json", "config.yaml",
          "overrides.txt", "log.txt")  # fmt: skip
HYDRA_MS = 41  # that Hydra takes to compose a job of the runner


def points(count: int) -> list[str]:
    """A grid of so many points, a multiple of 100."""
    return [f"decode.temperature=range(1,{1 + count // 100})", "decode.top_k=range(1,11)", "seed=range(0,10)"]


def command(count: int, outputs: Path, *more: str) -> list[str]:
    """The sweep over them."""
    return [sys.executable, "-m", "runner", "-m", *COMMON, *points(count), f"output_dir={outputs}", *more]


def environment() -> dict[str, str]:
    """One thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def composed(count: int, folder: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of a plan that is composed and listed."""
    took = spent(command(count, folder / "listed", "dry_run=true"), folder / "listed.log", env=environment())
    lines = (folder / "listed.log").read_text().splitlines()
    assert took.code == 0 and lines[-1] == f"{count:,} to do", lines[-1]
    return took.cpu_s, took.peak_mb


def finished(count: int, done: int, folder: Path) -> Path:
    """The output directory of a sweep of `count` jobs whose first `done` are done, as a kill leaves it."""
    outputs = folder / f"of-{count}-{done}"
    process = subprocess.Popen(command(count, outputs), stdout=subprocess.DEVNULL, env=environment())
    while not (ended := list(outputs.glob("causal_lm/*/status.json"))) or not _is_done(ended[0]) or not _whole(outputs):
        time.sleep(0.2)
        if process.poll() is not None:
            raise RuntimeError("the sweep has ended by itself")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(2.0)  # its workers end
    (plan,) = outputs.glob("sweeps/*/plan.jsonl")
    known = {}
    for path in outputs.glob("causal_lm/*/status.json"):
        if _is_done(path):
            known[path.parent.name[-8:]] = path.parent
        else:  # the kill came in its middle
            shutil.rmtree(path.parent)
    jobs = [json.loads(line) for line in plan.open(encoding="utf-8")][:count]
    template = known[jobs[0]["id"]]
    for number, job in enumerate(jobs):
        if number >= done and job["id"] in known:  # the sweep was faster than the kill
            shutil.rmtree(known[job["id"]])
        if number < done and job["id"] not in known:
            (copy := template.with_name(f"copy-{job['id']}")).mkdir()
            for name in COPIED:
                shutil.copyfile(template / name, copy / name)
    return outputs


def resumed(count: int, done: int, outputs: Path) -> tuple[float, float, float]:
    """Seconds from the start of the same command until the first new job begins: on the clock, CPU of the sweep.

    And the most memory that it has taken until then, MiB.
    """
    before = {path.name for path in outputs.glob("causal_lm/*")}
    start = time.perf_counter()
    with (outputs / "resumed.log").open("w") as log:
        process = subprocess.Popen(command(count, outputs), stdout=log, stderr=log, env=environment())
    while not {entry.name for entry in os.scandir(outputs / "causal_lm")} - before:
        time.sleep(0.02)
        assert process.poll() is None, "it has ended without a new job"
    wall, cpu, peak = time.perf_counter() - start, _cpu_s(process.pid), peak_mb(process.pid)
    assert process.wait() == 0
    told = (outputs / "resumed.log").read_text()
    assert f"{count:,} of {count:,} done" in told, told[-2000:]
    assert len([line for line in told.splitlines() if line.startswith("done ")]) == count - done
    return wall, cpu, peak


def shown(count: int, outputs: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of the same command when all is done: one run is compared with its inputs."""
    took = spent(command(count, outputs), outputs / "shown.log", env=environment())
    assert took.code == 0
    return took.cpu_s, took.peak_mb


def _whole(outputs: Path) -> bool:
    """Whether the plan stands."""
    return any(path.read_bytes()[-200:].rpartition(b"\n{")[2].startswith(b'"jobs"') for path in _plans(outputs))


def _plans(outputs: Path) -> Sequence[Path]:
    return list(outputs.glob("sweeps/*/plan.jsonl"))


def _is_done(status: Path) -> bool:
    return json.loads(status.read_text())["state"] == "done"


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(rounds: int, quick: bool) -> None:
    """One of each."""
    del rounds
    many, few, half = (200, 100, 50) if quick else (MANY, FEW, HALF)
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        compose_s, compose_mb = composed(many, folder)
        print(f"  composed: {compose_s:.1f} s, {compose_mb:.0f} MiB", flush=True)
        next_s, next_cpu_s, next_mb = resumed(few, half, finished(few, half, folder))
        print(f"  next job: {next_s:.1f} s", flush=True)
        outputs = finished(many, many - 1, folder)
        decided_s, decided_cpu_s, decided_mb = resumed(many, many - 1, outputs)
        print(f"  decided: {decided_s:.1f} s", flush=True)
        all_s, all_mb = shown(many, outputs)
        _, few_mb = shown(few, folder / f"of-{few}-{half}")
    each = 1000 * compose_s / many
    rows = [
        Row(f"a plan of {many:,} jobs, composed and listed", f"{compose_s:.1f} s, {each:.1f} ms a job", "< 60 s",
            compose_s < 60),
        Row("a job of it, of Hydra's composition", f"{each / HYDRA_MS:.2f} of {HYDRA_MS} ms"),
        Row(f"{many:,} jobs, all but the last done: until the last begins", f"{decided_s:.1f} s on the clock, "
            f"{decided_cpu_s:.1f} s of CPU to decide", "< 10 s", decided_s < 10),
        Row(f"{few:,} jobs killed at {half}: until the next one begins", f"{next_s:.1f} s on the clock, "
            f"{next_cpu_s:.1f} s of CPU to decide", "< 5 s", next_s < 5),
        Row(f"peak until a job begins, {many - 1:,} jobs being finished, over that with {half:,}",
            f"{decided_mb / next_mb:.2f} times ({decided_mb:.0f} MiB, {next_mb:.0f} MiB)", "<= 1.05",
            decided_mb <= 1.05 * next_mb),
        Row(f"peak with the leaderboard and its files, {many:,} jobs over {few:,}",
            f"{all_mb / few_mb:.2f} times ({all_mb:.0f} MiB, {few_mb:.0f} MiB)", "<= 1.05", all_mb <= 1.05 * few_mb),
    ]  # fmt: skip
    notes = [
        "Memory is that of the process that plans.",
        "Of the finished jobs one was run; the directories of the others hold copies of its files. "
        f"With all {many:,} done the command takes {all_s:.1f} s of CPU, the leaderboard and its files included.",
    ]
    write("Plans of many jobs", rows, 1, 1, notes)
