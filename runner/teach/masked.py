"""Texts to training examples of a masked language model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.encode.tokens import check_fast
from runner.types import IGNORED, Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Generator, Tensor

CHUNK = 1000  # rows tokenised at a time


@dataclass(frozen=True)
class Masked(Teach):
    """Tokens hidden and to be found again; which ones is drawn anew each time a text is seen (Devlin 2019, 3.1).

    Fields:
        share: of the tokens that are hidden, special ones never.
        unit: token, word (all pieces of a word together) or span (Joshi 2020, SpanBERT: stretches of geometric length).
        keep, swap: of the hidden tokens, the share that stays as it is, and that becomes another one at random.
    """

    column: str = "text"
    share: float = 0.15
    unit: str = "token"
    keep: float = 0.1
    swap: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"0 < share < 1 must hold, but got {self.share}")
        if self.unit not in ("token", "word", "span"):
            raise ValueError(f"unit must be token, word or span, but got {self.unit}")
        if min(self.keep, self.swap) < 0 or self.keep + self.swap > 1:
            raise ValueError(f"keep and swap must be shares of at most 1 together, but got {self.keep}, {self.swap}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column,)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """`input_ids`, and `words`: the index of each token's word, -1 for special ones. Long texts come in pieces."""
        self.check_words(model)
        remaining = iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            texts = [row[self.column] for row in chunk]
            yield from encoded(model, texts)

    def check_words(self, model: Model) -> None:
        """Raises CheckpointError where whole words are hidden and the tokenizer does not know them."""
        if self.unit == "word":
            check_fast(model, "hiding whole words")

    def prepare(self, model: Model, inputs: Inputs, generator: Generator) -> Inputs:
        """Hides tokens: labels (B, T) hold them, input_ids (B, T) the mask in their place."""
        from runner.engine.masking import hide

        return hide(model, inputs, self, generator)

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats of all hidden tokens."""
        from runner.engine.losses import masked_token_loss

        return masked_token_loss(network, inputs)[0]

    def items(self, inputs: Inputs) -> int:
        """Hidden tokens."""
        return int((inputs["labels"] != IGNORED).sum())


def encoded(model: Model, texts: list[str], pairs: list[str] | None = None) -> Iterator[Features]:
    """Features with `words`, in pieces that fit the model's context; of a pair only the first piece."""
    if not texts:  # tokenizers refuse nothing
        return
    long = {"truncation": True, "max_length": model.context, "return_overflowing_tokens": pairs is None}
    made = model.processor(
        texts, pairs, verbose=False, return_special_tokens_mask=True, **long if model.context else {}
    )
    for at, ids in enumerate(made["input_ids"]):
        special = made["special_tokens_mask"][at]
        words = made.word_ids(at) if made.is_fast else list(range(len(ids)))
        known = [-1 if mark or word is None else word for word, mark in zip(words, special, strict=True)]
        features = {"input_ids": ids, "words": known}
        if "token_type_ids" in made:
            features["token_type_ids"] = made["token_type_ids"][at]
        yield features
