"""What makes a row good: every needed column is there and holds something."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from runner.data.strict_json import kind
from runner.errors import nearest

TEXT = frozenset(  # canonical columns that hold text and nothing else; the others may hold numbers, lists, pictures
    {"text", "text_pair", "prompt", "source", "question", "context", "premise", "hypothesis", "sentence1", "sentence2"}
)


def column_problems(needed: Iterable[str], names: Mapping[str, str], known: Collection[str], label: str) -> list[str]:
    """What cannot be found among the `known` columns; `names` maps canonical names to names in the data."""
    problems = [
        f"data.columns.{canonical}={name}: {label} has no such column; {nearest(name, list(known))}"
        for canonical, name in names.items()
        if name not in known and canonical != name
    ]
    shown = ", ".join(list(known)[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return problems + [
        f"needs column {c!r}; {label} has {shown or 'no columns'}: map it with data.columns.{c}=<name>"
        for c in needed
        if names[c] not in known and names[c] == c
    ]


def row_problem(values: Mapping[str, Any], needed: Mapping[str, str]) -> str:
    """What is wrong with a row's needed columns (canonical name -> name in the data); empty when nothing is."""
    for canonical, name in needed.items():
        if name not in values:
            return f"has no column {name!r}"
        problem = _value_problem(values[name], canonical in TEXT)
        if problem:
            return f"{name} {problem}"
    return ""


def _value_problem(value: Any, only_text: bool) -> str:
    if isinstance(value, str):
        return _text_problem(value)
    if value is None:
        return "is null"
    if isinstance(value, float) and value != value:
        return "is NaN"
    if only_text:
        return f"is {kind(value)}, not text"
    if isinstance(value, list):
        if not value:
            return "is an empty list"
        found = ((at, _element_problem(element)) for at, element in enumerate(value))
        return next((f"[{at}] {problem}" for at, problem in found if problem), "")
    return ""


def _element_problem(value: Any) -> str:
    """Elements may be empty texts: many a list has a place for what is not there."""
    return "" if value == "" else _value_problem(value, only_text=False) if not isinstance(value, list) else ""


def _text_problem(value: str) -> str:
    if not value or value.isspace():
        return "is empty" if not value else "holds only spaces"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        code = ord(value[error.start])
        return f"holds half of a surrogate pair, \\u{code:04x}, at character {error.start + 1}"
    return ""
