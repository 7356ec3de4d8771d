"""Labels as people write them in data to the positions of a model's classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.errors import DataError
from runner.types import Row

SHOWN = 12  # names of classes in an error
UNLABELLED = -1  # what the published data sets of GLUE write in test splits, whose labels are not published


def place(row: Row) -> str:
    """Where a row stands, for the start of an error."""
    return str(row.get("place", f"row {row.get('row', '?')}"))


def is_unlabelled(label: Any, names: Sequence[str]) -> bool:
    """Whether a row has no label: null or an empty list, or -1, where that is not the name of a class."""
    return label is None or label == [] or (_number(label) == UNLABELLED and str(label) not in names)


def position(label: Any, names: Sequence[str], where: str) -> int:
    """The position of a label among `names`: a name first of all, then a number as a position, from 0.

    Raises:
        DataError: when it is neither.
    """
    if isinstance(label, str) and label in names:
        return names.index(label)
    number = _number(label)
    if number is not None and 0 <= number < len(names):
        return number
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    raise DataError(f"{where}: label {label!r} is not among the model's: {shown}")


def positions(labels: Any, names: Sequence[str], where: str) -> list[int]:
    """The positions of several labels, in order.

    A list of as many zeros and ones as there are classes is an indicator of each: [0, 1] of two classes is the second
    one, and not both. One label alone counts as a list of it.

    Raises:
        DataError: when one of them is not a class.
    """
    given = list(labels) if isinstance(labels, list | tuple) else [labels]
    numbers = [None if isinstance(label, str) else _number(label) for label in given]
    if len(given) == len(names) and all(number in (0, 1) for number in numbers):
        return [at for at, number in enumerate(numbers) if number]
    return sorted({position(label, names, where) for label in given})


def real(value: Any, column: str, where: str) -> float:
    """A number, or a text that is one.

    Raises:
        DataError: when it is no finite number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if number - number != 0:  # NaN or infinite
        raise DataError(f"{where}: {column} must be a number, got {value!r}: correct it or leave it out")
    return number


def _number(label: Any) -> int | None:
    try:
        number = float(label)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None
