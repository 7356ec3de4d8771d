"""Which classes the training rows hold, and what that means for the network's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.errors import DataError

GENERIC = "LABEL_"  # how transformers names classes that nobody has named
MOST = 10_000  # classes: more are no classes


def class_options(labels: Iterable[Any], config: Any, column: str) -> dict[str, Any]:
    """num_labels, id2label and label2id for these labels; nothing where the checkpoint's own classes cover them.

    Whole numbers from 0 are positions; other labels are put in order, numbers by size, texts by alphabet.

    Raises:
        DataError: all rows have one and the same label, or there are more labels than any classifier has.
    """
    seen = {_plain(label) for label in labels}
    if len(seen) > MOST:
        raise DataError(f"column {column!r} holds more than {MOST:,} different labels: is it the right column?")
    if len(seen) < 2:
        shown = next(iter(seen), "none")
        raise DataError(f"all training rows have one label ({shown}): there is nothing to tell apart")
    own = own_names(config)
    if own and all(label in own or _is_position(label, len(own)) for label in seen):
        return {}
    names = in_order(seen)
    return {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: at for at, name in enumerate(names)},
    }


def own_names(config: Any) -> list[str]:
    """The names that the checkpoint gives to its classes; none where they are the library's LABEL_0, LABEL_1."""
    names = [str(config.id2label[at]) for at in range(len(config.id2label))]
    return [] if all(name.startswith(GENERIC) for name in names) else names


def in_order(labels: Iterable[str]) -> list[str]:
    """Names by position: numbers up to the largest where all are whole numbers from 0, else sorted."""
    names = sorted(labels)
    if all(name.isdecimal() for name in names):
        most = max(int(name) for name in names)
        if most < 2 * len(names) + 8:
            return [str(at) for at in range(most + 1)]
        return sorted(names, key=int)
    return names


def weights(counts: Mapping[int, int], wanted: str | Mapping[str, float] | None, names: Sequence[str]) -> list[float]:
    """How much a row of each class counts: 1, the inverse of its share (balanced), or as given by name.

    Balanced is n / (classes * rows of the class), as King and Zeng 2001 and scikit-learn have it.
    """
    if wanted is None:
        return [1.0] * len(names)
    if isinstance(wanted, str):
        total = sum(counts.values())
        return [total / (len(names) * max(counts.get(at, 0), 1)) for at in range(len(names))]
    unknown = [name for name in wanted if str(name) not in names]
    if unknown:
        raise DataError(f"class_weights names {unknown[0]!r}, which is no class; known: {', '.join(names[:12])}")
    return [float({str(k): v for k, v in wanted.items()}.get(name, 1.0)) for name in names]


def check_weights(wanted: Any, smoothing: float) -> None:
    """Raises ValueError for class weights and label smoothing that mean nothing."""
    if isinstance(wanted, str) and wanted != "balanced":
        raise ValueError(f"class_weights must be null, balanced or {{label: weight}}, but got {wanted}")
    if isinstance(wanted, Mapping) and not all(isinstance(v, int | float) and v >= 0 for v in wanted.values()):
        raise ValueError(f"class_weights must be numbers from 0, but got {dict(wanted)}")
    check_smoothing(smoothing)


def check_smoothing(smoothing: float) -> None:
    """Raises ValueError for a label smoothing that is no share."""
    if not 0 <= smoothing < 1:
        raise ValueError(f"0 <= label_smoothing < 1 must hold, but got {smoothing}")


def _plain(label: Any) -> str:
    """A label as text: 1, 1.0, true and "1" are the same."""
    if isinstance(label, bool):
        return str(int(label))
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def _is_position(label: str, count: int) -> bool:
    return label.isdecimal() and int(label) < count
