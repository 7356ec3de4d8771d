"""The rows of a choice under its names, each told good or bad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from runner.config import DataConfig
from runner.data.check import column_problems, row_problem
from runner.data.choose import Choice
from runner.data.columns import Columns, Names
from runner.data.fit import fits
from runner.data.read import Item
from runner.data.sources import Source
from runner.errors import DataError

SHOWN = 10  # bad rows named in an error
NAMES = 1000  # column names remembered from rows that name their own
HEAD = 100  # rows that are looked at for their names before all are read


def names_in(source: Source, columns: Columns, data: DataConfig) -> Names:
    """The names that the columns go by in the source.

    Raises:
        DataError: when the source is known not to have a needed or mapped column.
    """
    known = source.columns()
    if known is None and columns.depends_on_data(data.columns):
        head = islice(source.items(()), min(HEAD, data.limit or HEAD))
        names = columns.names(data.columns, dict.fromkeys(name for item in head for name in item.values))
    else:
        names = columns.names(data.columns, known or ())
    if known:  # an empty file has none, and is told by its missing rows
        require(column_problems(columns.needed, names.of, [*known, *names.lists], source.label))
    return names


@dataclass(frozen=True)
class Reader:
    """The rows of a choice, each told good or bad."""

    choice: Choice
    names: Names
    columns: Columns
    limit: int | None  # good rows of the source; of the split, where no share of the source is held out
    others: bool  # whether rows keep the columns that are not mapped

    def shown(self) -> Sequence[str]:
        """The columns that rows keep."""
        return list(dict.fromkeys([*self.names.wanted(), *(self.choice.source.plain() if self.others else ())]))

    def judged(self, wanted: Sequence[str]) -> Iterator[tuple[Item, int | None]]:
        """Every row of the split with its index among the good ones, and every bad row of the source with None."""
        names = self.names.of
        belongs = None if self.choice.part is None else self.choice.part.begin()
        needed = {canonical: names[canonical] for canonical in self.columns.needed}
        optional = {c: names[c] for c in self.columns.canonical if c not in needed}
        pairs = fits(names)
        index = -1  # among the good rows of the source
        count = 0  # good rows of the split
        for item in self._items(wanted):
            values = item.values
            problem = item.problem or row_problem(values, needed, optional)
            for one, other, fit in pairs:
                problem = problem or fit(values.get(one), values.get(other))
            if problem:
                yield item._replace(problem=problem), None
                continue
            index += 1
            if belongs is None or belongs(index, values):
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
        for item, index in self.judged(self.names.wanted()):
            if index is None:
                rejected += 1
                if len(first) < SHOWN:
                    first.append(item)
            else:
                count += 1
            if rows_name_columns and not seen.keys() >= item.values.keys() and len(seen) < NAMES:
                seen.update(dict.fromkeys(item.values))
        if seen:
            require(column_problems(self.columns.needed, self.names.of, seen, self.choice.source.label))
        return count, rejected, first

    def _items(self, wanted: Sequence[str]) -> Iterator[Item]:
        items = self.choice.source.items(wanted)
        if not self.names.lists:
            return items
        return (item._replace(values=self.names.gathered(item.values)) for item in items)


def require(problems: list[str]) -> None:
    """Raises DataError with every problem, if there is one."""
    if problems:
        raise DataError("\n".join(problems))
