"""The step of a run that makes its network smaller, and says what this changes."""

from __future__ import annotations

import dataclasses
from itertools import islice
from typing import Any

from runner.predict import Predictor
from runner.running import Run, many

COMPARED = 16  # rows where texts are generated; else a window


def quantized(this: Run, model: Any) -> Any:
    """The model as engine.quantize has it; the first rows are answered by both, and how many answers differ is told."""
    if this.config.engine.quantize is None:
        return model
    from runner.engine.quantized import int8

    model = dataclasses.replace(model, prefilled=None)
    small = dataclasses.replace(model, network=int8(model.network))
    rows = list(islice(this.splits["rows"], COMPARED if this.way.generates else this.config.data.window_rows))
    exact, found = ({a.row["row"]: a.prediction for a in _answers(this, one, rows)} for one in (model, small))
    changed = sum(without_numbers(found[row]) != without_numbers(exact[row]) for row in exact)
    apart = max((_apart(found[row], exact[row]) for row in exact), default=0.0)
    share = changed / max(len(exact), 1)
    told = f"{changed} of {many(len(exact), 'answer')} differ from those in float32 ({share:.1%})"
    this.say(f"engine.quantize=int8: {told}, numbers in them by at most {apart:.2g}")
    return small


def _answers(this: Run, model: Any, rows: list[Any]) -> Any:
    for batch in Predictor(model, this.way, this.config).answers(rows):
        yield from batch


def without_numbers(answer: Any) -> Any:
    """What of an answer is not a fraction: labels, texts, places."""
    if isinstance(answer, dict):
        return {key: without_numbers(value) for key, value in answer.items() if not isinstance(value, float)}
    if isinstance(answer, list | tuple):
        return [without_numbers(value) for value in answer if not isinstance(value, float)]
    return None if isinstance(answer, float) else answer


def _apart(answer: Any, other: Any) -> float:
    """The largest difference between two fractions at the same place of both answers."""
    if isinstance(answer, float) and isinstance(other, float):
        return abs(answer - other)
    if isinstance(answer, dict) and isinstance(other, dict):
        return max((_apart(answer[key], other[key]) for key in answer.keys() & other.keys()), default=0.0)
    if isinstance(answer, list) and isinstance(other, list):
        return max((_apart(a, b) for a, b in zip(answer, other, strict=False)), default=0.0)
    return 0.0
