"""Confidence intervals of means, shares and ratios, in one pass over the examples."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runner.types import Estimate

Z = 1.959964  # 97.5 % quantile of the normal distribution: 95 % intervals


@dataclass
class Ratio:
    """The ratio of two sums over examples, e.g. log-likelihood per token; the interval is by linearisation.

    Cochran 1977, Sampling Techniques, 2.11 and 6.3: the variance of sum(y) / sum(x) is that of y - ratio * x.
    """

    n: int = 0
    y: float = 0.0
    x: float = 0.0
    yy: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def add(self, y: float, x: float) -> None:
        """Count one example."""
        self.n += 1
        self.y += y
        self.x += x
        self.yy += y * y
        self.xx += x * x
        self.xy += x * y

    def estimate(self) -> Estimate:
        """The ratio; no interval when there are fewer than two examples."""
        ratio = self.y / self.x
        if self.n < 2:
            return Estimate(ratio, None, None, self.n)
        squares = max(self.yy - 2 * ratio * self.xy + ratio * ratio * self.xx, 0.0)
        half = Z * math.sqrt(squares * self.n / (self.n - 1)) / self.x
        return Estimate(ratio, ratio - half, ratio + half, self.n)


def share(hits: float, n: int) -> Estimate:
    """A share of examples with its Wilson interval (Wilson 1927), which never leaves [0, 1]."""
    p = hits / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return Estimate(p, max(0.0, centre - half), min(1.0, centre + half), n)
