"""The share of a source's rows that is kept back for validation where the data has no such split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from typing import Any

CLASSES = 10_000  # classes that are counted; labels of many more values are no classes


@dataclass(frozen=True)
class HeldOut:
    """The rows that are held out, or the rest; the same for every seed, machine and process.

    Without labels a hash of the row's index decides, so a longer file keeps what a shorter one held out. Row 0 always
    belongs to it: no file is too short to have a validation row.

    With labels each class is cut into blocks of 1 / share rows in the order of the data, and a hash of (label, block)
    chooses one row of each block: every class gives its share to within one row, in one pass, and again a longer file
    keeps what a shorter one held out. Of the first block it is the second row: a class of two rows or more has one
    in each split, a class of a single row is trained on.
    """

    share: float  # 0..1
    inside: bool  # whether the split is that share, or the rest
    label: str | None = None  # the column of labels, by its name in the data

    def begin(self) -> Callable[[int, Mapping[str, Any]], bool]:
        """A test whether a good row, told by its index and values, belongs to the split; to be asked in order."""
        share = Fraction(str(self.share)).as_integer_ratio()
        classes: dict[str, Class] = {}

        def belongs(index: int, values: Mapping[str, Any]) -> bool:
            kind = None if self.label is None else class_of(values.get(self.label))
            if kind is None or (kind not in classes and len(classes) >= CLASSES):
                return self._by_index(index) == self.inside
            if kind not in classes:
                classes[kind] = Class(kind, *share)
            return classes[kind].holds_out_the_next() == self.inside

        return belongs

    def _by_index(self, index: int) -> bool:
        return index == 0 or _hash(str(index)) < self.share * 2.0**64


@dataclass
class Class:
    """The rows of one class, counted as they come: block b holds those with b <= at * share / rows < b + 1."""

    kind: str
    share: int  # rows held out ...
    rows: int  # ... of so many
    at: int = -1  # the row that came last
    end: int = 0  # of the block that it belongs to
    chosen: int = 1  # the row of this block that is held out; of the first block the second

    def holds_out_the_next(self) -> bool:
        """Whether the next row is held out."""
        self.at += 1
        if self.at >= self.end:
            block = self.at * self.share // self.rows
            self.end = -(-(block + 1) * self.rows // self.share)
            if block:
                self.chosen = self.at + _hash(f"{self.kind} {block}") % (self.end - self.at)
        return self.at == self.chosen


def class_of(label: Any) -> str | None:
    """A label as the name of its class; None for what is none: a list, nothing, a number with a fraction."""
    if isinstance(label, bool | int):
        return str(label)
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else None
    if not isinstance(label, str) or not label or label.isspace():
        return None
    try:
        return label if float(label).is_integer() else None
    except (ValueError, OverflowError):
        return label


def _hash(text: str) -> int:
    """A number below 2 ** 64."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())
