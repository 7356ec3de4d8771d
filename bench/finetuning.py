"""Fine-tuning of MiniLM on short sentences beside the Trainer; each measurement is a process of its own.

In one process a network keeps the precision of the first Trainer that prepared it.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.measure import Row, write
from bench.minilm import DATA, classifier
from bench.trainers import BATCH, arguments, timed

ROWS, STEPS, RATE = 320, 30, 5e-5
PEERS = ("plain float32", "by_length float32", "plain bfloat16", "by_length bfloat16")
OURS = ("full float32", "full bfloat16", "lora float32")


def rows(count: int) -> list[dict[str, Any]]:
    """The first sentences of SST-2's train split."""
    with (DATA / "sst2/train.csv").open(encoding="utf-8", newline="") as file:
        found = [row for _, row in zip(range(count), csv.DictReader(file), strict=False)]
    return [{"row": at, "text": row["text"], "label": int(row["label"])} for at, row in enumerate(found)]


def peer(way: str, dtype: str, folder: str, steps: int, work: str) -> Any:
    """The Trainer with DataCollatorWithPadding."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    given = rows(ROWS)
    encoded = tokenizer([row["text"] for row in given])["input_ids"]
    examples = [{"input_ids": ids, "labels": row["label"]} for ids, row in zip(encoded, given, strict=True)]
    sampling = {"train_sampling_strategy": "group_by_length"} if way == "by_length" else {}
    return Trainer(
        model=network,
        args=arguments(work, dtype, steps, learning_rate=RATE, **sampling),
        train_dataset=examples,
        data_collator=DataCollatorWithPadding(tokenizer),
    )


def ours(way: str, dtype: str, folder: str, steps: int, work: str) -> Any:
    """The runner's Trainer, layout and loss, as its training makes them."""
    from runner.backends.checkpoint import find
    from runner.backends.torch import load
    from runner.compose import compose
    from runner.config import freeze
    from runner.task import Task
    from runner.train.adapt import adapt
    from runner.train.corpus import Corpus
    from runner.train.layout import Layout
    from runner.train.lesson import Lesson

    asked = ["task=sequence_classification", "checkpoint=pretrained", f"checkpoint.name_or_path={folder}"]
    config = freeze(compose([*asked, f"train={'lora' if way == 'lora' else 'full'}"]))
    task = Task.build(config.task)
    assert task.teach is not None
    source = find(config.checkpoint, task.auto_class)
    model = load(source, config.checkpoint, task.auto_class, task.processor_class, config.engine, 0, True)
    corpus = Corpus(task.teach(model, rows(ROWS)))
    adapt(config, model, lambda line: None)
    return Lesson(
        teach=task.teach,
        pupil=model,
        validate=lambda network: {},
        model=model.network,
        args=arguments(work, dtype, steps, learning_rate=RATE, remove_unused_columns=False),
        train_dataset=corpus,
        data_collator=Layout(config.train.batching, config.train.micro_batch_tokens, model.processor.pad_token_id),
    )


def measured(way: str, dtype: str, folder: str, steps: int) -> dict[str, Any]:
    """CPU seconds of the training alone, the losses, and the precision in which the head really computed."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as work:
        trainer = (peer if f"{way} {dtype}" in PEERS else ours)(way, dtype, folder, steps, work)
        seen = set()
        layer = trainer.model.base_model.encoder.layer[0].intermediate.dense
        layer.register_forward_hook(lambda _, __, made: seen.add(str(made.dtype)) if made.requires_grad else None)
        seconds, losses = timed(trainer)
    return {"seconds": seconds, "losses": losses, "computed": sorted(seen)}


def run(rounds: int, quick: bool) -> None:
    """Each way in a fresh process, in turn."""
    steps = 2 if quick else STEPS
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as at:
        classifier(Path(at), [row["text"] for row in rows(20)])
        for number in range(rounds):
            for way in (*PEERS, *OURS):
                command = [sys.executable, "-W", "ignore", "-m", "bench.finetuning", *way.split(), at, str(steps)]
                line = subprocess.check_output(command, text=True).splitlines()[-1]
                found.setdefault(way, []).append(json.loads(line))
                print(f"  round {number + 1} {way}: {line}", flush=True)
        lengths = _lengths(Path(at))
    for way, several in found.items():
        assert several[0]["computed"] == [f"torch.{way.split()[1]}"], (way, several[0]["computed"])
    seconds = {way: statistics.median(one["seconds"] for one in several) for way, several in found.items()}

    def row(mine: str, other: str, goal: float | None) -> Row:
        ratio = seconds[other] / seconds[mine]
        said = {"plain": "plain Trainer", "by_length": "Trainer group_by_length", "full": "the runner full"}
        kind, dtype = other.split()
        named = mine.replace("full", "the runner, full,").replace("lora", "the runner, LoRA,")
        aim = ("", None) if goal is None else (f">= {goal}", ratio >= goal)
        return Row(f"{named}: over {said[kind]}, {dtype}", f"{ratio:.2f} times", *aim)

    table = [
        row("full float32", "plain float32", 1.9), row("full float32", "by_length float32", 1.4),
        row("full bfloat16", "plain bfloat16", 1.8), row("full bfloat16", "by_length bfloat16", None),
        row("full bfloat16", "plain float32", None), row("lora float32", "full float32", 1.0),
        row("lora float32", "plain float32", None),
    ]  # fmt: skip
    told = ", ".join(
        f"{way} {seconds[way]:.1f} s (loss {statistics.mean(found[way][0]['losses']):.4f})" for way in found
    )
    padding = sum(BATCH * max(lengths[i : i + BATCH]) for i in range(0, len(lengths), BATCH)) / sum(lengths)
    notes = [
        f"MiniLM, the first {ROWS} sentences of SST-2, three times: {steps} steps of {BATCH}; each figure from a fresh "
        "process, the training alone; the precision in which a layer computed was looked at.",
        f"{sum(lengths):,} tokens, mean {sum(lengths) / len(lengths):.1f}, most {max(lengths)}; batches padded to "
        f"their longest text, in the order of the rows, have {padding:.2f} times the tokens.",
        f"CPU seconds and mean loss of the steps: {told}. LoRA solves another problem.",
    ]
    write("Fine-tuning", table, rounds, 1, notes)


def _lengths(folder: Path) -> list[int]:
    from transformers import AutoTokenizer

    return list(map(len, AutoTokenizer.from_pretrained(folder)([row["text"] for row in rows(ROWS)])["input_ids"]))


if __name__ == "__main__":
    print(json.dumps(measured(*sys.argv[1:4], int(sys.argv[4]))))
