"""The expected calibration error: how far confidence is from accuracy."""

from __future__ import annotations

from typing import Any

from runner.metrics.bootstrap import tables
from runner.metrics.estimate import Z
from runner.types import Estimate

BINS = 15  # Guo et al. 2017, table 1


def calibration_error(confidence: Any, correct: Any) -> Estimate:
    """Guo et al. 2017, eq. 3: the mean over examples of |accuracy - confidence| of their bin of (low, high].

    Args:
        confidence: (n,) probabilities of the answers.
        correct: (n,) 0 or 1.
    """
    import numpy as np

    n = len(confidence)
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    cells = bins * 2 + correct.astype(int)
    counts = np.bincount(cells, minlength=2 * BINS)
    means = np.bincount(cells, weights=correct - confidence, minlength=2 * BINS) / np.maximum(counts, 1)
    gaps = (counts * means).reshape(BINS, 2).sum(axis=1) / n
    noise = (tables(counts) * means).reshape(-1, BINS, 2).sum(axis=2) / n - gaps
    value = float(np.abs(gaps).sum())
    # The gaps found differ more than the true ones do, which takes too much off the upper bound: not below the one
    # that holds where no gap changes its sign by chance.
    plain = value + Z * float((noise @ np.sign(gaps)).std())
    return Estimate(value, min(_bound(gaps, noise, 0.975), value), min(max(_bound(gaps, noise, 0.025), plain), 1.0), n)


def _bound(gaps: Any, noise: Any, quantile: float) -> float:
    """The true error for which what was found is this quantile: test inversion, Carpenter 1999, JRSS B 61.

    Chance makes a sum of |gap| too large, the more so the smaller the gaps are, so that no interval around the value
    holds the truth. The gaps (BINS,) are scaled until their sum with noise (R, BINS) is the value found.
    """
    import numpy as np

    value = np.abs(gaps).sum()
    low, high = 0.0, 4.0
    for _ in range(20):
        scale = (low + high) / 2
        over = np.quantile(np.abs(scale * gaps + noise).sum(axis=1), quantile) > value
        low, high = (low, scale) if over else (scale, high)
    return min(float(low * value), 1.0)
