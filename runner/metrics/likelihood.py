"""Loss, perplexity, bits per byte and token accuracy of texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.metrics.estimate import Ratio
from runner.types import Estimate, Row, Scores


@dataclass(frozen=True)
class Likelihood:
    """Over all texts together, every token or byte counting the same; intervals are over texts."""

    parts: ClassVar[Mapping[str, Any]] = {
        "perplexity": ("nll", "tokens"),
        "loss": ("nll", "tokens"),
        "bits_per_byte": ("nll", "bytes"),
        "accuracy": ("correct", "tokens"),
    }

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"perplexity": False, "loss": False, "bits_per_byte": False, "accuracy": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """nll (nats), tokens, correct and bytes of one text."""
        return {name: prediction[name] for name in ("nll", "tokens", "correct", "bytes")}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """loss (nats a token), perplexity, bits_per_byte, accuracy."""
        per_token, per_byte, correct = Ratio(), Ratio(), Ratio()
        for one in scores:
            if one.get("tokens"):
                per_token.add(one["nll"], one["tokens"])
                per_byte.add(one["nll"] / math.log(2), one["bytes"])
                correct.add(one["correct"], one["tokens"])
        if not per_token.n:
            return {}
        loss = per_token.estimate()
        return {
            "perplexity": through(loss, lambda v: math.exp(min(v, 700.0))),
            "loss": loss,
            "bits_per_byte": per_byte.estimate(),
            "accuracy": correct.estimate(),
        }


def through(estimate: Estimate, monotone: Callable[[float], float]) -> Estimate:
    """The estimate of a rising function of the number."""
    low, high = (None if bound is None else monotone(bound) for bound in (estimate.low, estimate.high))
    return Estimate(monotone(estimate.value), low, high, estimate.n)
