"""The points of a sweep: every combination of the values given, in their order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.errors import HydraException

from runner.errors import ConfigError, nearest
from runner.grammar import prepared
from runner.sweep.options import SweepConfig
from runner.usage import choices

T = TypeVar("T")
LOOKED = 100  # values of an axis, before the first job
AROUND = 10  # points that a value is tried in
Values = list[tuple[str, ...]]  # of one axis: the overrides that each of its values stands for


@dataclass(frozen=True)
class Grid:
    """All combinations of the values of some axes; the last axis changes fastest.

    Fields:
        axes: keys that move together, with their values.
        when: key -> the override that must be there for the key to be there.
    """

    axes: dict[tuple[str, ...], Values]
    when: dict[str, str]

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def __iter__(self) -> Iterator[list[str]]:
        """The overrides of each point; two may be the same where `when` takes a key out."""
        for chosen in itertools.product(*self.axes.values()):
            yield self._held([text for texts in chosen for text in texts])

    @property
    def frozen(self) -> list[Any]:
        """The axes as JSON holds them: shuffled values and those of a glob are others the next time."""
        return [[list(keys), [list(texts) for texts in values]] for keys, values in self.axes.items()]

    def as_planned(self, frozen: Sequence[Any]) -> Grid:
        """The grid with the axes that it had when it was planned."""
        return Grid({tuple(keys): [tuple(texts) for texts in values] for keys, values in frozen}, self.when)

    @property
    def varied(self) -> list[str]:
        """The keys that have more than one value."""
        return [_bare(key) for keys, values in self.axes.items() if len(values) > 1 for key in keys]

    def samples(self) -> Iterator[Iterator[list[str]]]:
        """See looks."""
        for around in looks(list(self.axes.values())):
            yield (self._held([text for texts in chosen for text in texts]) for chosen in around)

    def _held(self, texts: list[str]) -> list[str]:
        return held(texts, self.when)


def looks(axes: Sequence[Sequence[T]]) -> Iterator[Iterator[tuple[T, ...]]]:
    """A first look: for every value of every axis some points that have it, the first of them with all others' firsts.

    What cannot be in any of them is a mistake; what cannot be in some does not go with another value. Of an axis with
    very many values some are looked at, and its last: what is wrong with another one its job will tell.
    """
    firsts = tuple(values[0] for values in axes)
    several = [at for at, values in enumerate(axes) if len(values) > 1]
    if not several:
        yield iter([firsts])
    for at in several:
        values = axes[at]
        for value in (values[0], *values[:0:-1][:: 1 + len(values) // LOOKED][::-1]):
            others = [other for other in several if other != at]
            yield islice(_around((*firsts[:at], value, *firsts[at + 1 :]), axes, others), AROUND)


def _around(point: tuple[T, ...], axes: Sequence[Sequence[T]], others: Sequence[int]) -> Iterator[tuple[T, ...]]:
    """The point, and those that are one value away in another axis, of each axis in turn."""
    yield point
    for turn in itertools.zip_longest(*([(at, value) for value in axes[at][1:]] for at in others)):
        for at, value in filter(None, turn):
            yield (*point[:at], value, *point[at + 1 :])


def held(texts: Sequence[str], when: Mapping[str, str]) -> list[str]:
    """The overrides of a point whose conditions hold; what goes may be another one's condition."""
    left = list(texts)
    while True:
        here = {_bare(text).lower() for text in left}  # true comes out of a choice as True
        conditions = {text: when.get(_bare(_key_of(text))) for text in left}
        kept = [text for text, condition in conditions.items() if condition is None or condition.lower() in here]
        if kept == left:
            return left
        left = kept


def grid(overrides: Sequence[str], options: SweepConfig, folders: Sequence[Path] = ()) -> Grid:
    """The grid that the overrides of a sweep span, in Hydra's grammar: choice, range, glob, sort, shuffle, tag.

    Args:
        overrides: of the command line.
        options: of the sweep.
        folders: of the groups that a glob looks into.

    Raises:
        ConfigError: an override cannot be read, is continuous, or `sweep.tied` and `sweep.when` do not fit.
    """
    axes: dict[tuple[str, ...], Values] = {}
    for override in read(overrides, folders):
        axes[(override.get_key_element(),)] = [(text,) for text in _values(override)]
    axes |= _seeded(axes, options.seeds)
    check_when({_bare(keys[0]): [text for (text,) in values] for keys, values in axes.items()}, options.when)
    return Grid(_tied(axes, options.tied), options.when)


@dataclass(frozen=True)
class Groups:
    """Hydra's ConfigLoader, as far as a glob uses it: it knows the folders that are searched, too."""

    folders: Sequence[Path]

    def get_group_options(self, group_name: str, *_: Any, **__: Any) -> list[str]:
        """The choices of a group."""
        return choices(group_name, list(self.folders))


def read(overrides: Sequence[str], folders: Sequence[Path] = ()) -> list[Override]:
    """The overrides as Hydra parses them; raises ConfigError."""
    parser = OverridesParser.create(config_loader=Groups(folders))  # type: ignore[arg-type]
    found = []
    for text in prepared(overrides):
        try:
            found += parser.parse_overrides([text])
        except (HydraException, RecursionError) as error:
            told = str(error).strip().splitlines()[0].partition(" expecting {")[0]  # every token that could have come
            raise ConfigError(f"{text[:200]}  cannot be read: {told}; a stray comma, blank or bracket?") from error
    return found


def _values(override: Override) -> list[str]:
    """`key=value` for each value of an override."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [override.input_line or f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        told = "hydra/sweeper=search draws from it, range(start,stop,step) has single values"
        raise ConfigError(f"{key}  is a continuous range: {told}")
    try:
        found = [f"{key}={value}" for value in override.sweep_string_iterator()]
        if isinstance(override.value(), RangeSweep):
            numbers = override.sweep_iterator()
            found = [f"{key}={plainly(one) if isinstance(one, float) else one}" for one in numbers]
    except (HydraException, ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"{key}  {str(error).splitlines()[0]}") from error
    if not found:
        raise ConfigError(f"{key}  is an empty range: {override.input_line} holds no value")
    return found


def plainly(value: float) -> str:
    """A number that was counted up to in steps, without the digits that rounding left: no 0.30000000000000004."""
    return repr(float(f"{value:.12g}"))


def _seeded(axes: dict[tuple[str, ...], Values], seeds: int | None) -> dict[tuple[str, ...], Values]:
    """The axis of the seeds."""
    if seeds is None:
        return {}
    given = next((axes.pop(keys) for keys in list(axes) if _bare(keys[0]) == "seed"), [("seed=0",)])
    if len(given) > 1:
        raise ConfigError("seeds  stands beside several values of seed: give one of them")
    first = given[0][0].partition("=")[2]
    if not first.isdecimal():
        raise ConfigError(f"seed  must be a number, but got {first}")
    return {("seed",): [(f"seed={int(first) + at}",) for at in range(seeds)]}


def _tied(axes: dict[tuple[str, ...], Values], groups: Sequence[Sequence[str]]) -> dict[tuple[str, ...], Values]:
    """The axes, those of a group as one, where its first key was."""
    for group in groups:
        keys = [next((keys for keys in axes if _bare(keys[0]) == key), None) for key in group]
        for key, found in zip(group, keys, strict=True):
            if found is None:
                raise ConfigError(f"sweep.tied  {key} has no values here; {nearest(key, [_bare(k[0]) for k in axes])}")
        counts = {key: len(axes[found]) for key, found in zip(group, keys, strict=True) if found}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{key} has {count}" for key, count in counts.items())
            raise ConfigError(f"sweep.tied  keys that move together must have as many values: {told}")
        together = tuple(key for found in keys if found for key in found)
        moves = zip(*(axes[found] for found in keys if found), strict=True)
        values = [tuple(text for texts in move for text in texts) for move in moves]
        axes = {
            (together if found == keys[0] else found): (values if found == keys[0] else axes[found])
            for found in axes
            if found == keys[0] or found not in keys
        }
    return axes


def check_when(known: Mapping[str, Sequence[str]], when: Mapping[str, str]) -> None:
    """Whether conditions are about keys and values that are there.

    Args:
        known: key -> the overrides that it may have; none where they are too many to be named.
        when: key -> the override that must hold for it.

    Raises:
        ConfigError: naming the first that is not.
    """
    for key, condition in when.items():
        for name in (key, _key_of(condition)):
            if name not in known:
                raise ConfigError(f"sweep.when  {name} has no values here; {nearest(name, list(known))}")
        texts = [_bare(text).lower() for text in known[_key_of(condition)]]
        if texts and condition.lower() not in texts:
            raise ConfigError(f"sweep.when  {condition} is not among the values given; {nearest(condition, texts)}")


def _key_of(text: str) -> str:
    return text.partition("=")[0]


def _bare(text: str) -> str:
    return text.lstrip("+")
