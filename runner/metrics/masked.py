"""Whether hidden tokens are found: accuracy, loss and pseudo-perplexity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.metrics.estimate import Ratio, known
from runner.metrics.likelihood import through
from runner.types import Estimate, Row, Scores


@dataclass(frozen=True)
class MaskedTokens:
    """Over all hidden tokens together, each counting the same; intervals are over rows."""

    parts: ClassVar[Mapping[str, Any]] = {
        "accuracy": ("top1", "masked"),
        "accuracy_5": ("top5", "masked"),
        "loss": ("nll", "masked"),
        "pseudo_perplexity": ("nll", "masked"),
    }

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"accuracy": True, "accuracy_5": True, "loss": False, "pseudo_perplexity": False}

    def score(self, row: Row, prediction: Any) -> Scores:
        """masked (how many hidden tokens are known), top1, top5 (how many are found) and nll (nats, their sum)."""
        masked = prediction.get("masked") if isinstance(prediction, Mapping) else None
        known_ones = [one for one in masked or () if one.get("nll") is not None]
        if not known_ones:
            return {}
        sums = {name: sum(one[name] for one in known_ones) for name in ("top1", "top5", "nll")}
        return {"masked": len(known_ones), **sums}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """accuracy, accuracy_5, loss (nats a token) and pseudo_perplexity, its exponential (Salazar et al. 2020)."""
        first, fifth, loss = Ratio(), Ratio(), Ratio()
        for one in scores:
            if one.get("masked"):
                first.add(one["top1"], one["masked"])
                fifth.add(one["top5"], one["masked"])
                loss.add(one["nll"], one["masked"])
        if not loss.n:
            return {}
        nats = loss.estimate()
        return {
            "accuracy": known(first.share(), "top1"),
            "accuracy_5": known(fifth.share(), "top5"),
            "loss": nats,
            "pseudo_perplexity": through(nats, lambda value: math.exp(min(value, 700.0))),
        }
