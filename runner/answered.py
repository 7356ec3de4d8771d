"""A row that has been answered, and its line of predictions.jsonl."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.types import Row, Scores

LONGEST = 4000  # characters of an input that predictions.jsonl keeps


@dataclass(frozen=True)
class Answered:
    """A row with its prediction, scores and, from the loop in the open, its trace."""

    row: Row
    prediction: Any
    scores: Scores
    trace: Any = None
    note: str | None = None  # how a row that is too long was treated
    tokens: Any = None  # new ones; a list where there are several sequences
    ended: Any = None  # why there are no more: end, length, time, stop; a list where there are several sequences


def as_record(answered: Answered) -> Mapping[str, Any]:
    """A line of predictions.jsonl."""
    row = answered.row
    canonical = {k: v for k, v in row.items() if k not in ("row", "place", "others")}
    others = {k: v for k, v in row.get("others", {}).items() if k not in canonical}
    record: dict[str, Any] = {
        "row": row["row"],
        "input": {k: _short(v) for k, v in (canonical | others).items()},
        "prediction": answered.prediction,
        "scores": answered.scores,
    }
    if answered.trace is not None:
        record["trace"] = answered.trace
    for name in ("tokens", "ended"):
        if getattr(answered, name) is not None:
            record[name] = getattr(answered, name)
    if answered.note is not None:
        record["note"] = answered.note
    return record


def _short(value: Any) -> Any:
    """What a line of JSON can hold, long texts cut off."""
    if not isinstance(value, str) and len(str(value)) > LONGEST:
        value = str(value)
    if isinstance(value, Mapping):
        return {str(key): _short(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_short(inner) for inner in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
