"""Windows of a text to how well the model predicts it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.types import Features, Model, Row


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood of each text: a token is scored in one window only."""

    column: str = "text"

    def outputs(self, model: Model, inputs: Any) -> list[dict[str, float]]:
        """For each window of a batch: nll in nats, tokens scored, tokens whose most probable guess was right."""
        from runner.engine.likelihood import token_scores

        return token_scores(model, inputs)

    def __call__(
        self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]
    ) -> dict[str, float]:
        """nll (nats), tokens, correct and bytes of the text, with perplexity and bits per byte."""
        total = {name: sum(output[name] for output in outputs) for name in ("nll", "tokens", "correct")}
        size = len(row[self.column].encode())
        tokens = max(total["tokens"], 1)
        return {
            "perplexity": round(math.exp(min(total["nll"] / tokens, 700.0)), 4),
            "bits_per_byte": round(total["nll"] / math.log(2) / max(size, 1), 6),
            "accuracy": round(total["correct"] / tokens, 6),
            "nll": round(total["nll"], 6),
            "tokens": total["tokens"],
            "correct": total["correct"],
            "bytes": size,
        }
