"""The labels that a split's target column holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

from runner.data.split import Split
from runner.data.strict_json import kind
from runner.errors import DataError

MOST = 100_000  # different values; columns of more are texts or ids


def labels(split: Split, column: str) -> Counter[Any]:
    """How often each value of a canonical column stands in the split, in one pass; of a list, each of its elements.

    Values are counted as they are, "1" apart from 1; rows without one are not.

    Raises:
        DataError: when a value is no label, or there are too many different ones.
    """
    counts: Counter[Any] = Counter()
    for row in split:
        value = row.get(column)
        for label in value if isinstance(value, list) else [] if value is None else [value]:
            if not isinstance(label, Hashable):
                raise DataError(f"{row['place']}: {column} is {kind(label)}, not a label: a text, a number or a list")
            counts[label] += 1
        if len(counts) > MOST:
            raise DataError(f"{split.name}: {column} has more than {MOST:,} different values: these are no labels")
    return counts
