"""How well hidden tokens were found again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.metrics.estimate import Ratio
from runner.types import Estimate, Row, Scores


@dataclass(frozen=True)
class MaskedTokens:
    """Over all hidden tokens, every one counting the same; intervals are over rows."""

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"accuracy": True, "accuracy_5": True, "loss": False, "pseudo_perplexity": False}

    def score(self, row: Row, prediction: Any) -> Scores:
        """Of one row: nll (nats), hidden tokens, first guesses that were right, right ones among the first five."""
        found = prediction["masked"]
        return {
            "nll": round(sum(one["nll"] for one in found), 6),
            "tokens": len(found),
            "correct": sum(one["top1"] for one in found),
            "correct_5": sum(one["top5"] for one in found),
        }

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """accuracy and accuracy_5 (shares of tokens), loss (nats a token), pseudo_perplexity (its exponential)."""
        sums = {"nll": Ratio(), "correct": Ratio(), "correct_5": Ratio()}
        for one in scores:
            if one.get("tokens"):
                for name, ratio in sums.items():
                    ratio.add(one[name], one["tokens"])
        if not sums["nll"].n:
            return {}
        loss = sums["nll"].estimate()
        bounds = [None if bound is None else math.exp(min(bound, 700.0)) for bound in (loss.low, loss.high)]
        return {
            "accuracy": sums["correct"].estimate(),
            "accuracy_5": sums["correct_5"].estimate(),
            "loss": loss,
            "pseudo_perplexity": Estimate(math.exp(min(loss.value, 700.0)), bounds[0], bounds[1], loss.n),
        }
