"""Generated token ids to a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.types import Features, Model, Row

CJK = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
BETWEEN = re.compile(rf"(?<=[{CJK}]) (?=[{CJK}])")


@dataclass(frozen=True)
class Text:
    """The prompt and what follows it, as one text; several when several sequences were asked for."""

    skip_special_tokens: bool = True
    join_cjk: bool = True  # no spaces between Chinese, Japanese and Korean characters
    with_prompt: bool = True

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> Any:
        """`outputs`: the new token ids of each sequence; a string, or a list of strings when there are several."""
        prompt = features[0]["input_ids"] if self.with_prompt else []
        texts = [self._decoded(model, [*prompt, *new]) for new in outputs]
        return texts[0] if len(texts) == 1 else texts

    def _decoded(self, model: Model, ids: list[int]) -> str:
        text: str = model.processor.decode(ids, skip_special_tokens=self.skip_special_tokens)
        return BETWEEN.sub("", text) if self.join_cjk else text
