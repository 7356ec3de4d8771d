"""Overrides as people type them to overrides that Hydra's grammar takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

# sections whose schema is another signature: their keys need no `+`
FREE_FORM = ("checkpoint.architecture", "checkpoint.options", "data.columns", "train.arguments", "decode.rule",
             "decode.cache_config", "decode.watermarking_config",
             "task.predict", "task.evaluate", "task.teach")  # fmt: skip
NULLABLE = ("checkpoint.architecture", "decode.rule", "decode.cache_config", "decode.watermarking_config")
QUOTED = r'"(?:\\.|[^"\\])*"|' + r"'(?:\\.|[^'\\])*'"
INTERPOLATION = re.compile(r"(\\*)\$\{")
PIECES = re.compile(rf"({QUOTED}|[\[\]{{}},])", re.DOTALL)
PIECES_OF_A_DICTIONARY = re.compile(rf"({QUOTED}|[\[\]{{}},:])", re.DOTALL)


def prepared(overrides: Sequence[str]) -> list[str]:
    """Free-form keys get Hydra's `++`; what its grammar refuses unquoted (beyond ASCII, `=`, `~/`) gets quotes."""
    texts = [inner for text in overrides for inner in _flat(quoted_text(text))]
    return [f"++{text}" if text.startswith(FREE_FORM) else text for text in texts]


def _flat(text: str) -> list[str]:
    """`a={b: 1, c: 2}` to `a.b=1` and `a.c=2`, where OmegaConf would have to merge into null."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if text.lstrip("+").partition("={")[0] not in NULLABLE:
        return [text]
    try:
        override = OverridesParser.create().parse_override(text)
    except (HydraException, RecursionError):
        return [text]  # told when it is composed
    value = override.value()
    if not isinstance(value, dict) or not all(isinstance(key, str) and key.isidentifier() for key in value):
        return [text]
    return [f"{override.key_or_group}.{key}={quoted(inner)}" for key, inner in value.items()]


def quoted_text(override: str) -> str:
    """`data.prompts=[明月, 春]` to `data.prompts=["明月", "春"]`, `a=b=c` to `a="b=c"`; quoted text stays as it is."""
    key, equals, value = override.partition("=")
    if not equals or _readable(value) or override.startswith("-"):
        return override
    pieces = (PIECES_OF_A_DICTIONARY if "{" in value else PIECES).split(value)
    return f"{key}={''.join(_quoted(piece) for piece in pieces)}"


def _readable(text: str) -> bool:
    """Whether Hydra's grammar takes the text as it is; an equals sign has a meaning in its functions only."""
    plain = text.isascii() and not text.lstrip(" ").startswith("~/")
    return plain and ("=" not in text or "(" in text)


def _quoted(piece: str) -> str:
    if _readable(piece) or piece[:1] in "\"'":
        return piece
    inner = piece.strip(" ").replace("\\", "\\\\").replace('"', '\\"')
    return f'{piece[: len(piece) - len(piece.lstrip(" "))]}"{inner}"'


def quoted(value: Any) -> str:
    """A value in Hydra's grammar that is read as itself: strings quoted, lists and dictionaries nested."""
    if isinstance(value, str):
        return _literal(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(quoted(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{quoted(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def _literal(text: str) -> str:
    r"""Quotes around a string; `${` is no interpolation in it, and backslashes count double only before quotes."""
    from hydra.core.override_parser.types import Quote, QuotedString

    plain = INTERPOLATION.sub(lambda found: f"{found[1]}{found[1]}\\${{", text)
    return QuotedString(text=plain, quote=Quote.double).with_quotes()
