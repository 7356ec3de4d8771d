"""What every Trainer that is timed has in common."""

from __future__ import annotations

import time
from typing import Any

BATCH = 32  # rows of an optimizer step


def arguments(folder: str, dtype: str, steps: int, **others: Any) -> Any:
    """The same for all sides."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=folder, max_steps=steps, per_device_train_batch_size=BATCH, seed=0, data_seed=0, use_cpu=True,
        report_to="none", disable_tqdm=True, save_strategy="no", logging_steps=1, dataloader_pin_memory=False,
        bf16=dtype == "bfloat16", **others,
    )  # fmt: skip


def timed(trainer: Any) -> tuple[float, list[float]]:
    """CPU seconds of the training alone, and the loss of each step."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        began = ended = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            Clock.began = time.process_time()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            Clock.ended = time.process_time()

    trainer.add_callback(Clock)
    trainer.train()
    return Clock.ended - Clock.began, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
