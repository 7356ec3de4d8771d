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


@dataclass(frozen=True)
class LikelyChoice:
    """The choice that a causal model finds most likely behind the question.

    Fields:
        per: what a log-likelihood is divided by: nothing (null), token, or byte of the choice.
    """

    choices: str = "choices"  # the column
    per: str | None = None

    def __post_init__(self) -> None:
        if self.per not in (None, "token", "byte"):
            raise ValueError(f"per must be null, token or byte, but got {self.per}")

    def outputs(self, model: Model, inputs: Any) -> list[list[tuple[float, int]]]:
        """For each question the log-likelihood (nats) and the number of tokens of each choice."""
        from runner.engine.branches import branch_scores

        return branch_scores(model, inputs)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """choice (its index), text, probabilities and log_likelihoods (nats) in the order of the choices."""
        sizes = features[0]["aside"]["bytes"]
        units = {None: [1] * len(sizes), "token": [tokens for _, tokens in outputs[0]], "byte": sizes}[self.per]
        scores = [likelihood / max(unit, 1) for (likelihood, _), unit in zip(outputs[0], units, strict=True)]
        best = max(range(len(scores)), key=lambda at: scores[at])
        shown = [round(p, DIGITS) for p in softmax(scores)]
        found = [round(likelihood, 6) for likelihood, _ in outputs[0]]
        return {
            "choice": best,
            "text": str(row[self.choices][best]),
            "probabilities": shown,
            "log_likelihoods": found,
        }
