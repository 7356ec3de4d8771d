"""Peak memory of a whole run over 100,000 and over 1,000,000 input lines."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import Row, write

SMALL, LARGE = 100_000, 1_000_000


def peak_mb(lines: int, folder: Path) -> float:
    """Of `mode=evaluate` with one small random layer, in a process of its own."""
    data = folder / f"{lines}.txt"
    with data.open("w", encoding="utf-8") as file:
        file.writelines(f"明月{'几时有'[: i % 3]}\n" for i in range(lines))
    tokenizer = Path(__file__).parent.parent / "runner/assets/poem_gpt2"
    command = [
        sys.executable, "-m", "runner", "mode=evaluate", "checkpoint=random", f"checkpoint.tokenizer={tokenizer}",
        "checkpoint.architecture={model_type: gpt2, n_layer: 1, n_embd: 8, n_head: 1, n_positions: 32}",
        f"data.path={data}", f"output_dir={folder / 'outputs'}", "engine.threads=1", "engine.batch_tokens=4096",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return usage.ru_maxrss / 1024


def run(rounds: int, quick: bool) -> None:
    """One run of each size."""
    del rounds
    with tempfile.TemporaryDirectory() as at:
        small = peak_mb(SMALL // 100 if quick else SMALL, Path(at))
        large = peak_mb(LARGE // 100 if quick else LARGE, Path(at))
    figure = f"{large / small:.3f} times ({large:.0f} MiB, {small:.0f} MiB)"
    row = Row("peak at 1,000,000 lines over that at 100,000", figure, "<= 1.05", large <= 1.05 * small)
    write("Memory", [row], 1, 1, ["Resident memory of the whole process."])
