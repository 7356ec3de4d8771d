"""Questions with choices to training examples: each choice beside the others of its question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.encode.choices import Choices
from runner.metrics.choice import position_of
from runner.teach.classes import check_smoothing
from runner.types import Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 500  # rows tokenised at a time


@dataclass(frozen=True)
class Choice(Teach):
    """A question, its choices, and which of them is right.

    Fields:
        column, choices, tokens: as in `runner.encode.choices.Choices`.
        target: the column that names the right one: its number from 0, a letter from A, or its text.
        label_smoothing: share of the probability that is spread over all choices.
    """

    column: str = "question"
    choices: str = "choices"
    tokens: int | None = None
    target: str = "label"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_smoothing(self.label_smoothing)

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column, self.choices, self.target)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """input_ids (token_type_ids): a list of C lists of T ints; labels: the number of the right one."""
        encode, remaining = Choices(self.column, self.choices, self.tokens), iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            for row, features in zip(chunk, encode(model, chunk), strict=True):
                names = [name for name in features[0] if name != "aside"]
                example: Features = {name: [feature[name] for feature in features] for name in names}
                yield example | {"labels": position_of(row[self.target], row[self.choices], row)}

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats of all questions."""
        from runner.engine.classes import class_loss

        others = {name: value for name, value in inputs.items() if name != "labels"}
        return class_loss(network(**others).logits, inputs["labels"], None, self.label_smoothing)

    def items(self, inputs: Inputs) -> int:
        """Questions."""
        return len(inputs["labels"])
