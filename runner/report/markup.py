"""HTML that is escaped unless it is already HTML, and numbers as people read them."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeGuard

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # not allowed in HTML text


SPELLED = {
    **{name: name.upper() for name in ("f1", "mcc", "auroc", "ece", "mse", "bleu", "ter", "mrr")},
    **{"chrf": "chrF", "ndcg": "nDCG"},
    **{f"rouge{kind}": f"ROUGE-{kind}" for kind in ("1", "2", "L", "Lsum")},
}


class Markup(str):
    """Text that is HTML already; every other string is escaped when it enters the page."""


def escaped(value: Any) -> Markup:
    """The value as HTML text; Markup stays as it is."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))))


def join(parts: Iterable[Any], between: str = "") -> Markup:
    """The parts one after the other, escaped where they are not Markup."""
    return Markup(between.join(escaped(part) for part in parts))


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; `class_` is class, `data_x` is data-x, None and False leave an attribute out, True is bare."""
    words = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(key)
        elif value is not None and value is not False:
            words.append(f'{key}="{escaped(value)}"')
    return Markup(f"<{' '.join(words)}>{join(c for c in children if c is not None)}</{name}>")


def within(pieces: Iterable[Markup], size: int) -> list[Markup]:
    """The first pieces that together take at most `size` bytes; the page stays small whatever the run's size."""
    kept: list[Markup] = []
    for piece in pieces:
        size -= len(piece.encode("utf-8", "replace"))
        if size < 0:
            break
        kept.append(piece)
    return kept


def clipped(value: Any, length: int) -> str:
    """At most `length` characters of the value, and how many more there are."""
    text = str(value)
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length:,} more characters)"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether the value is a finite number, and not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any) -> str:
    """Three or more significant digits; a dash for what is not a finite number."""
    if not is_number(value):
        return "–"
    size = abs(value)
    if size >= 1e12:
        return f"{value:.3g}"
    if isinstance(value, int) or size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.1f}"
    if size >= 10:
        return f"{value:.2f}"
    if size >= 0.01 or size == 0:
        return f"{value:.3f}"
    return f"{value:.2g}"


def rate(value: float) -> str:
    """Something per second: a measurement with two or three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def duration(seconds: Any) -> str:
    """Seconds as people say them."""
    if not is_number(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(value: Any) -> datetime | None:
    """A time as the files of a run have it."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def words(name: str) -> str:
    """A name of the code as words: `well_formed` is well-formed, `bits_per_byte` bits per byte, `f1` F1."""
    name = name.replace("well_formed", "well-formed").replace("entities_correct", "all entities right")
    return " ".join(SPELLED.get(word, word) for word in name.split("_"))


def many(count: int, noun: str) -> str:
    """The count and its noun: 1 row, 2 rows."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def language(text: str) -> str | None:
    """`zh` for text in Han characters without kana or hangul, so that a page chooses the right glyphs."""
    if re.search(r"[\u3040-\u30ff\uac00-\ud7af]", text):
        return None
    return "zh" if re.search(r"[\u3400-\u9fff]", text) else None
