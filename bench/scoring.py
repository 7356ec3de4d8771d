"""Perplexity of a text file beside lm-evaluation-harness' way of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from bench.measure import Row, in_turn, write
from bench.models import folder

POEMS = Path("../shared/data/poems")


def padded_log_softmax(made: Any, texts: list[str], batch: int) -> float:
    """Sorted by length, padded batches, log-softmax over all positions; the sum of log-likelihoods."""
    import torch

    encoded = sorted((made.processor(text)["input_ids"] for text in texts), key=lambda ids: -len(ids))
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(encoded), batch):
            rows = encoded[start : start + batch]
            longest = max(map(len, rows))
            ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
            logits = torch.nn.functional.log_softmax(made.network(ids).logits, dim=-1)
            for line, row in zip(logits, rows, strict=True):
                wanted = torch.tensor(row[1:])
                greedy = line[: len(row) - 1].argmax(-1)
                assert greedy.shape == wanted.shape
                total += line[: len(row) - 1].gather(1, wanted[:, None]).sum().item()
    return total


def ours(made: Any, texts: list[str]) -> float:
    """The runner's way through its own encode, schedule and interpret."""
    from runner.compose import compose
    from runner.config import freeze
    from runner.predict import Predictor
    from runner.task import Task

    config = freeze(compose(["mode=evaluate"]))
    predictor = Predictor(made, Task.build(config.task).evaluate, config)
    rows = ({"row": i, "text": text} for i, text in enumerate(texts))
    return -sum(answered.scores["nll"] for batch in predictor.answers(rows) for answered in batch)


def beside_harness(name: str, made: Any, texts: list[str], rounds: int) -> Row:
    """The runner's way over the harness' way at its best batch size."""
    sizes = (1, 4, 8, 16, 32)
    seconds = in_turn({str(size): lambda size=size: padded_log_softmax(made, texts[::4], size) for size in sizes}, 1)
    best = int(min(seconds, key=seconds.__getitem__))
    assert abs(ours(made, texts[:20]) / padded_log_softmax(made, texts[:20], 4) - 1) < 1e-5
    ways = {"runner": lambda: ours(made, texts), "harness": lambda: padded_log_softmax(made, texts, best)}
    seconds = in_turn(ways, rounds)
    ratio = seconds["harness"] / seconds["runner"]
    what = f"{name}, 6 M parameters, over sorted padded batches of {best}"
    return Row(what, f"{ratio:.2f} times", ">= 1.5", ratio >= 1.5)


def run(rounds: int, quick: bool) -> None:
    """Poems, and long texts made of them."""
    import tempfile

    import torch

    from runner.backends.checkpoint import find
    from runner.backends.torch import load
    from runner.config import CheckpointConfig, EngineConfig

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as at:
        checkpoint = CheckpointConfig(name_or_path=str(folder("6M", Path(at) / "gpt2", POEMS / "vocab.txt")))
        source = find(checkpoint, "AutoModelForCausalLM")
        made = load(source, checkpoint, "AutoModelForCausalLM", "AutoTokenizer", EngineConfig(), 0)
    poems = [json.loads(line)["text"] for line in (POEMS / "test.jsonl").open(encoding="utf-8")]
    draw = random.Random(0)
    mixed = ["".join(draw.sample(poems, draw.choice((1, 1, 1, 2, 3, 5, 8)))) for _ in range(200)]
    rows = [
        beside_harness("poems", made, poems[: 40 if quick else 800], rounds),
        beside_harness("texts of 26 to 500 characters", made, mixed[: 20 if quick else 200], rounds),
    ]
    notes = ["The harness' way is written out in bench/scoring.py; the sums of log-likelihoods agree within 1e-5."]
    write("Scoring a text file", rows, rounds, 1, notes)
