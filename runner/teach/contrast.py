"""Texts that belong together to training examples of an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from runner.encode.each import Each
from runner.metrics.labels import place, real
from runner.teach.pretraining import SENTENCE
from runner.types import Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1000  # rows tokenised at a time
LOSSES = ("in_batch", "cosine", "triplet")


@dataclass(frozen=True)
class Contrast(Teach):
    """Texts that belong together come to lie close.

    Fields:
        of: the columns of the two texts; of a third, a text that does not belong to the first (in_batch, triplet). One
            column alone: two neighbouring sentences of its texts belong together.
        by: in_batch (each first text finds its second among all of the step: Henderson 2017), cosine (squared
            difference between cosine and the column `score`, brought to 0..1), triplet (the second is nearer than the
            third by a margin: Schroff 2015).
        pooling: as in `runner.interpret.embedding.Embedding`.
        temperature: of in_batch; cosines are divided by it.
        margin: of triplet, in cosine distance.
        both_ways: in_batch: each second text finds its first, too.
        scale: the value of `score` that stands for a cosine of 1.
        prefixes, tokens: as in `runner.encode.each.Each`.
    """

    of: list[str] = field(default_factory=lambda: ["sentence1", "sentence2"])
    by: str = "in_batch"
    target: str = "score"
    pooling: str = "mean"
    temperature: float = 0.05
    margin: float = 0.2
    both_ways: bool = True
    scale: float = 1.0
    prefixes: dict[str, str] = field(default_factory=dict)
    tokens: int | None = None

    whole_step: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.by not in LOSSES:
            raise ValueError(f"by must be one of {', '.join(LOSSES)}, but got {self.by}")
        if not (self.temperature > 0 and self.scale > 0 and self.margin >= 0):
            raise ValueError("temperature > 0, scale > 0 and margin >= 0 must hold")
        counts = {"in_batch": (1, 2, 3), "cosine": (2,), "triplet": (3,)}[self.by]
        if len(self.of) not in counts:
            raise ValueError(f"of must name {' or '.join(map(str, counts))} columns of texts, but names {len(self.of)}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (*self.of, self.target) if self.by == "cosine" else tuple(self.of)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """input_ids (token_type_ids): a list of lists of T ints, one a text; labels: the score, or 0."""
        alone = len(self.of) == 1
        encode = Each(["first", "second"] if alone else self.of, self.prefixes, self.tokens)
        remaining = _neighbours(rows, self.of[0]) if alone else iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            for row, features in zip(chunk, encode(model, chunk), strict=True):
                names = [name for name in features[0] if name != "aside"]
                example: Features = {name: [feature[name] for feature in features] for name in names}
                score = real(row[self.target], self.target, place(row)) / self.scale if self.by == "cosine" else 0.0
                yield example | {"labels": score}

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Summed over rows."""
        from runner.engine.contrast import contrast_loss

        return contrast_loss(network, inputs, self)

    def items(self, inputs: Inputs) -> int:
        """Rows."""
        return len(inputs["labels"])


def _neighbours(rows: Iterable[Row], column: str) -> Iterator[Row]:
    """Two sentences of each text that has two, which ones by its place in the data."""
    for row in rows:
        sentences = SENTENCE.findall(row[column])
        if len(sentences) > 1:
            at = row["row"] % (len(sentences) - 1)
            yield {"row": row["row"], "first": sentences[at], "second": sentences[at + 1]}
