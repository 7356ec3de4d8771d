"""Generated token ids to a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.cjk import join_cjk
from runner.types import Features, Model, Row


@dataclass(frozen=True)
class Text:
    """The prompt and what follows it, as one text; several when several sequences were asked for.

    A prompt of which the tokenizer loses more than spaces and special tokens (unknown characters, capitals) stands
    there as it was given. One that was cut to fit stands as it was cut.
    """

    column: str = "text"
    skip_special_tokens: bool = True
    join_cjk: bool = True  # no spaces between Chinese, Japanese and Korean characters
    with_prompt: bool = True

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> Any:
        """`outputs`: the new token ids of each sequence; a string, or a list of strings when there are several."""
        prompt = features[0]["input_ids"] if self.with_prompt else []
        texts = [self._decoded(model, [*prompt, *new]) for new in outputs]
        if self.with_prompt and "note" not in features[0]:
            given, kept = str(row[self.column]), self._decoded(model, prompt)
            if self._bare(model, given) != self._bare(model, kept):
                pairs = zip(texts, outputs, strict=True)
                texts = [given + self._behind(model, kept, text, new) for text, new in pairs]
        return texts[0] if len(texts) == 1 else texts

    def _decoded(self, model: Model, ids: Sequence[int]) -> str:
        text: str = model.processor.decode(ids, skip_special_tokens=self.skip_special_tokens)
        return join_cjk(text) if self.join_cjk else text

    def _bare(self, model: Model, text: str) -> str:
        """Without what a tokenizer may put in or leave out: spaces, and special tokens that are spelled out."""
        for token in getattr(model.processor, "all_special_tokens", ()):
            text = text.replace(token, "")
        return "".join(text.split())

    def _behind(self, model: Model, kept: str, text: str, new: Sequence[int]) -> str:
        """What follows the prompt, with the space before it where there is one."""
        return text[len(kept) :] if text.startswith(kept) else self._decoded(model, new)
