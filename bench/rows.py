"""What a row costs besides the network: from 1,000 to 100,000 rows, and the share of it in a run of MiniLM."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measure import Row, cpu_of, write
from bench.minilm import classifier, texts

COUNTS = (1_000, 10_000, 100_000)
ARCHITECTURE = (
    "{model_type: bert, num_hidden_layers: 2, hidden_size: 64, num_attention_heads: 2, intermediate_size: 128, "
    "max_position_embeddings: 64}"
)


def many(count: int, folder: Path, tokenizer: Path) -> float:
    """CPU seconds of the whole command over so many short texts."""
    data = folder / f"{count}.txt"
    if not data.exists():
        words = ["the", "film", "is", "a", "quiet", "story", "of", "old", "friends", "and", "new", "roads"]
        with data.open("w", encoding="utf-8") as file:
            file.writelines(" ".join(words[at % 7 : at % 7 + 3 + at % 6]) + f" {at % 1000}\n" for at in range(count))
    command = [
        sys.executable, "-m", "runner", "task=sequence_classification", "checkpoint=random", "data=files", "rerun=true",
        f"checkpoint.tokenizer={tokenizer}", f"checkpoint.architecture={ARCHITECTURE}", f"data.path={data}",
        f"output_dir={folder / 'outputs'}", "engine.threads=1",
    ]  # fmt: skip
    cpu, _, code = cpu_of(command)
    assert code == 0, command
    return cpu


def besides(folder: Path, checkpoint: Path, given: list[str]) -> tuple[float, float]:
    """CPU seconds of a run of MiniLM, and of the network in it."""
    import runner
    from runner.engine import classes

    data, network = folder / f"texts{len(given)}.txt", [0.0]
    data.write_text("\n".join(given) + "\n", "utf-8")
    exact = classes.class_scores

    def timed(*arguments: Any) -> Any:
        start = time.process_time()
        try:
            return exact(*arguments)
        finally:
            network[0] += time.process_time() - start

    classes.class_scores = timed
    start = time.process_time()
    try:
        runner.run(
            "sequence_classification",
            checkpoint=str(checkpoint),
            data=str(data),
            overrides=["rerun=true", f"output_dir={folder / 'minilm'}", "engine.threads=1"],
        )
    finally:
        classes.class_scores = exact
    return time.process_time() - start, network[0]


def run(rounds: int, quick: bool) -> None:
    """Whole processes for the cost of a row, one process for its parts."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    counts = COUNTS[:2] if quick else COUNTS
    with tempfile.TemporaryDirectory() as at:
        folder, given = Path(at), texts(60 if quick else 1000)
        checkpoint = classifier(folder / "checkpoint", given[:20])
        found: dict[int, list[float]] = {count: [] for count in counts}
        parts = []
        besides(folder, checkpoint, given[:2])  # imports
        for number in range(rounds):
            for count in counts:
                found[count].append(many(count, folder, checkpoint))
                print(f"  round {number + 1} {count} rows: {found[count][-1]:.2f} s", flush=True)
            start, one = besides(folder, checkpoint, given[:2])
            whole, network = besides(folder, checkpoint, given)
            parts.append((whole - start - (network - one)) / (whole - start))
            print(f"  round {number + 1} MiniLM: {whole - start:.2f} s, network {network - one:.2f} s", flush=True)
    seconds = {count: statistics.median(values) for count, values in found.items()}
    steps = [
        ((seconds[high] - seconds[low]) / (high - low), low, high)
        for low, high in zip(counts, counts[1:], strict=False)
    ]
    table = [
        Row(f"a row, from {low:,} to {high:,} rows, tiny BERT", f"{1e6 * cost:.0f} us") for cost, low, high in steps
    ]
    if len(steps) > 1:
        table.append(
            Row("cost of a row at 100,000 over that at 10,000 rows", f"{steps[-1][0] / steps[0][0]:.2f} times")
        )
    share = statistics.median(parts)
    what = "reading, checking, tokenising, interpreting, scoring and writing in a run of MiniLM"
    table.append(Row(what, f"{100 * share:.1f} %", "< 5 %", share < 0.05))
    notes = [
        "Rows: the command line, 2 layers of 64, texts of 6 to 11 tokens; "
        + ", ".join(f"{count:,} rows {value:.1f} s" for count, value in seconds.items())
        + " of CPU with the start.",
        f"MiniLM: {len(given):,} texts as in Encoding; all that is not the network's forward pass, without start "
        "and load.",
    ]
    write("Cost of a row", table, rounds, 1, notes)
