"""Seeded bootstrap intervals (Efron 1979) of numbers that are functions of sums over examples."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import Any

from runner.types import Estimate

SEED = 0
REPLICATES = 1_000
LARGEST = 10_000  # groups that are drawn from: more examples are put together at random places in the data
DRAWS = 4_000_000  # cells that are drawn in all
BLOCK = 50  # replicates in memory at a time

Number = Callable[[Any], Any]  # (R, S) sums of R replicates to (R,) values


class Sums:
    """Sums of S statistics over examples, kept by groups of examples, so that memory is bounded.

    Example i is in group i modulo 10,000: up to there a group is an example. The groups are drawn with replacement.
    """

    def __init__(self, width: int):
        self.width = width
        self.groups = max(200, min(LARGEST, 2_000_000 // width))
        self.n = 0
        self._sums = array("d")

    def add(self, statistics: Iterable[float]) -> None:
        """Count one example."""
        at = self.n % self.groups * self.width
        if self.n < self.groups:
            self._sums.extend(statistics)
        else:
            for place, value in enumerate(statistics, at):
                self._sums[place] += value
        self.n += 1

    def estimate(self, number: Number) -> Estimate:
        """The number of all examples and its interval; no interval when there are fewer than two."""
        import numpy as np

        sums = np.array(self._sums).reshape(-1, self.width)
        value = float(number(sums.sum(axis=0, keepdims=True))[0])
        if self.n < 2:
            return Estimate(value, None, None, self.n)
        return percentiles(value, number(_resampled(sums)), self.n)


def percentiles(value: float, draws: Any, n: int) -> Estimate:
    """The middle 95 % of the replicates' values (R,), widened to the value itself where it lies outside."""
    import numpy as np

    low, high = (float(bound) for bound in np.quantile(draws, (0.025, 0.975)))
    return Estimate(value, min(low, value), max(high, value), n)


def tables(counts: Any) -> Any:
    """(R, cells) replicates of a table of counts: as many examples, each in a cell by its share."""
    import numpy as np

    n = int(counts.sum())
    replicates = max(200, min(REPLICATES, DRAWS // max(len(counts), 1)))
    return np.random.default_rng(SEED).multinomial(n, counts / n, size=replicates)


def _resampled(sums: Any) -> Any:
    """(R, S) sums of as many groups, drawn with replacement."""
    import numpy as np

    random = np.random.default_rng(SEED)
    groups = len(sums)
    found = []
    for _ in range(REPLICATES // BLOCK):
        drawn = random.integers(0, groups, (BLOCK, groups), dtype=np.int32)
        drawn += np.arange(BLOCK, dtype=np.int32)[:, None] * groups
        times = np.bincount(drawn.ravel(), minlength=BLOCK * groups).reshape(BLOCK, groups)
        found.append(times.astype(float) @ sums)
    return np.concatenate(found)
