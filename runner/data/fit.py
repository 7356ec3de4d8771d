"""Columns of a row that must fit each other: tags their tokens, answers their context."""

from collections.abc import Callable, Mapping
from typing import Any

from runner.data.strict_json import kind

SHOWN = 60  # characters of a text that a message repeats
Fit = Callable[[Any, Any], str]


def fits(names: Mapping[str, str]) -> list[tuple[str, str, Fit]]:
    """The pairs of columns to compare, by their names in the data; `names` maps canonical names to them."""
    return [(names[one], names[other], fit) for one, other, fit in PAIRS if one in names and other in names]


def tags_problem(tokens: Any, tags: Any) -> str:
    """One tag for each token."""
    if not isinstance(tokens, list) or not isinstance(tags, list) or not tags or len(tokens) == len(tags):
        return ""
    return f"has {len(tokens)} tokens but {len(tags)} tags"


def answers_problem(context: Any, answers: Any) -> str:
    """Answers are {"text": [...], "answer_start": [...]}; each text stands in the context where its start says."""
    if not isinstance(context, str) or answers is None or answers in ("", []):
        return ""
    if not isinstance(answers, Mapping):
        return f'answers is {kind(answers)}, not {{"text": [...], "answer_start": [...]}}'
    texts: Any = answers.get("text")
    starts: Any = answers.get("answer_start")
    for name, value in (("text", texts), ("answer_start", starts)):
        if not isinstance(value, list):
            return f"answers has {'no' if value is None else kind(value) + ' for its'} list {name!r}"
    if len(texts) != len(starts):
        return f"answers has {len(texts)} texts but {len(starts)} starts"
    found = (_answer_problem(context, text, start) for text, start in zip(texts, starts, strict=True))
    return next(filter(None, found), "")


def _answer_problem(context: str, text: Any, start: Any) -> str:
    if not isinstance(text, str) or not text:
        return f"answer {text!r} is no text"
    if not isinstance(start, int) or isinstance(start, bool):
        return f"answer {_short(text)} has {kind(start)} for its start, not a whole number"
    if start >= 0 and context.startswith(text, start):
        return ""
    there = _short(context[start : start + len(text)]) if 0 <= start < len(context) else "nothing"
    told = f"answer {_short(text)} does not stand at character {start} of its context (there: {there})"
    elsewhere = context.find(text)
    return told if elsewhere < 0 else f"{told}: it stands at {elsewhere}"


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


PAIRS: tuple[tuple[str, str, Fit], ...] = (("tokens", "tags", tags_problem), ("context", "answers", answers_problem))
