"""The area under the receiver operating characteristic: how often a positive example is ranked above a negative."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from runner.metrics.estimate import Z, known, share
from runner.types import Estimate


def auroc(problems: Iterable[tuple[Any, Any]]) -> Estimate | None:
    """The mean area over yes-or-no problems of the same n examples; None where none has both answers.

    The interval is DeLong's (1988, Biometrics 44), on the scale of log odds, where it cannot leave [0, 1]. Where all is
    ranked rightly, or wrongly, it is that of a share among as many examples as the rarer side has.

    Args:
        problems: (n,) scores, and (n,) whether the answer is yes.
    """
    import numpy as np

    areas: list[float] = []
    influence, rarer, n = np.zeros(0), 0, 0
    for values, positive in problems:
        n = len(values)
        if 0 < np.count_nonzero(positive) < n:
            area, one = _components(np.asarray(values, dtype=float), positive)
            areas.append(area)
            influence = one if not len(influence) else influence + one
            rarer = max(rarer, min(int(positive.sum()), int((~positive).sum())))
    if not areas:
        return None
    area = float(np.mean(areas))
    error = math.sqrt(float(influence @ influence)) / len(areas)
    return known(_around(area, error, rarer, n), majority=0.5, random=0.5)


def _around(area: float, error: float, rarer: int, n: int) -> Estimate:
    if error == 0 or area in (0.0, 1.0):
        plain = share(area * rarer, rarer)
        return Estimate(area, plain.low, plain.high, n)
    centre, half = math.log(area / (1 - area)), Z * error / (area * (1 - area))
    low, high = (1 / (1 + math.exp(min(-bound, 700.0))) for bound in (centre - half, centre + half))
    return Estimate(area, low, high, n)


def _components(values: Any, positive: Any) -> tuple[float, Any]:
    """The area, and (n,) what each example moves it by; ties count half."""
    import numpy as np

    yes, no = values[positive], values[~positive]
    above = _below(np.sort(no), yes)  # (positives,) share of negatives below each
    under = 1 - _below(np.sort(yes), no)  # (negatives,) share of positives above each
    area = float(above.mean())
    found = np.zeros(len(values))
    for side, parts in ((positive, above), (~positive, under)):
        count = len(parts)
        found[side] = (parts - area) / math.sqrt(count * max(count - 1, 1))
    return area, found


def _below(ordered: Any, values: Any) -> Any:
    """The share of `ordered` that lies below each value; ties count half."""
    import numpy as np

    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * len(ordered))
