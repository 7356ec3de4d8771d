"""Texts to overlapping windows in which each token is scored once, with as much context as fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.types import IGNORED, Encode, Features, Model, Row


@dataclass(frozen=True)
class Windows(Encode):
    """Sliding windows over the token ids of a text.

    Fields:
        tokens: length of a window; None: the model's context, at most 1024.
        overlap: share of a window that only gives context to the rest of it, 0 <= overlap < 1.
        start: a start (or else an end) token goes before texts whose tokenizer adds none, so that every token of
            the text is scored.
    """

    column: str = "text"
    tokens: int | None = None
    overlap: float = 0.5
    start: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise ValueError(f"0 <= overlap < 1 must hold, but got {self.overlap}")
        if self.tokens is not None and self.tokens < 2:
            raise ValueError(f"tokens >= 2 must hold, but got {self.tokens}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column,)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row its windows: input_ids and labels, lists of T ints; labels are -100 outside the scored part."""
        texts = [row[self.column] for row in rows]
        encoded = model.processor(texts, truncation=False, verbose=False)["input_ids"]
        size = min(self.tokens or 1024, model.context or self.tokens or 1024)
        return [self._windows(self._started(model.processor, list(ids)), size) for ids in encoded]

    def _started(self, processor: object, ids: list[int]) -> list[int]:
        first = getattr(processor, "bos_token_id", None)
        first = first if first is not None else getattr(processor, "cls_token_id", None)
        first = first if first is not None else getattr(processor, "eos_token_id", None)
        return [first, *ids] if self.start and first is not None and ids[:1] != [first] else ids

    def _windows(self, ids: list[int], size: int) -> list[Features]:
        windows: list[Features] = []
        scored = 1  # the first token has no context to be predicted from
        while scored < len(ids):
            end = min(len(ids), scored + size - 1) if not windows else min(len(ids), scored + self._step(size))
            begin = max(0, end - size)
            labels = [IGNORED] * (scored - begin) + ids[scored:end]
            windows.append({"input_ids": ids[begin:end], "labels": labels})
            scored = end
        return windows

    def _step(self, size: int) -> int:
        return max(1, size - max(1, int(size * self.overlap)))
