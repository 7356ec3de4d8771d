"""Texts: poems set as poems, others as prose, the given part set apart; parts of a text marked in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runner.report.markup import Markup, clipped, join, language, tag, words
from runner.report.verse import Line, prompt_length, verse

TEXT = 1_500  # characters of a text that are shown
AROUND = 160  # characters of a text that are shown on either side of what is looked for


def text_of(prompt: str, text: str) -> Markup:
    """A text as a poem or as prose, with the prompt that it begins with set apart."""
    given = prompt_length(prompt, text)
    shown = clipped(text, TEXT)
    lines = verse(text) if len(text) <= TEXT else None
    if lines:
        return _poem(lines, given)
    body = (given_part(shown[:given]), shown[given:]) if given else (shown,)
    return tag("p", *body, class_="prose", lang=language(shown), dir="auto")


def given_part(text: str) -> Markup:
    """What was given, not answered."""
    return tag("span", text, class_="given")


def inputs(texts: Mapping[str, str]) -> Markup:
    """The texts of a row that is judged; several of them each with the name of its column."""
    named = len(texts) > 1
    return join(
        tag("p", tag("small", words(name), class_="column") if named else None, clipped(text, TEXT),
            class_="prose", lang=language(text), dir="auto")
        for name, text in texts.items()
    )  # fmt: skip


def around(text: str, start: int, end: int) -> tuple[int, int]:
    """The part of a text that is shown where characters start to end matter: from a space to a space."""
    first, last = max(0, start - AROUND), min(len(text), end + AROUND)
    while 0 < first < start and not text[first - 1].isspace() and first > start - AROUND - 12:
        first -= 1
    while end < last < len(text) and not text[last].isspace() and last < end + AROUND + 12:
        last += 1
    return first, last


def marked(text: str, start: int, end: int, mark: Markup) -> Markup:
    """The text around characters start to end, in the place of which `mark` stands."""
    first, last = around(text, start, end)
    before, after = "…" * (first > 0), "…" * (last < len(text))
    body = (before + text[first:start], mark, text[end:last] + after)
    return tag("p", *body, class_="prose", lang=language(text), dir="auto")


def answers_of(value: Any) -> list[str]:
    """Texts in whatever form data give them: a text, a list of texts or of {text}, {text: [...]}."""
    if isinstance(value, Mapping):
        return answers_of(value.get("text"))
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable):
        return []
    return [text for one in value for text in (answers_of(one) if isinstance(one, Mapping) else [str(one)])]


def _poem(lines: list[Line], given: int) -> Markup:
    """Two lines of verse on a line of the page."""
    couplets = [lines[start : start + 2] for start in range(0, len(lines), 2)]
    rows = [tag("span", *(_verse_line(line, given) for line in pair), class_="couplet") for pair in couplets]
    return tag("p", join(rows, "\n"), class_="verse", lang="zh")


def _verse_line(line: Line, given: int) -> Markup:
    cut = min(max(given - line.start, 0), len(line.text))
    body = (given_part(line.text[:cut]), line.text[cut:]) if cut else (line.text,)
    slip = None if line.regular else "this line breaks the metre"
    return tag("span", *body, class_="line" if line.regular else "line slip", title=slip)
