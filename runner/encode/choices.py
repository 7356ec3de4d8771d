"""A question with its choices, each choice a sequence of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.encode.fit import fit
from runner.types import Encode, Features, Model, Row


@dataclass(frozen=True)
class Choices(Encode):
    """The question as the first text, a choice as the second.

    Fields:
        tokens: longest sequence; longer ones are cut at their end. None: the model's context.
    """

    column: str = "question"
    choices: str = "choices"
    tokens: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column, self.choices)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row a feature a choice: input_ids (and token_type_ids), lists of T ints."""
        pairs = [(row[self.column], str(choice)) for row in rows for choice in row[self.choices]]
        features = iter(fit(model, [first for first, _ in pairs], [second for _, second in pairs], self.tokens))
        return [[next(features) for _ in row[self.choices]] for row in rows]
