"""Perplexity of a text file beside lm-evaluation-harness' way of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from bench.measure import Row, in_turn, write
from bench.models import folder, half_pays

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


def beside_harness(name: str, models: dict[str, Any], texts: list[str], rounds: int) -> list[Row]:
    """The runner's way in each precision over the harness' way in float32, at its best batch size and at 32."""
    made = models["float32"]
    sizes = (1, 4, 8, 16)
    seconds = in_turn({str(size): lambda size=size: padded_log_softmax(made, texts[::4], size) for size in sizes}, 1)
    best = int(min(seconds, key=seconds.__getitem__))
    assert abs(ours(made, texts[:20]) / padded_log_softmax(made, texts[:20], 4) - 1) < 1e-5
    ways = {dtype: (lambda one=one: ours(one, texts)) for dtype, one in models.items()}
    ways |= {str(size): (lambda size=size: padded_log_softmax(made, texts, size)) for size in (best, 32)}
    seconds = in_turn(ways, rounds)
    rows = []
    for dtype in models:
        for size in (best, 32):
            ratio = seconds[str(size)] / seconds[dtype]
            what = f"{name}, {dtype}: over sorted padded batches of {size}, float32"
            rows.append(Row(what, f"{ratio:.2f} times", ">= 1.5", ratio >= 1.5))
    return rows


def run(rounds: int, quick: bool) -> None:
    """Poems, and long texts made of them."""
    import tempfile

    import torch

    from runner.backends.checkpoint import find
    from runner.backends.torch import load
    from runner.config import CheckpointConfig, EngineConfig

    torch.set_num_threads(1)
    dtypes = ["float32", *(["bfloat16"] if half_pays() else [])]
    models = {}
    with tempfile.TemporaryDirectory() as at:
        checkpoint = CheckpointConfig(name_or_path=str(folder("6M", Path(at) / "gpt2", POEMS / "vocab.txt")))
        source = find(checkpoint, "AutoModelForCausalLM")
        for dtype in dtypes:
            engine = EngineConfig(dtype=dtype)
            models[dtype] = load(source, checkpoint, "AutoModelForCausalLM", "AutoTokenizer", engine, 0)
    poems = [json.loads(line)["text"] for line in (POEMS / "test.jsonl").open(encoding="utf-8")]
    draw = random.Random(0)
    mixed = ["".join(draw.sample(poems, draw.choice((1, 1, 1, 2, 3, 5, 8)))) for _ in range(200)]
    rows = [
        *beside_harness("poems", models, poems[: 40 if quick else 800], rounds),
        *beside_harness("texts of 26 to 500 characters", models, mixed[: 20 if quick else 200], rounds),
    ]
    notes = [
        "6 M parameters. The harness' way is written out in bench/scoring.py; in float32 the sums of log-likelihoods "
        "agree within 1e-5.",
    ]
    if "bfloat16" in models:
        exact, half = (ours(models[dtype], poems[:200]) for dtype in dtypes)
        notes.append(
            f"In bfloat16 the sum over 200 poems differs by {abs(half / exact - 1):.1e} (engine.dtype=bfloat16)."
        )
    write("Scoring a text file", rows, rounds, 1, notes)
