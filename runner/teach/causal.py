"""Texts to training examples of a causal language model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.types import IGNORED, Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1000  # rows tokenised at a time


@dataclass(frozen=True)
class Causal(Teach):
    """Each text between the tokenizer's own start and end tokens; every token after the first is predicted."""

    column: str = "text"
    add_end: bool = True  # an end-of-text token is added where the tokenizer adds none

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column,)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """`input_ids`, a list of at most as many ints as the model's context; the labels are the input_ids.

        Pieces of a longer text share a token, so that each is predicted once.
        """
        processor, remaining = model.processor, iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            for ids in processor([row[self.column] for row in chunk], truncation=False, verbose=False)["input_ids"]:
                ids = self._ended(processor, ids)
                size = model.context or len(ids)
                for start in range(0, max(len(ids) - 1, 1), max(size - 1, 1)):
                    yield {"input_ids": ids[start : start + size]}

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats of all predicted tokens."""
        from runner.engine.losses import next_token_loss

        return next_token_loss(network, inputs)

    def items(self, inputs: Inputs) -> int:
        """Predicted tokens."""
        return int((inputs["labels"][:, 1:] != IGNORED).sum())

    def _ended(self, processor: Any, ids: list[int]) -> list[int]:
        end = processor.eos_token_id if processor.eos_token_id is not None else processor.sep_token_id
        if self.add_end and end is not None and (not ids or ids[-1] != end):
            return [*ids, end]
        return ids
