"""What is remembered of an endless stream of lines: little, and the same amount however many there are."""

from __future__ import annotations

import ast
import heapq
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from runner.report.markup import is_number


class Least:
    """The items with the smallest keys of a stream, in memory for `limit` of them."""

    def __init__(self, limit: int):
        self.limit = limit
        self.heap: list[tuple[float, int, Any]] = []
        self.seen = 0

    def add(self, key: float, item: Any) -> None:
        """Keep the item if its key is among the smallest; earlier items win ties."""
        self.seen += 1
        entry = (-key, -self.seen, item)
        if len(self.heap) < self.limit:
            heapq.heappush(self.heap, entry)
        elif entry > self.heap[0]:
            heapq.heapreplace(self.heap, entry)

    def items(self) -> list[Any]:
        """The kept items, smallest key first."""
        return [item for _, _, item in sorted(self.heap, key=lambda entry: entry[:2], reverse=True)]


class Sample:
    """Items drawn from a stream, each with the same chance: all of them while they are few (Vitter 1985, R)."""

    def __init__(self, limit: int):
        self.limit = limit
        self.kept: list[Any] = []
        self.seen = 0
        self._draw = random.Random(0)  # the same page from the same run

    def add(self, item: Any) -> None:
        """Keep the item, in the place of another where there is no room, or not."""
        self.seen += 1
        if len(self.kept) < self.limit:
            self.kept.append(item)
        elif (place := self._draw.randrange(self.seen)) < self.limit:
            self.kept[place] = item


@dataclass(frozen=True)
class Known:
    """What the other files of a run say about the lines of predictions.jsonl.

    Fields:
        columns: canonical names of what the task reads.
        target: canonical name of what is right.
        passed: scores of a row that are 0 where the row is a mistake.
        neighbours: of some rows the nearest other ones, (row, cosine).
    """

    columns: tuple[str, ...] = ()
    target: str | None = None
    passed: tuple[str, ...] = ()
    neighbours: Mapping[int, list[tuple[int, float]]] = field(default_factory=dict)

    def texts(self, line: Mapping[str, Any]) -> dict[str, str]:
        """The texts of a line's input by their column; the first one where the task names none."""
        given = line.get("input")
        if isinstance(given, str):
            return {"text": given}
        given = given if isinstance(given, dict) else {}
        named = {name: given[name] for name in self.columns if name != self.target and isinstance(given.get(name), str)}
        if named:
            return named
        if isinstance(given.get("text"), str):
            return {"text": given["text"]}
        return dict([(name, v) for name, v in given.items() if isinstance(v, str) and name != self.target][:1])


def part(mapping: Any, key: str) -> dict[str, Any]:
    """The mapping under a key of a mapping; empty when there is none."""
    value = mapping.get(key) if isinstance(mapping, dict) else None
    return value if isinstance(value, dict) else {}


def counted(mapping: Mapping[str, Any], *names: str) -> bool:
    """Whether all of these are finite numbers."""
    return all(is_number(mapping.get(name)) for name in names)


def whole(value: Any) -> TypeGuard[int]:
    """Whether the value is a count or a position."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def shares(mapping: Any) -> dict[str, float]:
    """Names with probabilities; empty where anything else stands among them."""
    return mapping if isinstance(mapping, dict) and all(map(is_number, mapping.values())) else {}


def listed(value: Any) -> list[Any]:
    """A list; predictions.jsonl holds a long one as text that is cut off: what is whole of it."""
    if isinstance(value, list):
        return value
    if not (isinstance(value, str) and value.startswith("[")):
        return []
    for text in _ends(value):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return found if isinstance(found, list) else []
    return []


def _ends(text: str) -> Iterator[str]:
    """The text, and the text without its last one, two ... items."""
    yield text
    for _ in range(4):
        text = text.rpartition(", ")[0]
        yield text + "]"
