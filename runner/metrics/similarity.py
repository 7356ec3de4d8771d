"""Similarities of pairs of texts against those that people gave."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.metrics.correlation import correlations
from runner.metrics.labels import place, real
from runner.types import Estimate, Row, Scores


@dataclass(frozen=True)
class Similarity:
    """Correlations with the gold `score`, whatever its scale."""

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"spearman": True, "pearson": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """similarity and gold_similarity."""
        if row.get("score") is None or not isinstance(prediction, Mapping) or "similarity" not in prediction:
            return {}
        return {
            "similarity": float(prediction["similarity"]),
            "gold_similarity": real(row["score"], "score", place(row)),
        }

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """spearman, pearson; neither where one side is always the same."""
        found, gold = array("d"), array("d")
        for one in scores:
            if "gold_similarity" in one:
                found.append(one["similarity"])
                gold.append(one["gold_similarity"])
        result = correlations(found, gold)
        return {name: result[name] for name in self.numbers() if name in result}
