"""Chinese, Japanese and Korean characters: tokenizers that split between them join them with spaces."""

from __future__ import annotations

import re

CJK = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
BETWEEN = re.compile(rf"(?<=[{CJK}]) (?=[{CJK}])")


def join_cjk(text: str) -> str:
    """The text without spaces between such characters."""
    return BETWEEN.sub("", text)
