"""Texts, or pairs of texts, each as one sequence of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.encode.fit import fit
from runner.types import Encode, Features, Model, Row


@dataclass(frozen=True)
class Texts(Encode):
    """A text, with a second one behind it where the row has one.

    Fields:
        tokens: longest sequence; longer ones are cut at their end. None: the model's context.
        pairs: whether a second text is needed.
    """

    column: str = "text"
    pair: str | None = "text_pair"
    tokens: int | None = None
    pairs: bool = False

    def __post_init__(self) -> None:
        if self.tokens is not None and self.tokens < 3:
            raise ValueError(f"tokens >= 3 must hold, but got {self.tokens}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column, self.pair) if self.pairs and self.pair else (self.column,)

    @property
    def optional(self) -> tuple[str, ...]:
        """See Encode."""
        return () if self.pair is None or self.pairs else (self.pair,)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row one feature: input_ids (and token_type_ids), lists of T ints."""
        made: list[list[Features]] = [[] for _ in rows]
        for paired in (False, True):
            places = [at for at, row in enumerate(rows) if (self.pair in row) == paired]
            if places:
                texts = [rows[at][self.column] for at in places]
                pairs = [rows[at][str(self.pair)] for at in places] if paired else None
                for at, feature in zip(places, fit(model, texts, pairs, self.tokens), strict=True):
                    made[at] = [feature]
        return made
