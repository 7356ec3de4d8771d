"""Whether one run is better than another on the same rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

FLIPS = 9_999  # random ones of a permutation test
NEAR = 1e-6  # a score is what a number is the mean of, if their difference is at most this share
MOST = 20_000_000  # numbers that are drawn at a time


def by_row(scores: Mapping[int, Mapping[str, Any]], value: float) -> dict[int, float] | None:
    """For each row the part that it has in a number: a score whose mean the number is, or a ratio's linearised part.

    The number may also be the exponential of such a mean (perplexity). None where no score is found: then the number
    is no mean over rows (an F1, a correlation) and two runs cannot be compared row by row.
    """
    names = [name for name, one in next(iter(scores.values()), {}).items() if _is_number(one)]
    if not all(_is_number(one.get(name)) for one in scores.values() for name in names):
        return None
    columns = {name: [float(one[name]) for one in scores.values()] for name in names}
    wanted = [value, *([math.log(value)] if value > 0 else [])]
    for column in columns.values():
        if any(_near(sum(column) / len(column), one) for one in wanted):
            return dict(zip(scores, column, strict=True))
    for (_, top), (_, bottom) in itertools.permutations(columns.items(), 2):
        if sum(bottom) and any(_near(sum(top) / sum(bottom), one) for one in wanted):
            ratio = sum(top) / sum(bottom)
            mean = sum(bottom) / len(bottom)
            parts = [ratio + (y - ratio * x) / mean for y, x in zip(top, bottom, strict=True)]
            return dict(zip(scores, parts, strict=True))
    return None


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
    if max(map(abs, unequal)) - min(map(abs, unequal)) < 1e-12:
        return _sign_test(sum(d > 0 for d in unequal), len(unequal))
    return _flipped(unequal)


def unpaired(first: tuple[float, float, float], second: tuple[float, float, float]) -> float | None:
    """The same from two values with their 95 % intervals, as if their rows were others: cautious where they are not."""
    halves = [(one[2] - one[1]) / 2 / 1.959964 for one in (first, second)]
    spread = math.hypot(*halves)
    if not spread:
        return None
    return math.erfc(abs(first[0] - second[0]) / spread / math.sqrt(2))


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
    observed, extreme, done = abs(values.sum()), 1, 0
    while done < FLIPS:
        count = min(FLIPS - done, max(1, MOST // len(values)))
        signs = draw.integers(0, 2, size=(count, len(values)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ values) >= observed - 1e-12).sum())
        done += count
    return extreme / (FLIPS + 1)


def _near(found: float, wanted: float) -> bool:
    return abs(found - wanted) <= NEAR * max(abs(wanted), 1e-9)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
