"""A score for each choice to the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.interpret.labels import DIGITS, softmax
from runner.types import Features, Model, Row


@dataclass(frozen=True)
class Choice:
    """The choice with the highest score, and the probability of each."""

    choices: str = "choices"  # the column

    def outputs(self, model: Model, inputs: Any) -> list[float]:
        """For each choice of a batch its score: each is a question with one choice to the network."""
        from runner.engine.classes import class_scores

        alone = {name: value.unsqueeze(1) for name, value in inputs.items()}
        return [scores[0] for scores in class_scores(model, alone)]

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """choice (its index), text, and probabilities in the order of the choices."""
        probabilities = softmax(outputs)
        best = max(range(len(probabilities)), key=lambda at: probabilities[at])
        shown = [round(p, DIGITS) for p in probabilities]
        return {"choice": best, "text": str(row[self.choices][best]), "probabilities": shown}
