"""Prompts to token ids that a model can go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.errors import DataError
from runner.types import Encode, Features, Model, Row


@dataclass(frozen=True)
class Prompt(Encode):
    """A prompt as the tokenizer encodes it.

    Fields:
        before: what stands before each prompt, as the checkpoint was taught: "summarize: ".
        open: an end token that the tokenizer adds ([SEP], </s>) is taken away: a text that has ended cannot go on.
    """

    column: str = "text"
    before: str = ""
    open: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column,)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row one feature: input_ids, a list of T ints.

        Raises:
            DataError: a prompt holds no token.
        """
        processor = model.processor
        texts = [self.before + self._without_start(processor, row[self.column]) for row in rows]
        encoded = processor(texts, truncation=False, verbose=False)["input_ids"]
        features = []
        for row, ids in zip(rows, encoded, strict=True):
            ids = self._opened(processor, list(ids))
            if not ids:
                raise DataError(f"{row.get('place', row['row'])}: the prompt holds no token")
            features.append([{"input_ids": ids}])
        return features

    def _without_start(self, processor: Any, text: str) -> str:
        """A prompt may spell the start token out ("[CLS]梅 山"); it must not stand there twice."""
        start = processor.cls_token or processor.bos_token
        adds = bool(start) and processor("").get("input_ids", [])[:1] == [processor.convert_tokens_to_ids(start)]
        return text.removeprefix(start) if adds else text

    def _opened(self, processor: Any, ids: list[int]) -> list[int]:
        ends = {processor.sep_token_id, processor.eos_token_id} - {None}
        while self.open and len(ids) > 1 and ids[-1] in ends:
            ids.pop()
        return ids
