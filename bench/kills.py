"""Sweeps that are killed at random moments and started again until they are done, beside one that nobody kills.

An hour and more. BENCH_KILLS keeps what has been done: the same command goes on with the next sweep.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, write
from bench.sweeps import answers

OUTPUTS = Path(os.environ.get("BENCH_KILLS", "../kills"))  # outside of the repository
SWEEPS, KILLS, JOBS, ROWS = 50, 3, 24, 24
TARGETS = ("parent", "worker", "group")
EARLY, EARLY_S = 0.25, 8.0  # share of the kills that come within so many seconds, while libraries are imported
LATE_S = 0.5  # seconds at most from the end of a job until a kill


def command(outputs: Path) -> list[str]:
    """Twenty-four jobs of twenty-four short rows; random weights of two layers."""
    tokenizer = Path("runner/assets/poem_gpt2").absolute()
    prompts = OUTPUTS / "rows.txt"
    prompts.write_text("春\n江\n花\n" * (ROWS // 3), encoding="utf-8")
    return [
        sys.executable, "-m", "runner", "-m", "checkpoint=random", f"checkpoint.tokenizer={tokenizer}",
        "checkpoint.architecture={model_type: gpt2, n_layer: 2, n_embd: 32, n_head: 2, n_positions: 64}", "data=files",
        f"data.path={prompts}", "engine.threads=1", "decode.do_sample=true", "decode.max_new_tokens=12",
        "decode.temperature=0.7,0.9,1.1,1.3", "decode.top_k=5,10,20", "seeds=2", "hydra.launcher.n_jobs=2",
        f"output_dir={outputs}",
    ]  # fmt: skip


def started(outputs: Path) -> subprocess.Popen[bytes]:
    """The sweep in a session of its own."""
    log = (OUTPUTS / f"{outputs.name}.log").open("a")
    with log:
        return subprocess.Popen(
            command(outputs), stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def wait(process: subprocess.Popen[bytes], outputs: Path, draw: random.Random) -> None:
    """Until a random moment: while it starts, or after one of the jobs that are left."""
    if draw.random() < EARLY:
        time.sleep(EARLY_S * draw.random())
        return
    jobs = draw.randint(len(ended(outputs)) + 1, JOBS)
    while len(ended(outputs)) < jobs and process.poll() is None:
        time.sleep(0.02)
    time.sleep(LATE_S * draw.random())


def ended(outputs: Path) -> list[Path]:
    """The runs that have ended."""
    return [path for path in outputs.glob("*/*/status.json") if '"running"' not in path.read_text()]


def killed(process: subprocess.Popen[bytes], target: str, draw: random.Random) -> bool:
    """Kill it, one of its processes, or its whole group; whether anything is left that should not be."""
    below = list(descendants(process.pid))
    if target == "worker" and below:
        pid = draw.choice(below)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return False
    for pid in [process.pid, *(below if target == "group" else [])]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    deadline = time.monotonic() + 20.0
    while (left := [pid for pid in below if lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(left)


def descendants(pid: int) -> Iterator[int]:
    """Processes below another one."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        try:
            yield from descendants(int(child))
        except (FileNotFoundError, ProcessLookupError):
            continue


def lives(pid: int) -> bool:
    """Whether a process does, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def one(number: int, whole: dict[str, str]) -> dict[str, object]:
    """What became of a sweep that is killed three times and then left alone."""
    outputs = OUTPUTS / f"sweep-{number}"
    shutil.rmtree(outputs, ignore_errors=True)
    draw, kills, orphans = random.Random(number), Counter[str](), 0
    process = started(outputs)
    while sum(kills.values()) < KILLS and len(ended(outputs)) < JOBS:
        process = started(outputs) if process.poll() is not None else process  # one that has lost a worker goes on
        target = TARGETS[draw.randrange(3)]
        wait(process, outputs, draw)
        if process.poll() is None:
            orphans += killed(process, target, draw)
            kills[target] += 1
    process.wait()
    code = started(outputs).wait()
    states = [json.loads(path.read_text())["state"] for path in outputs.glob("*/*/status.json")]
    rows = [sorted(json.loads(line)["row"] for line in path.open()) for path in outputs.glob("*/*/predictions.jsonl")]
    torn = [str(path) for path in outputs.rglob(".*") if path.name not in (".lock",)]
    return {
        "code": code, "kills": dict(kills), "orphans": orphans, "torn": torn, "same": answers(outputs) == whole,
        "records": rows == [list(range(ROWS))] * JOBS and states == ["done"] * JOBS,
    }  # fmt: skip


def run(rounds: int, quick: bool) -> None:
    """`rounds` times ten sweeps, fifty by default."""
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    if not (OUTPUTS / "whole").exists() or len(answers(OUTPUTS / "whole")) < JOBS:
        assert started(OUTPUTS / "whole").wait() == 0
    whole, found = answers(OUTPUTS / "whole"), []
    for number in range(1 if quick else min(SWEEPS, 10 * rounds)):
        kept = OUTPUTS / f"sweep-{number}.json"
        if not kept.exists():
            kept.write_text(json.dumps(one(number, whole)))
            shutil.rmtree(OUTPUTS / f"sweep-{number}", ignore_errors=True)
        found.append(json.loads(kept.read_text()))
        print(f"  {number}: {found[-1]}", flush=True)
    report(found)


def report(found: list[dict[str, object]]) -> None:
    """The table."""
    kills = sum((Counter(each["kills"]) for each in found), Counter[str]())  # type: ignore[arg-type]
    told = ", ".join(f"{count} of a {name}" for name, count in sorted(kills.items()))

    def row(what: str, good: int) -> Row:
        return Row(what, f"{good} of {len(found)}", f"{len(found)}", good == len(found))

    rows = [
        row("ended with exit code 0", sum(each["code"] == 0 for each in found)),
        row("every record once, every job done", sum(bool(each["records"]) for each in found)),
        row("answers as those of an uninterrupted sweep, byte for byte", sum(bool(each["same"]) for each in found)),
        row("no process left 20 s after a kill", sum(each["orphans"] == 0 for each in found)),
        row("no half-written file", sum(not each["torn"] for each in found)),
    ]
    notes = [f"{JOBS} jobs of {ROWS} rows, two workers; SIGKILL at random moments: {told}; then left alone."]
    write("Sweeps killed and started again", rows, 1, 1, notes)
