"""Texts that must fit the model's context."""

from __future__ import annotations

from typing import Any

from runner.errors import DataError
from runner.types import Features, Model, Row

PASSED_ON = ("input_ids", "token_type_ids")  # of what a tokenizer makes


def fit(model: Model, row: Row, encoded: Any, at: int) -> Features:
    """The feature of one row of a tokenizer's output.

    Raises:
        DataError: it is longer than the model's context.
    """
    feature = {name: list(encoded[name][at]) for name in PASSED_ON if name in encoded}
    length = len(feature["input_ids"])
    if model.context is not None and length > model.context:
        where = row.get("place", row["row"])
        raise DataError(f"{where}: the text has {length} tokens, the context of {model.name} is {model.context}")
    return feature
