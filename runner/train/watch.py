"""What is done at the steps of a training: seals, progress, stopping."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from runner.errors import RunFailed
from runner.files import write_text
from runner.stop import Stop
from runner.train.seal import seal
from runner.types import Following


class Watch(TrainerCallback):  # type: ignore[misc]
    """Seals checkpoints, keeps training.jsonl equal to the log history, stops on request or for want of progress."""

    def __init__(self, history: Path, observer: Following, stop: Stop, metric: str, larger: bool, patience: int | None):
        self.history, self.observer, self.stop = history, observer, stop
        self.metric, self.larger, self.patience = metric, larger, patience
        self.note = ""
        self.began = (time.monotonic(), 0)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Remember where the clock started, and show where a resumed training begins."""
        self.began = (time.monotonic(), state.global_step)
        known = [entry["loss"] for entry in state.log_history if "loss" in entry]
        self.note = f"loss {known[-1]:.3f}" if known else ""
        self._show(state)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Show progress; on request, stop, and save what is gone on with."""
        if not control.should_log:  # else on_log shows it with the new loss
            self._show(state)
        if self.stop:
            control.should_training_stop = True
            control.should_save = not self.stop.for_good

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Seal what was saved."""
        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: Mapping[str, float] | None = None, **_: Any
    ) -> None:
        """Write the history; refuse to go on with a loss that is not a number."""
        loss = (logs or {}).get("loss")
        if loss is not None:
            if not math.isfinite(loss):
                raise RunFailed(f"the loss is {loss} at step {state.global_step}: try a lower train.learning_rate")
            self.note = f"loss {loss:.3f}"
            self._show(state)
        validation = (logs or {}).get(f"eval_{self.metric}")
        if validation is not None:
            self.observer.phase(f"step {state.global_step}: validation {self.metric} {validation:.4f}")
        write_text(self.history, "".join(json.dumps(entry) + "\n" for entry in state.log_history))

    def on_evaluate(
        self, args: Any, state: TrainerState, control: TrainerControl, metrics: Mapping[str, float], **_: Any
    ) -> None:
        """Stop after `patience` evaluations without a better metric; counted from the history, so that it resumes."""
        found = {name.removeprefix("eval_"): value for name, value in metrics.items() if isinstance(value, float)}
        if self.observer.follows:
            self.observer.reached(state.global_step, lambda: (found, {}))
        values = [entry[f"eval_{self.metric}"] for entry in state.log_history if f"eval_{self.metric}" in entry]
        best = max(values) if self.larger else min(values)
        since = len(values) - 1 - values.index(best)
        if self.patience is not None and since >= self.patience:
            self.observer.phase(f"stopped early: no better {self.metric} in {since} evaluations")
            control.should_training_stop = True

    def _show(self, state: TrainerState) -> None:
        told = [note for note in (self.note, self._left(state)) if note]
        self.observer.progress("train", state.global_step, state.max_steps, " · ".join(told))

    def _left(self, state: TrainerState) -> str:
        clock, step = self.began
        done = state.global_step - step
        if done < 1 or state.global_step == state.max_steps:
            return ""
        left = (time.monotonic() - clock) / done * (state.max_steps - state.global_step)
        return f"{int(left // 60)}:{int(left % 60):02d} left"
