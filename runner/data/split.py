"""One split of the data: opened, checked row by row, then streamed as often as it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.config import DataConfig
from runner.data.check import column_problems, row_problem
from runner.data.choose import Choice, choose
from runner.data.read import Item
from runner.errors import DataError
from runner.types import Row

SHOWN = 10  # bad rows named in an error
EXCERPT = 200  # characters of a bad row that are kept
NAMES = 1000  # column names remembered from rows that name their own


def open_split(data: DataConfig, which: str, columns: Sequence[str]) -> Split:
    """The split for "rows" (to predict or evaluate), "train" or "validation", every row checked.

    "rows" is data.split, else test, else validation, else train, else the only file. Where no validation split
    exists, data.validation_share of the train rows is held out by a hash of the row's index: "train" iterates
    without them, and their bad rows are counted with "train". data.limit is so many good rows of "rows", and of the
    source of "train"; what lies behind is neither read nor checked. A validation split of its own is read whole.

    Args:
        data: where rows come from.
        which: rows, train or validation.
        columns: canonical names that every row must hold.

    Raises:
        DataError: when the source, the split or a column is missing, no row is left, or a row is bad and
            data.on_bad_row is not skip; the message names the file, the line and the remedy.
    """
    assert which in ("rows", "train", "validation"), which
    reserved = [name for name in ("row", "place") if name in data.columns]
    if reserved:
        raise DataError(f"data.columns.{reserved[0]}: {reserved[0]} is where a row says its place: use another name")
    choice = choose(data, which)
    names = {canonical: data.columns.get(canonical, canonical) for canonical in [*columns, *data.columns]}
    known = choice.source.columns()
    if known:  # an empty file has none, and is told by its missing rows
        _require(column_problems(columns, names, known, choice.source.label))
    limit = None if which == "validation" and choice.part is None else data.limit
    reader = Reader(choice, names, tuple(columns), limit, others=which != "train")
    stamp = choice.source.stamp()
    files = choice.source.digests()
    count, rejected, first = reader.check(known is None)
    if rejected and (data.on_bad_row != "skip" or not count):
        raise DataError(_told(first, rejected, count))
    if not count:
        raise DataError(f"{choice.name} holds no rows" + (" beside the one held out" if choice.part else ""))
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
        names = tuple(self._reader.names.items())
        used = set(self._reader.names.values())
        for item, index in self._reader.judged(self._reader.shown()):
            if index is not None:
                row: dict[str, Any] = {"row": index, "place": item.place}
                for canonical, name in names:
                    if name in item.values:
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


@dataclass(frozen=True)
class Reader:
    """The rows of a choice, each told good or bad."""

    choice: Choice
    names: Mapping[str, str]  # canonical name -> name in the data
    needed: tuple[str, ...]  # canonical names that every row must hold
    limit: int | None  # good rows of the source; of the split, where no share of the source is held out
    others: bool  # whether rows keep the columns that are not mapped

    def shown(self) -> Sequence[str]:
        """The columns that rows keep."""
        return list(dict.fromkeys([*self.names.values(), *(self.choice.source.plain() if self.others else ())]))

    def judged(self, wanted: Sequence[str]) -> Iterator[tuple[Item, int | None]]:
        """Every row of the split with its index among the good ones, and every bad row of the source with None."""
        part = self.choice.part
        needed = {canonical: self.names[canonical] for canonical in self.needed}
        index = -1  # among the good rows of the source
        count = 0  # good rows of the split
        for item in self.choice.source.items(wanted):
            problem = item.problem or row_problem(item.values, needed)
            if problem:
                yield item._replace(problem=problem), None
                continue
            index += 1
            if part is None or part(index):
                yield item, count
                count += 1
            if index + 1 == self.limit:
                return

    def check(self, rows_name_columns: bool) -> tuple[int, int, list[Item]]:
        """(good rows, bad rows, the first bad ones).

        Raises:
            DataError: when no row at all holds a needed or mapped column.
        """
        count, rejected, first = 0, 0, list[Item]()
        seen: dict[str, None] = {}
        for item, index in self.judged(tuple(self.names.values())):
            if index is None:
                rejected += 1
                if len(first) < SHOWN:
                    first.append(item)
            else:
                count += 1
            if rows_name_columns and not seen.keys() >= item.values.keys() and len(seen) < NAMES:
                seen.update(dict.fromkeys(item.values))
        if seen:
            _require(column_problems(self.needed, self.names, seen, self.choice.source.label))
        return count, rejected, first


def _is_held_out(choice: Choice) -> bool:
    """Whether the split shares its source with train, which answers for the bad rows of both."""
    return choice.part is not None and choice.part.inside


def _require(problems: list[str]) -> None:
    if problems:
        raise DataError("\n".join(problems))


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
