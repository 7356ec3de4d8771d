"""One split of the data: opened, checked row by row, then streamed as often as it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from runner.config import DataConfig
from runner.data.check import is_missing
from runner.data.choose import Choice, choose
from runner.data.columns import Columns
from runner.data.read import Item
from runner.data.reader import Reader, names_in
from runner.errors import DataError
from runner.types import Row

EXCERPT = 200  # characters of a bad row that are kept


def open_split(data: DataConfig, which: str, columns: Columns) -> Split:
    """The split for "rows" (to predict or evaluate), "train" or "validation", every row checked.

    "rows" is data.split, else test, else validation, else train, else the only file. Where no validation split
    exists, data.validation_share of the train rows is held out (see `HeldOut`): "train" iterates without them, and
    their bad rows are counted with "train". data.limit is so many good rows of "rows", and of the source of "train";
    what lies behind is neither read nor checked. A validation split of its own is read whole.

    Args:
        data: where rows come from.
        which: rows, train or validation.
        columns: what is read of each row.

    Raises:
        DataError: when the source, the split or a column is missing, no row is left, or a row is bad and
            data.on_bad_row is not skip; the message names the file, the line and the remedy.
    """
    assert which in ("rows", "train", "validation"), which
    reserved = [name for name in ("row", "place") if name in data.columns]
    if reserved:
        raise DataError(f"data.columns.{reserved[0]}: {reserved[0]} is where a row says its place: use another name")
    choice = choose(data, which)
    names = names_in(choice.source, columns, data)
    if choice.part is not None and columns.stratify is not None:
        choice = replace(choice, part=replace(choice.part, label=names.of[columns.stratify]))
    limit = None if which == "validation" and choice.part is None else data.limit
    reader = Reader(choice, names, columns, limit, others=which != "train")
    stamp = choice.source.stamp()
    files = choice.source.digests()
    count, rejected, first = reader.check(choice.source.columns() is None)
    if rejected and (data.on_bad_row != "skip" or not count):
        raise DataError(_told(first, rejected, count))
    if not count:
        raise DataError(f"{choice.name} holds no rows{_why(choice)}")
    if stamp != choice.source.stamp():
        raise DataError(f"{choice.name} was written to while it was read: run again when it is finished")
    return Split(choice.name, count, 0 if _is_held_out(choice) else rejected, files, reader, stamp)


@dataclass(frozen=True)
class Split:
    """Rows under canonical column names, in the order of the data; iterating reads the files again."""

    name: str  # poems_small/test, corpus.txt
    count: int  # good rows
    rejected: int  # bad rows left out
    files: Mapping[str, str]  # file name -> sha256; {"inline": ...} for prompts; id@commit/split -> fingerprint
    _reader: Reader = field(repr=False)
    _stamp: Any = field(repr=False)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Row]:
        """Each row: `row` is its index among the good ones, `place` where it stands, then the mapped columns.

        `others` holds its other columns, where it has any: ids and whatever else people find a row by.
        """
        self._unchanged()
        columns, names = self._reader.columns, self._reader.names.of
        optional = set(columns.canonical).difference(columns.needed)
        used = set(names.values())
        for item, index in self._reader.judged(self._reader.shown()):
            if index is not None:
                row: dict[str, Any] = {"row": index, "place": item.place}
                for canonical, name in names.items():
                    if name in item.values and not (canonical in optional and is_missing(canonical, item.values[name])):
                        row[canonical] = item.values[name]
                if self._reader.others and not item.values.keys() <= used:
                    row["others"] = {name: value for name, value in item.values.items() if name not in used}
                yield row

    def bad(self) -> Iterator[dict[str, str]]:
        """The rows left out: place, problem, and the first 200 characters of their content."""
        self._unchanged()
        if _is_held_out(self._reader.choice):
            return
        for item, index in self._reader.judged(self._reader.shown()):
            if index is None:
                yield {"place": item.place, "problem": item.problem, "content": _excerpt(item.content)}

    def _unchanged(self) -> None:
        if self._stamp != self._reader.choice.source.stamp():
            raise DataError(f"{self.name} has changed since it was checked: run again")


def _is_held_out(choice: Choice) -> bool:
    """Whether the split shares its source with train, which answers for the bad rows of both."""
    return choice.part is not None and choice.part.inside


def _why(choice: Choice) -> str:
    if choice.part is None or (choice.part.inside and choice.part.label is None):
        return ""
    return (
        ": no class has two, so give data.validation_split=<name>" if choice.part.inside else " beside the one held out"
    )


def _told(first: Sequence[Item], rejected: int, count: int) -> str:
    told = [f"{item.place}: {item.problem}" for item in first]
    if rejected > len(first):
        told.append(f"... and {rejected - len(first)} more")
    if count:
        told.append(f"{rejected} of {rejected + count} rows are bad: on_bad_row=skip leaves them out")
    else:
        told.append(f"{rejected} rows are bad and none is left")
    return "\n".join(told)


def _excerpt(content: Any) -> str:
    if isinstance(content, bytes):
        content = content[: 4 * EXCERPT].decode(errors="replace")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, default=repr)
    # a lone surrogate cannot be written to a file
    return text[:EXCERPT].encode(errors="backslashreplace").decode()
