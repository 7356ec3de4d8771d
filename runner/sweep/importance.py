"""How much of the differences between jobs each key accounts for.

The model is additive: a number is a sum of what each key's value contributes (Fisher's analysis of variance). The
share of a key is what R² loses without it. On a full grid keys are orthogonal, and that is exactly the variance of the
means of its values over the whole variance: a main effect in a functional ANOVA (Hutter, Hoos, Leyton-Brown 2014; Sobol
1993). In a search, whose keys go together, it is what only this key explains. What chance gives is found by permuting
what the other keys leave (Freedman and Lane 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.sweep.axes import Axis
from runner.sweep.paired import holm

FLIPS = 999  # permutations
MOST = 2_000  # jobs that are looked at, drawn at random
ROUNDING = 1e-9  # shares below are none
FREEDOM = 4  # jobs beyond the parameters: with fewer nothing can be said


@dataclass(frozen=True)
class Share:
    """What one key accounts for.

    Fields:
        share: of the variance, from 0 to 1.
        chance: what a key without any effect comes to in one case of twenty.
        p: of coming to so much by chance, corrected for the number of keys (Holm).
    """

    axis: Axis
    share: float
    chance: float
    p: float


@dataclass(frozen=True)
class Importance:
    """What the keys of a sweep account for, the first the most.

    Fields:
        shares: empty where there are too few jobs.
        together: R² of the additive model: what is missing to 1 is their acting together, and noise.
        jobs: whose numbers these are.
        needed: jobs without which nothing can be said.
    """

    shares: Sequence[Share]
    together: float
    jobs: int
    needed: int


def importance(axes: Sequence[Axis], values: Sequence[float]) -> Importance:
    """Of each axis for the values, those of the jobs that the axes' values are of."""
    import numpy as np

    axes = [one for one in axes if one.several]
    draw = np.random.default_rng(0)
    chosen = np.sort(draw.choice(len(values), min(len(values), MOST), replace=False))
    y = np.asarray(values, float)[chosen]
    values_ = [[one.values[at] for at in chosen] for one in axes]
    columns = [_columns(one, there, _follows(there, values_)) for one, there in zip(axes, values_, strict=True)]
    freedom = len(y) - 1 - sum(one.shape[1] for one in columns)
    needed = len(y) - freedom + FREEDOM
    total = float(((y - y.mean()) ** 2).sum())
    if not axes or freedom < FREEDOM or total <= 1e-12 * float((y**2).sum()):
        return Importance([], 0.0, len(y), needed)
    order = np.stack([np.arange(len(y)), *(draw.permutation(len(y)) for _ in range(FLIPS))], axis=1)
    whole = _basis(columns, len(y))
    found = []
    for at in range(len(columns)):
        rest = _basis(columns[:at] + columns[at + 1 :], len(y))
        left = (y - rest @ (rest.T @ y))[order]  # (jobs, permutations), as it is first
        shares = (((whole.T @ left) ** 2).sum(0) - ((rest.T @ left) ** 2).sum(0)) / total
        p = float((shares >= shares[0] - 1e-12).mean())
        share = float(shares[0])
        found.append((share if share > ROUNDING else 0.0, float(np.quantile(shares[1:], 0.95)), p))
    corrected = holm([p for _, _, p in found])
    made = [Share(one, share, c, p) for one, (share, c, _), p in zip(axes, found, corrected, strict=True)]
    together = float(((whole.T @ (y - y.mean())) ** 2).sum() / total)
    return Importance(sorted(made, key=lambda one: -one.share), together, len(y), needed)


def _follows(values: Sequence[float | None], others: Sequence[Sequence[float | None]]) -> bool:
    """Whether another key says where this one is: that it is missing there is the other's effect."""
    for other in others:
        pairs = {(one, value is None) for one, value in zip(other, values, strict=True)}
        if None not in other and len(pairs) == len(set(other)) < len(other):
            return None in values
    return False


def _columns(axis: Axis, values: Sequence[float | None], follows: bool) -> Any:
    """(jobs, parameters) a column for each value but the first, or place and its square where values are many.

    That a value is missing has a column as well, unless another key says where it is.
    """
    import numpy as np

    if axis.discrete:
        distinct = sorted({value for value in values if not (follows and value is None)}, key=lambda v: (v is None, v))
        return np.asarray([[value == one for one in distinct[1:]] for value in values], float)
    known = [0.0 if value is None else axis.place(value) for value in values]
    missing = [value is None for value in values]
    x = np.asarray(known, float)
    there = ~np.asarray(missing)
    x = np.where(there, (x - x[there].mean()) / (x[there].std() or 1.0), 0.0)
    return np.stack([x, x**2, *([np.asarray(missing, float)] if any(missing) and not follows else [])], axis=1)


def _basis(columns: Sequence[Any], jobs: int) -> Any:
    """Orthonormal columns that span a constant and the given ones (jobs, rank)."""
    import numpy as np

    vectors, sizes, _ = np.linalg.svd(np.concatenate([np.ones((jobs, 1)), *columns], axis=1), full_matrices=False)
    return vectors[:, sizes > 1e-10 * sizes[0]]
