"""The Hugging Face Trainer with micro-batches in a step, a cheaper head, and validation by the run's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Trainer

from runner.engine.likelihood import CHUNK, has_plain_head
from runner.engine.packed import side_by_side
from runner.errors import RunFailed
from runner.files import naming
from runner.types import IGNORED


class Lesson(Trainer):  # type: ignore[misc]
    """A Trainer whose batches are {"micro": [inputs, ...]}, as `Layout` makes them."""

    control: Any

    def __init__(self, *args: Any, validate: Callable[[nn.Module], Mapping[str, float]] | None = None, **options: Any):
        super().__init__(*args, **options)
        self.validate = validate
        self.plain_head = has_plain_head(self.model)

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward of each micro-batch; the loss of the whole step, which is what num_items normalises."""
        steps = []
        for micro in inputs["micro"]:
            lengths = micro.pop("lengths", None)
            with nullcontext() if lengths is None else side_by_side(self.model, lengths):
                steps.append(super().training_step(model, micro, num_items_in_batch))
        return torch.stack(steps).sum()

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean negative log-likelihood in nats; logits are made only where a token is predicted."""
        if return_outputs or not self.plain_head or num_items_in_batch is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"]
        others = {name: value for name, value in inputs.items() if name != "labels"}
        kept = labels[:, 1:] != IGNORED
        with self.accelerator.autocast():  # it otherwise covers the module's own forward only
            hidden = model.base_model(**others, use_cache=False).last_hidden_state[:, :-1][kept]
            head = model.get_output_embeddings()
            losses = [
                functional.cross_entropy(head(h).float(), t, reduction="sum")
                for h, t in zip(hidden.split(CHUNK), labels[:, 1:][kept].split(CHUNK), strict=True)
            ]
        return torch.stack(losses).sum() / num_items_in_batch

    def evaluate(self, *args: Any, metric_key_prefix: str = "eval", **options: Any) -> dict[str, float]:
        """The run's own metrics over the validation rows."""
        assert self.validate is not None
        self._check_finite()
        self.model.eval()
        try:
            found = self.validate(self.model)
        except RunFailed as error:
            raise RunFailed(f"validation at step {self.state.global_step}: {error}") from error
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self._check_finite()
        with naming(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"):
            super()._save_checkpoint(model, trial)

    def _check_finite(self) -> None:
        """Weights that are not numbers are neither validated nor saved over good ones."""
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            step = self.state.global_step
            raise RunFailed(f"the weights are not finite after step {step}: try a lower train.learning_rate")

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
        micros = [micro for batch in batch_samples for micro in batch["micro"]]
        if self.plain_head:  # the library counts first tokens, which nothing predicts, for networks without a loss_type
            return sum((micro["labels"][:, 1:] != IGNORED).sum() for micro in micros)
        return super()._get_num_items_in_batch(micros, device)

    def floating_point_ops(self, inputs: Any) -> int:
        """Summed over the micro-batches."""
        return sum(int(super(Lesson, self).floating_point_ops(micro)) for micro in inputs["micro"])
