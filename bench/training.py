"""Training on poems beside the plain HF Trainer with padding: same weights, data order, batch, optimizer and loss."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measure import Row, write
from bench.models import SIZES

POEMS = Path("runner/assets/data/poems_small/train.jsonl")


def trained(kind: str, corpus: Any, tokenizer: Any, steps: int) -> tuple[float, float]:
    """CPU seconds of the training alone and the mean loss of its steps."""
    import torch
    from transformers import (
        DataCollatorForLanguageModeling,
        GPT2Config,
        GPT2LMHeadModel,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )  # fmt: skip

    from runner.train.layout import Layout
    from runner.train.lesson import Lesson

    class Clock(TrainerCallback):
        began = ended = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            Clock.began = time.process_time()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            Clock.ended = time.process_time()

    torch.manual_seed(0)
    network = GPT2LMHeadModel(
        GPT2Config(bos_token_id=2, eos_token_id=3, pad_token_id=0, loss_type="ForCausalLM", **SIZES["6M"])
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=32, learning_rate=5e-4, seed=0, data_seed=0,
            use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no", logging_steps=1,
            remove_unused_columns=False, dataloader_pin_memory=False,
        )  # fmt: skip
        common = {"model": network, "args": arguments, "train_dataset": corpus, "callbacks": [Clock()]}
        if kind == "plain":
            trainer = Trainer(**common, data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False))
        else:
            trainer = Lesson(**common, data_collator=Layout(kind, 2048, 1024, 0), validate=None)
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Clock.ended - Clock.began, sum(losses) / len(losses)


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
    corpus = Corpus(Causal()(tokenizer, rows), 1024)
    steps = 2 if quick else 12
    seconds: dict[str, list[float]] = {}
    losses: dict[str, float] = {}
    for number in range(rounds):
        for kind in ("plain", "length", "packed"):
            took, losses[kind] = trained(kind, corpus, tokenizer, steps)
            seconds.setdefault(kind, []).append(took)
            print(f"  round {number + 1} {kind}: {took:.1f} s, loss {losses[kind]:.4f}", flush=True)
    median = {kind: statistics.median(values) for kind, values in seconds.items()}
    ratios = {kind: median["plain"] / median[kind] for kind in ("length", "packed")}
    what = "over plain Trainer with padding, float32"
    table = [
        Row(f"train.batching=length, {what}", f"{ratios['length']:.2f} times", ">= 1.9", ratios["length"] >= 1.9),
        Row(f"train.batching=packed, {what}", f"{ratios['packed']:.2f} times"),
    ]
    told = ", ".join(f"{kind} {loss:.4f}" for kind, loss in losses.items())
    notes = [
        f"{steps} steps of 32 poems, 6.5 M parameters with dropout 0.1; mean loss of the steps: {told}.",
        "The plain Trainer counts the first token of each text in its denominator: its loss shows 2 % too little.",
        "bfloat16 is not measured: this processor has no units for it.",
    ]
    write("Training", table, rounds, 1, notes)
