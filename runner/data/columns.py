"""Which columns a task reads, and the names that they go by in the data."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.data.check import is_nothing


@dataclass(frozen=True)
class Columns:
    """What a task reads of each row, under canonical names.

    A canonical name is `data.columns.<name>` if the user gave it, else the name itself if the data has it, else the
    first of its aliases that the data has. A name that ends in * stands for numbered columns: `ending*` is the list of
    ending0, ending1 ... without what is missing or empty at its end.

    Fields:
        needed: names that every row must hold something in.
        optional: names that rows keep where the data has them; a row without leaves them out.
        aliases: canonical name -> names that it goes by elsewhere, the first that is there wins.
        stratify: the canonical name of a column of labels; each class gives its share to a validation split made here.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stratify: str | None = None

    @property
    def canonical(self) -> tuple[str, ...]:
        """Every name once, the needed ones first."""
        stratify = () if self.stratify is None else (self.stratify,)
        return tuple(dict.fromkeys([*self.needed, *self.optional, *stratify]))

    def depends_on_data(self, given: Mapping[str, str]) -> bool:
        """Whether the names in the data must be known to tell what is read; `given` is data.columns."""
        free = (name for name in self.canonical if name not in given)
        return any(map(self.aliases.get, free)) or any(name.endswith("*") for name in given.values())

    def names(self, given: Mapping[str, str], known: Collection[str]) -> Names:
        """The names of the data, whose columns are `known`, for all canonical names and those of `given`."""
        names = {}
        for canonical in self.canonical:
            there = (n for n in (canonical, *self.aliases.get(canonical, ())) if n in known or numbered(n, known))
            names[canonical] = given[canonical] if canonical in given else next(there, canonical)
        names |= given
        lists = {name: numbered(name, known) for name in names.values() if name not in known}
        return Names(names, {name: members for name, members in lists.items() if members})


@dataclass(frozen=True)
class Names:
    """The names that canonical columns go by in one source."""

    of: Mapping[str, str]  # canonical name -> name in the data
    lists: Mapping[str, Mapping[int, str]]  # name such as ending* -> its numbered columns

    def wanted(self) -> list[str]:
        """The columns of the source that are read."""
        single = [name for name in self.of.values() if name not in self.lists]
        return list(dict.fromkeys([*single, *(name for members in self.lists.values() for name in members.values())]))

    def gathered(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A row's values with each list in the place of its numbered columns."""
        row = dict(values)
        for name, known in self.lists.items():
            members = numbered(name, values)
            found = [values.get(members.get(number, "")) for number in range(min(known), max(members, default=-1) + 1)]
            while found and is_nothing(found[-1]):
                found.pop()
            for member in set(members.values()).difference(self.of.values()):
                del row[member]
            if members:
                row[name] = found
        return row


def numbered(name: str, known: Iterable[str]) -> dict[int, str]:
    """Number -> column, in order, of the columns that a name such as ending* stands for; none for other names."""
    if not name.endswith("*"):
        return {}
    pattern = re.compile(re.escape(name[:-1]) + r"(\d{1,3})", re.ASCII)
    return dict(sorted((int(found[1]), found[0]) for found in map(pattern.fullmatch, known) if found))
