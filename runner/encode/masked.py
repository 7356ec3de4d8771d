"""Texts with blanks to fill, and texts of which some tokens are hidden to see whether they are found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from runner.encode.fit import fit
from runner.errors import DataError
from runner.types import IGNORED, Encode, Features, Model, Row


@dataclass(frozen=True)
class Blanks(Encode):
    """Texts that hold the tokenizer's mask token, once or several times; [MASK] is understood by every tokenizer."""

    column: str = "text"

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column,)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row one feature: input_ids, a list of T ints.

        Raises:
            DataError: a text holds no blank.
        """
        mask = model.processor.mask_token
        texts = [row[self.column].replace("[MASK]", mask) for row in rows]
        features = fit(model, texts)
        for row, feature in zip(rows, features, strict=True):
            if model.processor.mask_token_id not in feature["input_ids"]:
                raise DataError(f"{row.get('place', row['row'])}: {self.column} has no blank to fill: write {mask}")
        return [[feature] for feature in features]


@dataclass(frozen=True)
class Hidden(Encode):
    """Whole texts of which tokens are hidden, the same ones each time; long texts come in pieces.

    Fields:
        share: of the tokens, at least one; special tokens are never hidden.
        every: each token is hidden once, alone, in a copy of its own: for the pseudo-perplexity (Salazar 2020).
        seed: decides which tokens are hidden.
    """

    column: str = "text"
    share: float = 0.15
    every: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"0 < share <= 1 must hold, but got {self.share}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column,)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row its pieces: input_ids and labels, lists of T ints; labels are -100 where nothing is hidden."""
        long = {"truncation": True, "max_length": model.context, "return_overflowing_tokens": True}
        features = []
        for row in rows:
            made = model.processor(
                [row[self.column]], verbose=False, return_special_tokens_mask=True, **long if model.context else {}
            )
            draw = Random(f"{self.seed}/{row['row']}")
            pieces = zip(made["input_ids"], made["special_tokens_mask"], strict=True)
            features.append([one for ids, special in pieces for one in self._hidden(model, ids, special, draw)])
        return features

    def _hidden(self, model: Model, ids: list[int], special: list[int], draw: Random) -> list[Features]:
        places = [at for at, mark in enumerate(special) if not mark]
        if not places:
            return []
        groups: list[Any] = [[at] for at in places]
        if not self.every:
            groups = [draw.sample(places, max(1, round(self.share * len(places))))]
        return [self._feature(model, ids, set(group)) for group in groups]

    def _feature(self, model: Model, ids: list[int], hidden: set[int]) -> Features:
        mask = model.processor.mask_token_id
        return {
            "input_ids": [mask if at in hidden else token for at, token in enumerate(ids)],
            "labels": [token if at in hidden else IGNORED for at, token in enumerate(ids)],
        }
