"""Encoded training texts, held as one flat array of tokens."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from runner.types import Features


class Corpus:
    """A map-style dataset of pieces of at most `block` tokens: 4 bytes a token, whatever the number of texts."""

    def __init__(self, features: Iterable[Features], block: int):
        self._tokens = array("i")
        self._ends = array("q", [0])
        for feature in features:
            ids = feature["input_ids"]
            for start in range(
                0, max(len(ids) - 1, 1), block - 1
            ):  # pieces share a token, so that each is predicted once
                self._tokens.extend(ids[start : start + block])
                self._ends.append(len(self._tokens))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> Features:
        return {"input_ids": list(self._tokens[self._ends[index] : self._ends[index + 1]])}

    @property
    def tokens(self) -> int:
        """All tokens of all pieces."""
        return len(self._tokens)
