"""Several texts of a row, each as a sequence of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.encode.fit import fit
from runner.types import Encode, Features, Model, Row


@dataclass(frozen=True)
class Each(Encode):
    """The texts of some columns, one after the other.

    Fields:
        of: the columns.
        prefixes: what some checkpoints were taught to expect before a text, by column: query: "query: ".
        tokens: longest sequence; longer ones are cut at their end. None: the model's context.
    """

    of: list[str] = field(default_factory=lambda: ["text"])
    prefixes: dict[str, str] = field(default_factory=dict)
    tokens: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return tuple(self.of)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row a feature a column: input_ids (and token_type_ids), lists of T ints."""
        texts = [self.prefixes.get(name, "") + str(row[name]) for row in rows for name in self.of]
        features = iter(fit(model, texts, tokens=self.tokens))
        return [[next(features) for _ in self.of] for _ in rows]
