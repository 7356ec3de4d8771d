"""What the rows of a split are like: how long, how often the same, which labels."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import fmean
from typing import Any

from runner.types import Row

QUANTILES = {"p5": 0.05, "p50": 0.5, "p95": 0.95, "max": 1.0}
CLASSES = 1000  # different labels that are counted
FEW = 20  # different labels that need not come back
LABEL = 100  # characters of the longest label; a longer one is a text
OUTSIDE = "O"  # the tag of a token that belongs to no entity


def as_text(value: Any) -> str:
    """The text of a column: tokens and choices side by side."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def digest(texts: Sequence[str]) -> int:
    """A number below 2 ** 64 that stands for the texts."""
    joined = "\0".join(texts).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(joined, digest_size=8).digest())


@dataclass
class Lengths:
    """The lengths of a column's texts."""

    characters: array[int] = field(default_factory=lambda: array("Q"))
    words: array[int] = field(default_factory=lambda: array("Q"))
    spaced: int = 0  # texts of several words

    def add(self, text: str) -> None:
        """One more text."""
        words = len(text.split())
        self.characters.append(len(text))
        self.words.append(words)
        self.spaced += words > 1

    def summary(self) -> dict[str, Any]:
        """Quantiles, of words only where most texts have several: Chinese has no spaces."""
        found = {"characters": quantiles(self.characters)}
        return found | ({"words": quantiles(self.words)} if 2 * self.spaced > len(self.words) else {})


@dataclass
class Targets:
    """The values of the target column: labels, tags, numbers, answers, or texts that are none of these."""

    counts: Counter[str] = field(default_factory=Counter)
    numbers: list[float] = field(default_factory=list)
    answers: Counter[bool] = field(default_factory=Counter)  # whether a question has one
    values: int = 0  # labels, tags other than O, numbers
    missing: int = 0  # rows without

    def add(self, value: Any) -> None:
        """One more row's value."""
        if value is None:
            self.missing += 1
        elif isinstance(value, Mapping):
            self.answers[bool(value.get("text"))] += 1
        elif isinstance(value, list):
            for tag in value:
                if tag != OUTSIDE:
                    self._count(tag)
        else:
            self._count(value)
            number = as_number(value)
            if number is not None:
                self.numbers.append(number)

    def summary(self) -> dict[str, Any]:
        """Only what is known: nothing more than `missing` where the targets are texts."""
        found: dict[str, Any] = {"missing": self.missing}
        if self.answers:
            found |= {"answered": self.answers[True], "without_answer": self.answers[False]}
        elif self.numbers and len(self.numbers) == self.values and not all(n.is_integer() for n in self.numbers):
            low, high = min(self.numbers), max(self.numbers)
            found["numbers"] = {"min": low, "mean": round(fmean(self.numbers), 6), "max": high}
        elif self.counts and not self._are_texts():
            ranked = sorted(self.counts, key=_natural)
            found["classes"] = {label: self._class(self.counts[label]) for label in ranked}
            found["imbalance"] = round(max(self.counts.values()) / min(self.counts.values()), 2)
        return found

    def _count(self, label: Any) -> None:
        self.values += 1
        if len(self.counts) <= CLASSES:
            self.counts[str(label)] += 1

    def _class(self, count: int) -> dict[str, Any]:
        return {"count": count, "share": round(count / self.values, 4)}

    def _are_texts(self) -> bool:
        """Whether they are too many, too long or too different to be labels."""
        many = len(self.counts) > CLASSES or (len(self.counts) > FEW and 2 * len(self.counts) > self.values)
        return many or max(map(len, self.counts)) > LABEL


def quantiles(values: Sequence[int]) -> dict[str, int]:
    """Of nearest rank: the smallest value that so large a share of all does not exceed."""
    ranked = sorted(values)
    return {name: ranked[max(0, math.ceil(share * len(ranked)) - 1)] for name, share in QUANTILES.items() if ranked}


def as_number(value: Any) -> float | None:
    """A number, or a text that is written as one; a switch is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _natural(label: str) -> tuple[float, str]:
    number = as_number(label)
    return (math.inf if number is None else number, label)


@dataclass
class Profile:
    """One split, row by row."""

    text: Sequence[str]  # canonical columns of text
    target: str | None
    lengths: dict[str, Lengths] = field(default_factory=dict)
    targets: Targets = field(default_factory=Targets)
    seen: set[int] = field(default_factory=set)
    rows: int = 0
    empty: int = 0

    def add(self, row: Row) -> None:
        """One more row."""
        texts = [as_text(row.get(column)) for column in self.text]
        self.rows += 1
        self.empty += any(not text or text.isspace() for text in texts)
        self.seen.add(digest(texts))
        for column, text in zip(self.text, texts, strict=True):
            if column in row:
                self.lengths.setdefault(column, Lengths()).add(text)
        if self.target is not None:
            self.targets.add(row.get(self.target))

    def summary(self) -> dict[str, Any]:
        """As data_card.json has it."""
        return {
            "looked_at": self.rows,
            "lengths": {column: lengths.summary() for column, lengths in self.lengths.items()},
            "empty": self.empty,
            "duplicates": self.rows - len(self.seen),
            **({} if self.target is None else {"target": self.targets.summary()}),
        }
