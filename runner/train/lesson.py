"""The Hugging Face Trainer with micro-batches in a step, a cheaper head, and validation by the run's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import Trainer

from runner.engine.sampling import stream_seed
from runner.errors import RunFailed
from runner.files import naming
from runner.types import Model, Teach

WEIGHTS = "model.safetensors"  # where the Trainer looks for them


class Lesson(Trainer):  # type: ignore[misc]
    """A Trainer whose `data_collator` is a `Layout`, and whose loss `teach` computes."""

    control: Any
    loss_is_scaled_for_ga = True  # by the items of the whole step

    def __init__(
        self,
        *args: Any,
        teach: Teach,
        pupil: Model,
        validate: Callable[[nn.Module], Mapping[str, float]],
        **options: Any,
    ):
        super().__init__(*args, **options)
        self.teach, self.pupil, self.validate = teach, pupil, validate

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        """The batches of the next step, with what is drawn for it alone, and how many things its loss is over."""
        batches = list(islice(epoch_iterator, num_batches))
        generator = torch.Generator().manual_seed(stream_seed(self.args.seed, self.state.global_step))
        for batch in batches:
            batch["micro"] = [self.teach.prepare(self.pupil, micro, generator) for micro in batch["micro"]]
        items = sum(self.teach.items(micro) for batch in batches for micro in batch["micro"])
        return batches, torch.tensor(max(items, 1), device=device)

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward of each micro-batch; the loss of the whole step, which is what num_items normalises."""
        steps = []
        for micro in inputs["micro"]:
            with self.data_collator.within(self.model):
                steps.append(super().training_step(model, micro, num_items_in_batch))
        return torch.stack(steps).sum()

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The part of the step's mean loss that is these inputs'."""
        with self.accelerator.autocast():  # it otherwise covers the module's own forward only
            return self.teach.loss(model, inputs) / num_items_in_batch

    def evaluate(self, *args: Any, metric_key_prefix: str = "eval", **options: Any) -> dict[str, float]:
        """The run's own metrics over the validation rows."""
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

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """Of a network that is trained in part, only that part: the rest is in the checkpoint that it began with."""
        named = dict(self.model.named_parameters())
        if output_dir is None or all(parameter.requires_grad for parameter in named.values()):
            super()._save(output_dir, state_dict)
            return
        trained = {name: parameter.detach() for name, parameter in named.items() if parameter.requires_grad}
        kept = self.model.state_dict()
        trained |= {name: buffer for name, buffer in self.model.named_buffers() if name in kept}
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in trained.items()}, Path(output_dir) / WEIGHTS)

    def _check_finite(self) -> None:
        """Weights that are not numbers are neither validated nor saved over good ones."""
        trained = (parameter for parameter in self.model.parameters() if parameter.requires_grad)
        if not all(bool(parameter.isfinite().all()) for parameter in trained):
            step = self.state.global_step
            raise RunFailed(f"the weights are not finite after step {step}: try a lower train.learning_rate")

    def floating_point_ops(self, inputs: Any) -> int:
        """Summed over the micro-batches."""
        return sum(int(super(Lesson, self).floating_point_ops(micro)) for micro in inputs["micro"])
