"""Training on poems beside the plain HF Trainer with padding: same weights, data order, batch, optimizer and loss."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.measure import Row, write
from bench.models import SIZES, half_pays
from bench.trainers import arguments, timed

POEMS = Path("runner/assets/data/poems_small/train.jsonl")


def trained(kind: str, dtype: str, corpus: Any, pupil: Any, steps: int) -> tuple[float, float]:
    """CPU seconds of the training alone and the mean loss of its steps; always a fresh module."""
    import torch
    from transformers import (
        DataCollatorForLanguageModeling,
        GPT2Config,
        GPT2LMHeadModel,
        Trainer,
    )  # fmt: skip

    from runner.teach.causal import Causal
    from runner.train.layout import Layout
    from runner.train.lesson import Lesson

    torch.manual_seed(0)
    network = GPT2LMHeadModel(
        GPT2Config(bos_token_id=2, eos_token_id=3, pad_token_id=0, loss_type="ForCausalLM", **SIZES["6M"])
    )
    with tempfile.TemporaryDirectory() as folder:
        common = {
            "model": network,
            "args": arguments(folder, dtype, steps, learning_rate=5e-4, remove_unused_columns=False),
            "train_dataset": corpus,
        }
        if kind == "plain":
            trainer = Trainer(**common, data_collator=DataCollatorForLanguageModeling(pupil.processor, mlm=False))
        else:
            layout = Layout(kind, 2048, 0)
            trainer = Lesson(**common, data_collator=layout, teach=Causal(), pupil=pupil, validate=lambda network: {})
        seconds, losses = timed(trainer)
    return seconds, sum(losses) / len(losses)


def run(rounds: int, quick: bool) -> None:
    """The plain Trainer, and the layouts of the runner."""
    import statistics

    import torch

    from runner.backends.checkpoint import find
    from runner.backends.processor import load_processor
    from runner.config import CheckpointConfig
    from runner.teach.causal import Causal
    from runner.train.corpus import Corpus

    torch.set_num_threads(1)
    checkpoint = CheckpointConfig(name_or_path="poem_gpt2")
    tokenizer = load_processor(find(checkpoint, "AutoModelForCausalLM"), checkpoint, "AutoTokenizer")
    poems = sorted(Path("../shared/data/poems").glob("train.jsonl")) or [POEMS]
    rows = [json.loads(line) for _, line in zip(range(4000), poems[0].open(encoding="utf-8"), strict=False)]
    pupil = SimpleNamespace(processor=tokenizer, context=1024)
    corpus = Corpus(Causal()(pupil, rows))
    steps = 2 if quick else 12
    goals = {"float32": 1.9} | ({"bfloat16": 1.8} if half_pays() else {})
    ways = [(kind, dtype) for dtype in goals for kind in ("plain", "packed", "length")]
    seconds: dict[tuple[str, str], list[float]] = {}
    losses: dict[tuple[str, str], float] = {}
    for number in range(rounds):
        for way in ways:
            took, losses[way] = trained(*way, corpus, pupil, steps)
            seconds.setdefault(way, []).append(took)
            print(f"  round {number + 1} {way}: {took:.1f} s, loss {losses[way]:.4f}", flush=True)
    median = {way: statistics.median(values) for way, values in seconds.items()}
    table = []
    for dtype, goal in goals.items():
        for kind in ("packed", "length"):
            ratio = median["plain", dtype] / median[kind, dtype]
            what = f"train.batching={kind}, over plain Trainer with padding, {dtype}"
            aim = (f">= {goal}", ratio >= goal) if kind == "packed" else ("", None)
            table.append(Row(what, f"{ratio:.2f} times", *aim))
    lengths = sorted(len(corpus[i]["input_ids"]) for i in range(len(corpus)))
    padding = lengths[-1] * len(lengths) / sum(lengths)
    told = ", ".join(f"{kind} {dtype} {loss:.4f}" for (kind, dtype), loss in losses.items())
    notes = [
        f"{steps} steps of 32 poems, 6.5 M parameters with dropout 0.1; mean loss of the steps: {told}.",
        "The plain Trainer counts the first token of each text in its denominator: its loss shows 2 % too little.",
        f"Padded to the longest poem there are {padding:.2f} times the tokens; matrix products take most of the rest.",
        *([] if "bfloat16" in goals else ["bfloat16 is not measured: this processor emulates it."]),
    ]
    write("Training", table, rounds, 1, notes)
