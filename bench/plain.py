"""SST-2 by the plain Trainer, to see that the runner's training loses nothing: `python -m bench.plain <seed>`."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from typing import Any

from bench.minilm import DATA, encoder
from bench.trainers import BATCH

EPOCHS, RATE = 3, 5e-5


def rows(split: str) -> list[dict[str, Any]]:
    """Of SST-2: text and label."""
    with (DATA / f"sst2/{split}.csv").open(encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "label": int(row["label"])} for row in csv.DictReader(file)]


def accuracy(seed: int) -> float:
    """On the test rows, of the last epoch's weights or better ones on the validation rows; bfloat16, padded batches."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    torch.set_num_threads(1)
    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(encoder())
    network = AutoModelForSequenceClassification.from_pretrained(encoder(), num_labels=2, dtype=torch.float32)

    def examples(split: str) -> list[dict[str, Any]]:
        given = rows(split)
        encoded = tokenizer([row["text"] for row in given])["input_ids"]
        return [{"input_ids": ids, "labels": row["label"]} for ids, row in zip(encoded, given, strict=True)]

    def right(found: Any) -> dict[str, float]:
        return {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())}

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH, learning_rate=RATE,
            lr_scheduler_type="cosine", warmup_steps=0.03, weight_decay=0.01, seed=seed, use_cpu=True, bf16=True,
            eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=True,
            metric_for_best_model="accuracy", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(
            model=network, args=arguments, train_dataset=examples("train"), eval_dataset=examples("validation"),
            data_collator=DataCollatorWithPadding(tokenizer), compute_metrics=right,
        )  # fmt: skip
        trainer.train()
        return float(trainer.evaluate(examples("test"))["eval_accuracy"])


if __name__ == "__main__":
    print(json.dumps(accuracy(int(sys.argv[1]))))
