"""Whether one run is better than another on the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

FLIPS = 9_999  # random ones of a permutation test
ENOUGH = 200  # as extreme ones: then the share is known well enough
NORMAL = 1.959964  # half the width of a 95 % interval, in standard deviations
SAME = 1e-12  # share of what is summed by which sums of the same numbers may differ
MOST = 20_000_000  # numbers that are drawn at a time


def by_row(scores: Mapping[int, Mapping[str, Any]], part: str | Sequence[str] | None) -> dict[int, float] | None:
    """For each row what it has in a number; None where the number is no mean over rows (an F1, a correlation).

    Args:
        scores: of the rows.
        part: the score whose mean the number is, or two whose sums it is the ratio of (see Metric): then it is a row's
            linearised part (Cochran 1977, 6.3).
    """
    if part is None or not scores:
        return None
    names = (part,) if isinstance(part, str) else tuple(part)
    rows = {row: [float(one[name]) for name in names] for row, one in scores.items() if all(n in one for n in names)}
    if not rows:
        return None
    if len(names) == 1:
        return {row: values[0] for row, values in rows.items()}
    top, bottom = (math.fsum(values[at] for values in rows.values()) for at in (0, 1))
    if not bottom:
        return None
    ratio, mean = top / bottom, bottom / len(rows)
    return {row: ratio + (y - ratio * x) / mean for row, (y, x) in rows.items()}


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> float | None:
    """The two-sided p-value of their means being the same, of the rows that both have; None where they have none.

    Where all differences have one size it is the exact sign test (McNemar 1947), else a permutation test that flips
    the signs of differences at random (Fisher 1935, section 21), seeded.
    """
    differences = [first[row] - second[row] for row in first if row in second]
    if not differences:
        return None
    unequal = [d for d in differences if d]
    if not unequal:
        return 1.0
    if max(map(abs, unequal)) - min(map(abs, unequal)) <= SAME * max(map(abs, unequal)):
        return _sign_test(sum(d > 0 for d in unequal), len(unequal))
    return _flipped(unequal)


def unpaired(first: tuple[float, float, float], second: tuple[float, float, float]) -> float | None:
    """The same from two values with their 95 % intervals, as if their rows were others: cautious where they are not."""
    halves = [(one[2] - one[1]) / 2 / NORMAL for one in (first, second)]
    spread = math.hypot(*halves)
    if not spread:
        return None
    return math.erfc(abs(first[0] - second[0]) / spread / math.sqrt(2))


def student(mean: float, variance: float, freedom: float) -> float | None:
    """The two-sided p-value of a mean being 0, by its variance, which has degrees of freedom (Student 1908)."""
    if not variance:
        return None if mean else 1.0
    if freedom > 1e6:
        return math.erfc(abs(mean) / math.sqrt(2 * variance))
    from mpmath import betainc

    return float(betainc(freedom / 2, 0.5, 0, freedom / (freedom + mean**2 / variance), regularized=True))


def holm(values: Sequence[float]) -> list[float]:
    """p-values of several comparisons so that any error among them stays as rare (Holm 1979)."""
    order = sorted(range(len(values)), key=lambda at: values[at])
    found, most = [0.0] * len(values), 0.0
    for rank, at in enumerate(order):
        most = max(most, min(1.0, values[at] * (len(values) - rank)))
        found[at] = most
    return found


def _sign_test(wins: int, trials: int) -> float:
    """Twice the binomial tail at one half, in logarithms: trials may be many."""
    few = min(wins, trials - wins)
    logs = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in range(few + 1)]
    return min(1.0, 2 * math.fsum(math.exp(one - trials * math.log(2)) for one in logs))


def _flipped(differences: Sequence[float]) -> float:
    import numpy as np

    values = np.asarray(differences)
    draw = np.random.default_rng(0)
    observed, extreme, done = abs(values.sum()) - SAME * np.abs(values).sum(), 1, 0
    while done < FLIPS:
        count = min(FLIPS - done, 1000, max(1, MOST // len(values)))
        signs = draw.integers(0, 2, size=(count, len(values)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ values) >= observed).sum())
        done += count
        if extreme > ENOUGH:
            break
    if extreme == 1:  # beyond what can be counted: the sum is nearly normal
        return min(1 / (done + 1), math.erfc(observed / math.sqrt(2 * float((values**2).sum()))))
    return extreme / (done + 1)
