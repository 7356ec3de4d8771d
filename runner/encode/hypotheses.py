"""A text beside a sentence for each candidate label, for a model that knows what follows from what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.encode.fit import fit
from runner.errors import DataError
from runner.types import Encode, Features, Model, Row


@dataclass(frozen=True)
class Hypotheses(Encode):
    """The text as premise, the template with a label as hypothesis (Yin 2019).

    Fields:
        labels: candidates for all rows; None: each row brings its own in the column `candidates`, a list or a text
            with commas.
        template: with {} where the label goes.
        tokens: longest sequence; longer ones are cut at their end. None: the model's context.
    """

    column: str = "text"
    labels: list[str] | None = None
    template: str = "This example is {}."
    tokens: int | None = None

    def __post_init__(self) -> None:
        if self.template.count("{}") != 1:
            raise ValueError(f"template must hold {{}} once, where the label goes, but is {self.template!r}")
        if self.labels is not None and not self.labels:
            raise ValueError("labels must be null or name a candidate, but is empty")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ from one another")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column,) if self.labels is not None else (self.column, "candidates")

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row a feature a label: input_ids (and token_type_ids); `aside` holds the label."""
        candidates = [self._candidates(row) for row in rows]
        texts = [row[self.column] for row, labels in zip(rows, candidates, strict=True) for _ in labels]
        hypotheses = [self.template.format(label) for labels in candidates for label in labels]
        features = iter(fit(model, texts, hypotheses, self.tokens))
        return [[_named(next(features), label) for label in labels] for labels in candidates]

    def _candidates(self, row: Row) -> list[str]:
        if self.labels is not None:
            return self.labels
        given = row["candidates"]
        labels = [str(label).strip() for label in (given.split(",") if isinstance(given, str) else given)]
        if not all(labels) or len(set(labels)) != len(labels):
            raise DataError(f"{row.get('place', row['row'])}: candidates must be different labels, got {given!r}")
        return labels


def _named(feature: Features, label: str) -> Features:
    return feature | {"aside": feature.get("aside", {}) | {"label": label}}
