"""The logits of a classification head to a label, several labels, or a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.types import Features, Model, Row

DIGITS = 8  # of a probability


@dataclass(frozen=True)
class Labels:
    """One label (softmax), several (sigmoid) or a number, as the checkpoint's problem_type says.

    Fields:
        top_k: so many of the most probable classes stand under `top` as well, the most probable first.
        threshold: a label of several holds from this probability on.
        names: of the classes where the checkpoint has none of its own, in its order.
    """

    top_k: int | None = None
    threshold: float = 0.5
    names: list[str] | None = None

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k >= 1 must hold, but got {self.top_k}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"0 <= threshold <= 1 must hold, but got {self.threshold}")

    def outputs(self, model: Model, inputs: Any) -> list[list[float]]:
        """For each text its logits, one a class."""
        from runner.engine.classes import class_scores

        return class_scores(model, inputs)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> Any:
        """label, score and probabilities; labels and probabilities where several may hold; or a number alone."""
        (logits,) = outputs
        kind = getattr(model.config, "problem_type", None)
        if kind == "regression" or (kind is None and len(logits) == 1):
            return round(logits[0], DIGITS) if len(logits) == 1 else [round(value, DIGITS) for value in logits]
        names = self.names or class_names(model.config)
        if kind == "multi_label_classification":
            probabilities = dict(zip(names, map(sigmoid, logits), strict=True))
            held = [name for name, p in probabilities.items() if p >= self.threshold]
            return {"labels": held} | self._shown(probabilities)
        probabilities = dict(zip(names, softmax(logits), strict=True))
        best = max(probabilities, key=lambda name: probabilities[name])
        return {"label": best, "score": round(probabilities[best], DIGITS)} | self._shown(probabilities)

    def _shown(self, probabilities: dict[str, float]) -> dict[str, Any]:
        shown = {name: round(p, DIGITS) for name, p in probabilities.items()}
        best = sorted(shown, key=lambda name: -shown[name])[: self.top_k]
        top = {} if self.top_k is None else {"top": {name: shown[name] for name in best}}
        return top | {"probabilities": shown}


def class_names(config: Any) -> list[str]:
    """The names of the classes in the order of the logits."""
    return [str(config.id2label[at]) for at in range(len(config.id2label))]


def softmax(logits: Sequence[float]) -> list[float]:
    """Probabilities that sum to 1."""
    most = max(logits)
    powers = [math.exp(value - most) for value in logits]
    total = sum(powers)
    return [power / total for power in powers]


def sigmoid(value: float) -> float:
    """The probability of one class by itself."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
