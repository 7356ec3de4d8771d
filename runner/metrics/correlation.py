"""Pearson's and Spearman's correlation of two numbers an example."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runner.metrics.estimate import Z
from runner.types import Estimate


def correlations(first: Sequence[float], second: Sequence[float]) -> Mapping[str, Estimate]:
    """pearson and spearman; nothing where either number never varies."""
    import numpy as np

    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return {}
    return {"pearson": _linearised(x, y, ranked=False), "spearman": _linearised(_ranks(x), _ranks(y), ranked=True)}


def _around(r: float, deviation: float, n: int) -> Estimate:
    """An interval on the scale of Fisher's z (Fisher 1921); none for fewer than four examples."""
    baselines = {"random": 0.0}
    if n < 4:
        return Estimate(r, None, None, n, baselines)
    centre = math.atanh(min(max(r, -1 + 1e-15), 1 - 1e-15))
    low, high = math.tanh(centre - Z * deviation), math.tanh(centre + Z * deviation)
    return Estimate(r, min(low, r), max(high, r), n, baselines)


def _linearised(x: Any, y: Any, ranked: bool) -> Estimate:
    """The correlation with the deviation of its z by linearisation, which supposes no distribution.

    The influence of an example on r is xy - r (x^2 + y^2) / 2 in standard units: Devlin, Gnanadesikan and Kettenring
    1975, Biometrika 62. Where x and y are ranks it moves the ranks of the others, too (Hoeffding 1948, Annals of
    Mathematical Statistics 19). n - 3 in place of n as in Fisher's variance, which it comes to for normal numbers.
    """
    import numpy as np

    n = len(x)
    steps = n / x.std(), n / y.std()  # what all ranks together are raised by
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    r = min(max(float((x * y).mean()), -1.0), 1.0)
    influence = x * y - r * (x * x + y * y) / 2
    if ranked:
        influence += steps[0] * _pull(x, y - r * x) + steps[1] * _pull(y, x - r * y)
    variance = float(np.mean(influence**2)) / max(1 - r * r, 1e-15) ** 2
    return _around(r, math.sqrt(variance / max(n - 3, 1)), n)


def _pull(ranks: Any, weights: Any) -> Any:
    """(n,) how much each example moves the mean weight of a rank by raising the ranks above it."""
    import numpy as np

    _, places = np.unique(ranks, return_inverse=True)
    sums = np.bincount(places, weights=weights)
    above = (sums[::-1].cumsum()[::-1] - sums / 2)[places] / len(ranks) ** 2
    return above - above.mean()


def _ranks(values: Any) -> Any:
    """Ranks from 1; ties share the mean of theirs."""
    import numpy as np

    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[places]
