"""F1 and the Matthews correlation from how often each class was taken for each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.metrics.bootstrap import percentiles, tables
from runner.metrics.estimate import known
from runner.types import Estimate


def agreement(gold: Any, guess: Any, classes: int) -> Mapping[str, Estimate]:
    """macro_f1 and mcc of (n,) positions; intervals by the bootstrap of their table."""
    import numpy as np

    pairs, counts = np.unique(gold.astype(np.int64) * classes + guess, return_counts=True)
    rows, columns = pairs // classes, pairs % classes
    drawn = [_margins(table, rows, columns, classes) for table in (counts[None, :], tables(counts))]
    shares = np.bincount(gold, minlength=classes) / len(gold)
    most = shares.max()
    found = {}
    for name, number in {"macro_f1": macro_f1, "mcc": matthews}.items():
        value, draws = (number(*margins) for margins in drawn)
        found[name] = percentiles(float(value[0]), draws, len(gold))
    return {
        "macro_f1": known(
            found["macro_f1"],
            majority=float(2 * most / (1 + most) / np.count_nonzero(shares)),
            random=float(np.mean(2 * shares / (classes * shares + 1))),  # precision is the share, recall 1 / classes
        ),
        "mcc": known(found["mcc"], majority=0.0, random=0.0),
    }


def macro_f1(right: Any, guessed: Any, gold: Any) -> Any:
    """(R,) means of F1 over the classes that occur, as answers or as labels; from counts (R, classes)."""
    import numpy as np

    sizes = guessed + gold
    return (2 * right / np.maximum(sizes, 1)).sum(axis=1) / np.maximum((sizes > 0).sum(axis=1), 1)


def matthews(right: Any, guessed: Any, gold: Any) -> Any:
    """(R,) correlations R_K of answers and labels (Gorodkin 2004); 0 where either never varies."""
    import numpy as np

    right, guessed, gold = right.astype(float), guessed.astype(float), gold.astype(float)
    n = gold.sum(axis=1)
    above = right.sum(axis=1) * n - (guessed * gold).sum(axis=1)
    below = (n**2 - (guessed**2).sum(axis=1)) * (n**2 - (gold**2).sum(axis=1))
    return np.where(below > 0, above / np.sqrt(np.maximum(below, 1)), 0.0)


def _margins(tables: Any, rows: Any, columns: Any, classes: int) -> tuple[Any, Any, Any]:
    """Right answers, answers and labels of each class, each (R, classes), of the cells' counts (R, cells)."""
    right = _by(tables * (rows == columns), rows, classes)
    return right, _by(tables, columns, classes), _by(tables, rows, classes)


def _by(tables: Any, keys: Any, classes: int) -> Any:
    """(R, classes) sums of cells (R, cells) of the same key."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    present, starts = np.unique(keys[order], return_index=True)
    found = np.zeros((len(tables), classes), dtype=np.int64)
    found[:, present] = np.add.reduceat(tables[:, order], starts, axis=1)
    return found
