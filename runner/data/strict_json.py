"""JSON as the standard has it: a name stands once in an object, and a fault says where it is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.data.lines import decoded, lines
from runner.errors import DataError

SPACE = " \t\n\r"
DEEP = "nested too deeply"


class Duplicate(ValueError):
    """A name stands twice in one object."""


def parsed(text: str) -> tuple[dict[str, Any], str]:
    """A line's object and what is wrong with it; an empty problem means none."""
    try:
        value = STRICT.decode(text)
    except json.JSONDecodeError as error:
        return {}, f"broken JSON: {error.msg.removesuffix(' at')} at column {error.colno}"
    except RecursionError:
        return {}, f"broken JSON: {DEEP}"
    except Duplicate as error:
        return {}, str(error)
    except ValueError:  # the only other one: Python's guard against quadratic time
        return {}, "broken JSON: a number has more than 4300 digits"
    return as_object(value)


def as_object(value: Any) -> tuple[dict[str, Any], str]:
    """The value if it is an object, else what it is."""
    return (value, "") if isinstance(value, dict) else ({}, f"is {kind(value)}, not an object")


def kind(value: Any) -> str:
    """A value in words, for messages."""
    if value is None:
        return "null"
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int | float):
        return "NaN" if value != value else f"the number {value}"
    if isinstance(value, str):
        return "text"
    names: dict[type, str] = {list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def elements(path: Path) -> Iterator[tuple[int, Any, str]]:
    """(line, value, problem) of each element of the list that the file holds, or of its "data" list.

    The text is held in memory, the values are not.

    Raises:
        DataError: when the file is no such JSON; what lies behind a fault cannot be told apart, so nothing is skipped.
    """
    text = "\n".join(_text(path, number, line) for number, line in lines(path))
    at = _skip(text, 0)
    try:
        if text[at : at + 1] == "{":
            at = _data_list(text, at)
        elif at < len(text) and text[at] != "[":
            raise json.JSONDecodeError("neither a list nor an object", text, at)
        yield from _elements(text, at)
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}:{error.lineno}: broken JSON: {error.msg.removesuffix(' at')}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: {error}") from error


def _elements(text: str, at: int) -> Iterator[tuple[int, Any, str]]:
    """The elements of the list that opens at `at`; an empty text holds none."""
    line, counted = 1, 0
    at = _skip(text, at + 1)
    while at < len(text) and text[at] != "]":
        line += text.count("\n", counted, at)
        counted = at
        problem = ""
        try:
            value, end = STRICT.raw_decode(text, at)
        except Duplicate as error:
            value, end = json.JSONDecoder().raw_decode(text, at)
            problem = str(error)
        except RecursionError as error:
            raise json.JSONDecodeError(DEEP, text, at) from error
        yield line, value, problem
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
    if at >= len(text) and text.strip():
        raise json.JSONDecodeError("the list is never closed", text, len(text))


def _data_list(text: str, at: int) -> int:
    """Where the list under the name "data" opens in the object at `at`."""
    at = _skip(text, at + 1)
    while text[at : at + 1] == '"':
        name, at = STRICT.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':'", text, at)
        at = _skip(text, at + 1)
        if name == "data" and text[at : at + 1] == "[":
            return at
        at = _skip(text, STRICT.raw_decode(text, at)[1])
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    raise json.JSONDecodeError('neither a list of objects nor {"data": [...]}', text, at)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _text(path: Path, number: int, line: bytes) -> str:
    text, problem = decoded(line)
    if problem:
        raise DataError(f"{path.name}:{number}: {problem}")
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        raise Duplicate(f"name {next(n for n in names if names.count(n) > 1)!r} stands twice in one object")
    return values


STRICT = json.JSONDecoder(object_pairs_hook=_object)
