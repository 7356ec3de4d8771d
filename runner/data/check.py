"""What makes a row good: every needed column is there and holds something."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from runner.data.strict_json import kind
from runner.errors import nearest

TEXT = frozenset(  # canonical columns that hold text and nothing else; the others may hold numbers, lists, pictures
    {"text", "text_pair", "prompt", "source", "question", "context"}
    | {"premise", "hypothesis", "sentence", "sentence1", "sentence2", "first", "second"}
)
TEXTS = frozenset({"tokens", "choices"})  # those that hold a list of texts
LISTS = TEXTS | {"tags"}  # those that hold a list
SETS = frozenset({"label"})  # those whose list may be empty: none of the classes holds


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


def row_problem(values: Mapping[str, Any], needed: Mapping[str, str], optional: Mapping[str, str]) -> str:
    """What is wrong with a row's columns (canonical name -> name in the data); empty when nothing is."""
    for canonical, name in needed.items():
        if name not in values:
            return f"has no column {name!r}"
        problem = _value_problem(values[name], canonical)
        if problem:
            return f"{name} {problem}"
    for canonical, name in optional.items():
        value = values.get(name)
        if not is_missing(canonical, value):
            problem = _value_problem(value, canonical)
            if problem:
                return f"{name} {problem}"
    return ""


def is_nothing(value: Any) -> bool:
    """Whether a row says nothing by this value: null, NaN, an empty list, no text or only spaces."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or value != value or (isinstance(value, list) and not value)


def is_missing(canonical: str, value: Any) -> bool:
    """Whether a row has nothing in this column."""
    return is_nothing(value) and not (canonical in SETS and isinstance(value, list))


def _value_problem(value: Any, canonical: str) -> str:
    if canonical in LISTS:
        return _list_problem(value, canonical in TEXTS) if isinstance(value, list) else _no_list(value)
    if isinstance(value, str):
        return _text_problem(value)
    if value is None:
        return "is null"
    if isinstance(value, float) and value != value:
        return "is NaN"
    if canonical in TEXT:
        return f"is {kind(value)}, not text"
    if not isinstance(value, list) or (canonical in SETS and not value):
        return ""
    return _list_problem(value, only_texts=False)


def _no_list(value: Any) -> str:
    if value is None or (isinstance(value, str) and is_nothing(value)):
        return "is null" if value is None else _text_problem(value)
    return f"is {kind(value)}, not a list"


def _list_problem(value: list[Any], only_texts: bool) -> str:
    """Elements may be empty texts: many a list has a place for what is not there, and a space may be a token."""
    if not value:
        return "is an empty list"
    for at, element in enumerate(value):
        if isinstance(element, str):
            problem = _surrogate(element)
        elif element is None or element != element:
            problem = "is null" if element is None else "is NaN"
        else:
            problem = f"is {kind(element)}, not text" if only_texts else ""
        if problem:
            return f"[{at}] {problem}"
    return ""


def _text_problem(value: str) -> str:
    if not value or value.isspace():
        return "is empty" if not value else "holds only spaces"
    return _surrogate(value)


def _surrogate(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        code = ord(value[error.start])
        return f"holds half of a surrogate pair, \\u{code:04x}, at character {error.start + 1}"
    return ""
