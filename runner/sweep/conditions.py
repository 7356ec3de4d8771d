"""What the numbers of a run must be besides good: `seconds<=10`, `perplexity>=2`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

RELATIONS: dict[str, Callable[[float, float], float]] = {  # to what Optuna calls feasible: at most 0
    "<=": lambda value, bound: value - bound,
    ">=": lambda value, bound: bound - value,
}


def condition(text: str) -> tuple[str, str, float] | None:
    """The number, the relation and the bound; None of what is no condition."""
    for relation in RELATIONS:
        name, found, bound = text.partition(relation)
        if found:
            try:
                return (name.strip(), relation, float(bound)) if math.isfinite(float(bound)) else None
            except ValueError:
                return None
    return None


def conditions(texts: Sequence[str], numbers: Mapping[str, float]) -> dict[str, float]:
    """How far each condition is from being met: at most 0 where it is, infinite where its number is none."""
    found = {}
    for text in texts:
        known = condition(text)
        assert known is not None
        name, relation, bound = known
        missed = RELATIONS[relation](numbers[name], bound) if name in numbers else math.inf
        found[text] = math.inf if math.isnan(missed) else missed
    return found


def broken(texts: Sequence[str], numbers: Mapping[str, float]) -> list[str]:
    """The conditions that are not met."""
    return [text for text, missed in conditions(texts, numbers).items() if missed > 0]
