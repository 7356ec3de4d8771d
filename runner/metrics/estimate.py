"""Confidence intervals of means, shares and ratios, in one pass over the examples."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

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

    def share(self) -> Estimate:
        """A ratio that lies in [0, 1]; its interval does, too, and is no point where all examples are right.

        Wilson's interval for the number of independent trials that the variance amounts to: Korn and Graubard 1998,
        Survey Methodology 24. Of a sum of nothing the share is 0, and nothing is known about it.
        """
        if not self.x:
            return Estimate(0.0, 0.0, 1.0, self.n)
        plain = self.estimate()
        p = min(max(plain.value, 0.0), 1.0)
        if plain.high is None:
            return plain
        variance = ((plain.high - plain.value) / Z) ** 2
        trials = p * (1 - p) / variance if variance > 0 else 0.0
        if 0 < p < 1 and not trials:  # every example has the same value
            return Estimate(p, p, p, self.n)
        found = share(p * trials, trials) if trials else share(p * self.n, self.n)
        return Estimate(p, min(found.low or 0.0, p), max(found.high or 0.0, p), self.n)


def share(hits: float, n: float) -> Estimate:
    """A share of examples with its Wilson interval (Wilson 1927), which never leaves [0, 1]."""
    p = hits / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Estimate(p, min(p, low), max(p, high), int(n))  # 0 of 6: the last digits would leave 0 outside


def mean(values: Iterable[float]) -> Ratio:
    """The mean of one number an example, as a ratio: `estimate` it, or `share` where it lies in [0, 1]."""
    ratio = Ratio()
    for value in values:
        ratio.add(value, 1.0)
    return ratio


def known(estimate: Estimate, passed: str | None = None, **baselines: float) -> Estimate:
    """The estimate with what the same number comes to without a model, and the score that is 0 for a mistake."""
    return replace(estimate, baselines=baselines, passed=passed)
