"""Whether a run that is under way is worse than the best one, on rows that both answered; or can come to no more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.sweep.entries import scores
from runner.sweep.paired import by_row

LEVEL = 0.05  # p-values below are worse
EXACT = 50  # unequal rows up to which the distribution of the ranks is counted out


@dataclass
class Best:
    """The best run so far.

    Fields:
        directory: of the run.
        parts: what each row has in the number.
        whole: whether every row that it answered has something in it.
    """

    directory: Path | None = None
    parts: Mapping[int, float] = field(default_factory=dict)
    whole: bool = False

    def beats(
        self,
        directory: Path,
        part: str | tuple[str, ...] | None,
        rows: Mapping[int, float],
        sign: int,
        perfect: float | None = None,
    ) -> bool:
        """Whether another run has nothing to hope for; no where they cannot be compared.

        It is worse by Wilcoxon's signed ranks (Wilcoxon 1945), one-sided, or would come to no more if all its further
        rows were perfect; that is said only where each row counts, for a row that the best run left out may count here.

        Args:
            directory: of the best run now.
            part: of the metric, see Metric.
            rows: what each row of the other one has so far.
            sign: 1 where larger is better, else -1.
            perfect: see Metric.
        """
        if directory != self.directory:
            self.directory, self.parts = directory, by_row(dict(scores(directory)), part) or {}
            self.whole = bool(self.parts) and _lines(directory / "predictions.jsonl") == len(self.parts)
        known = self.parts
        differences = [sign * (value - known[row]) for row, value in rows.items() if row in known]
        if not differences:
            return False
        ahead = math.fsum(differences)
        if perfect is not None and self.whole and rows.keys() <= known.keys():
            hope = math.fsum(sign * (perfect - value) for row, value in known.items() if row not in rows)
            if ahead + hope <= 1e-9 * len(known):
                return True
        return ahead < 0 and _p_value([one for one in differences if one]) < LEVEL


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _p_value(unequal: list[float]) -> float:
    """Of differences that are not negative in truth; equal rows say nothing, as in McNemar's test."""
    from scipy.stats import wilcoxon

    method = "exact" if len(unequal) <= EXACT else "asymptotic"
    return float(wilcoxon(unequal, alternative="less", method=method).pvalue)
