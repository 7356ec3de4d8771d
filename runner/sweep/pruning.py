"""Wilcoxon's signed ranks: whether a run that is under way is worse than the best one, on rows that both answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.sweep.entries import scores
from runner.sweep.paired import by_row

LEVEL = 0.1  # p-values below are worse; as in Optuna's pruner of this name, which is told one row at a time instead


@dataclass
class Best:
    """The best run so far.

    Fields:
        directory: of the run.
        parts: what each row has in the number.
    """

    directory: Path | None = None
    parts: Mapping[int, float] | None = None

    def beats(self, directory: Path, part: str | tuple[str, ...] | None, rows: Mapping[int, float], sign: int) -> bool:
        """Whether those rows are worse, one-sided; no where they cannot be compared.

        Args:
            directory: of the best run now.
            part: of the metric, see Metric.
            rows: what each row of the other one has so far.
            sign: 1 where larger is better, else -1.
        """
        if directory != self.directory:
            self.directory, self.parts = directory, by_row(dict(scores(directory)), part)
        known = self.parts or {}
        differences = [sign * (value - known[row]) for row, value in rows.items() if row in known]
        if not any(differences) or sum(differences) >= 0:
            return False
        from scipy.stats import wilcoxon

        found = wilcoxon(differences, zero_method="zsplit", alternative="less", method="asymptotic")
        return float(found.pvalue) < LEVEL
