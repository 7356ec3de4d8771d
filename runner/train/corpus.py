"""Encoded training examples, held as flat arrays of numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

from runner.types import Features


class Corpus:
    """A map-style dataset of examples: 4 bytes a token, whatever the number of texts.

    All examples have the keys of the first one; a value is a number, a list of ints, or a list of such lists.
    """

    def __init__(self, examples: Iterable[Features]):
        self._columns: dict[str, _Column] = {}
        self._count = 0
        for example in examples:
            if not self._count:
                self._columns = {name: _Column(value) for name, value in example.items()}
            for name, column in self._columns.items():
                column.append(example[name])
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Features:
        return {name: column[index] for name, column in self._columns.items()}

    @property
    def tokens(self) -> int:
        """All tokens of all examples."""
        return len(self._columns["input_ids"].values) if self._columns else 0


class _Column:
    """Values of one shape, of which only the lengths differ."""

    def __init__(self, like: Any):
        self.depth = 0 if not isinstance(like, list) else 1 if not (like and isinstance(like[0], list)) else 2
        number = like if self.depth == 0 else 0
        self.values = array("d" if isinstance(number, float) else "i")
        self.ends = array("q", [0])  # of lists in `values`
        self.groups = array("q", [0])  # of lists of lists in `ends`

    def append(self, value: Any) -> None:
        if self.depth == 0:
            self.values.append(value)
            return
        for inner in value if self.depth == 2 else [value]:
            self.values.extend(inner)
            self.ends.append(len(self.values))
        self.groups.append(len(self.ends) - 1)

    def __getitem__(self, index: int) -> Any:
        if self.depth == 0:
            return self.values[index]
        lists = [self._list(at) for at in range(self.groups[index], self.groups[index + 1])]
        return lists if self.depth == 2 else lists[0]

    def _list(self, at: int) -> list[int]:
        return list(self.values[self.ends[at] : self.ends[at + 1]])
