"""Hidden states to a vector for each text, and to how alike two texts are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.types import Features, Model, Row

POOLINGS = ("mean", "cls", "last", "tokens")


@dataclass(frozen=True)
class Embedding:
    """The vector of a text.

    Fields:
        pooling: mean of its tokens, cls (the first token), last, or tokens: a vector for each token.
        normalize: to length 1.
        dimensions: the first so many are kept; None: all.
    """

    pooling: str = "mean"
    normalize: bool = True
    dimensions: int | None = None

    def __post_init__(self) -> None:
        check(self.pooling, self.dimensions)

    def outputs(self, model: Model, inputs: Any) -> list[Any]:
        """For each text its vector, or the vectors of its tokens."""
        from runner.engine.pooling import token_vectors, vectors_of

        if self.pooling == "tokens":
            return token_vectors(model, inputs)
        return vectors_of(model, inputs, self.pooling, self.normalize, self.dimensions)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """embedding: a list of floats, or a list of them for each token."""
        (vector,) = outputs
        shorter = [list(map(_short, one)) for one in vector] if self.pooling == "tokens" else list(map(_short, vector))
        return {"embedding": shorter}


@dataclass(frozen=True)
class Similarity:
    """How alike the texts of a row are, by the cosine of their vectors.

    Fields:
        pooling, dimensions: as in `Embedding`.
        vectors: whether the vectors themselves are kept, under the names of the columns `of`.
    """

    pooling: str = "mean"
    dimensions: int | None = None
    vectors: bool = False
    of: tuple[str, str] = ("query", "document")

    def __post_init__(self) -> None:
        check(self.pooling, self.dimensions)

    def outputs(self, model: Model, inputs: Any) -> list[list[float]]:
        """For each text its vector of length 1."""
        from runner.engine.pooling import vectors_of

        return vectors_of(model, inputs, self.pooling, True, self.dimensions)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """similarity: -1 to 1; and the vectors, if they are kept."""
        first, second = outputs
        found: dict[str, Any] = {"similarity": round(math.fsum(a * b for a, b in zip(first, second, strict=True)), 8)}
        if self.vectors:
            found |= {name: list(map(_short, vector)) for name, vector in zip(self.of, outputs, strict=True)}
        return found


def check(pooling: str, dimensions: int | None) -> None:
    """Raises ValueError for what no vector can be made by."""
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, but got {pooling}")
    if dimensions is not None and dimensions < 1:
        raise ValueError(f"dimensions >= 1 must hold, but got {dimensions}")


def _short(value: float) -> float:
    """The digits that float32 has."""
    return float(f"{value:.7g}")
