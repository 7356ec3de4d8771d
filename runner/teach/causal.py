"""Texts to training features of a causal language model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from runner.types import Features, Row

CHUNK = 1000  # rows tokenised at a time


@dataclass(frozen=True)
class Causal:
    """Each text between the tokenizer's own start and end tokens; every token after the first is predicted."""

    column: str = "text"
    add_end: bool = True  # an end-of-text token is added where the tokenizer adds none

    def __call__(self, processor: Any, rows: Iterable[Row]) -> Iterator[Features]:
        """`input_ids` list of T ints; the labels of a causal model are its input_ids."""
        remaining = iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            for ids in processor([row[self.column] for row in chunk], truncation=False, verbose=False)["input_ids"]:
                yield {"input_ids": self._ended(processor, ids)}

    def _ended(self, processor: Any, ids: list[int]) -> list[int]:
        end = processor.eos_token_id if processor.eos_token_id is not None else processor.sep_token_id
        if self.add_end and end is not None and (not ids or ids[-1] != end):
            return [*ids, end]
        return ids
