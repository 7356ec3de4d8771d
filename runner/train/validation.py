"""How good a network is on the rows held out, while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runner.engine.sampling import stream_seed
from runner.errors import RunFailed
from runner.task import Task
from runner.train.corpus import Corpus
from runner.train.layout import Layout
from runner.types import Model

if TYPE_CHECKING:
    from runner.config import TrainConfig

ROWS = 64  # examples of a step of which the loss is taken


@dataclass(frozen=True)
class Validation:
    """The numbers of the task, and the loss by which it is taught; see Task.validates_by_loss_alone."""

    task: Task
    held_out: Corpus
    numbers: Callable[[Any], Mapping[str, float]]
    model: Model
    layout: Layout
    train: TrainConfig
    seed: int

    def __call__(self, network: Any) -> dict[str, float]:
        """Numbers by name; the network is in evaluation mode.

        Raises:
            RunFailed: the number that chooses the best weights is not among them.
        """
        found = {} if self.task.validates_by_loss_alone(self.train.metric) else dict(self.numbers(network))
        found = found if "loss" in found else {"loss": self._loss(network)} | found
        if self.train.metric not in found:
            raise RunFailed(f"these rows give no train.metric={self.train.metric}, only {', '.join(found)}")
        return found

    def _loss(self, network: Any) -> float:
        """Mean loss, with the same masks each time."""
        import torch

        teach = self.task.teach
        assert teach is not None
        model = replace(self.model, network=network)  # type: ignore[type-var]
        loss, items = 0.0, 0.0
        for start in range(0, len(self.held_out), ROWS):
            examples = [self.held_out[i] for i in range(start, min(start + ROWS, len(self.held_out)))]
            generator = torch.Generator().manual_seed(stream_seed(self.seed, start))
            for micro in self.layout(examples)["micro"]:
                inputs = teach.prepare(model, micro, generator)
                with torch.no_grad(), self.layout.within(network):
                    on_device = {name: value.to(network.device) for name, value in inputs.items()}
                    loss += float(teach.loss(network, on_device))
                items += teach.items(inputs)
        return loss / max(items, 1)
