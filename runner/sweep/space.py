"""What a search may draw for each key: Hydra's choices, ranges and intervals as distributions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep

from runner.errors import ConfigError
from runner.sweep.grid import check_when, held, looks, plainly, read

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

KNOWN = ("log", "int")  # tags with a meaning
MANY = 100_000  # values of a key, from which on they are not looked at one by one


@dataclass(frozen=True)
class Space:
    """What is drawn, and what all jobs have in common.

    Fields:
        drawn: key -> its distribution. A choice is drawn by its text, as it stands on the command line.
        fixed: overrides that are the same for all.
        when: key -> the override that must be drawn for the key to count.
    """

    drawn: Mapping[str, BaseDistribution]
    fixed: Sequence[str]
    when: Mapping[str, str]

    def overrides(self, values: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """The overrides of a point; all of them, and those that were drawn."""
        drawn = [f"{key}={_said(value, self.drawn[key])}" for key, value in values.items()]
        kept = held([*self.fixed, *drawn], self.when)
        return kept, [text for text in kept if text in drawn]

    def samples(self) -> Iterator[Iterator[list[str]]]:
        """See looks; of what is continuous both ends are looked at."""
        for around in looks([_ends(one) for one in self.drawn.values()]):
            yield (self.overrides(dict(zip(self.drawn, chosen, strict=True)))[0] for chosen in around)

    def all_values(self) -> dict[str, list[Any]]:
        """Every value of every key, for a grid.

        Raises:
            ConfigError: a key has infinitely many.
        """
        found: dict[str, list[Any]] = {}
        for key, each in self.drawn.items():
            values = _values(each)
            if values is None:
                raise ConfigError(f"{key}  is continuous: hydra.sweeper.sampler=grid needs choices or ranges")
            found[key] = values
        return found

    def size(self, sampler: str) -> float:
        """How many points there are to draw."""
        return math.prod(map(len, self.all_values().values())) if sampler == "grid" else math.inf

    @property
    def described(self) -> dict[str, str]:
        """What is drawn, for a comparison with another search."""
        return {key: repr(one) for key, one in self.drawn.items()}


def space(overrides: Sequence[str], when: Mapping[str, str]) -> Space:
    """The space that the overrides of a search span.

    choice(a,b) and a,b are drawn from; range(start,stop,step) from its numbers; interval(low,high) from all between,
    from whole ones with int(interval(...)); tag(log, ...) by their logarithm.

    Raises:
        ConfigError: an override cannot be read or holds nothing to draw.
    """
    drawn, fixed = {}, []
    for override in read(overrides):
        key = override.get_key_element()
        if override.is_sweep_override():
            drawn[key] = _distribution(key, override)
        else:
            fixed.append(override.input_line or f"{key}={override.get_value_element_as_str()}")
    if not drawn:
        raise ConfigError("search  has nothing to draw: give a key several values, a range or an interval")
    known = {
        key.lstrip("+"): [f"{key}={_said(one, each)}" for one in _values(each) or ()] for key, each in drawn.items()
    }
    check_when({**{text.lstrip("+").partition("=")[0]: [text] for text in fixed}, **known}, when)
    return Space(drawn, fixed, when)


def _values(distribution: BaseDistribution) -> list[Any] | None:
    """All that may be drawn; None of what is continuous, or nearly."""
    one: Any = distribution
    if hasattr(one, "choices"):
        return list(one.choices)
    count = math.inf if one.step is None else round((one.high - one.low) / one.step) + 1
    return None if count > MANY else [one.low + at * one.step for at in range(int(count))]


def _distribution(key: str, override: Override) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value: Any = override.value()
    tags = set(getattr(value, "tags", ()))
    if wrong := sorted(tags.difference(KNOWN)):
        raise ConfigError(f"{key}  tag {wrong[0]} means nothing here; known: {', '.join(KNOWN)}")
    log = "log" in tags
    try:
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            assert low is not None and high is not None
            if "int" in tags or (isinstance(low, int) and isinstance(high, int)):
                return IntDistribution(int(low), int(high), log=log)
            return FloatDistribution(float(low), float(high), log=log)
        if isinstance(value, RangeSweep):
            return _range(value, log)
        if not isinstance(value, ChoiceSweep):
            raise ValueError("is a glob: a search draws from choices that are named, a,b")
        value.shuffle = False  # the order means nothing here, and is to be the same the next time
        return CategoricalDistribution(list(dict.fromkeys(override.sweep_string_iterator())))
    except ValueError as error:
        raise ConfigError(f"{key}  {error}") from error


def _range(value: RangeSweep, log: bool) -> BaseDistribution:
    from optuna.distributions import FloatDistribution, IntDistribution

    numbers = list(value.range())
    if not numbers:
        raise ValueError("is an empty range")
    if log:
        raise ValueError(
            "has numbers with steps between: tag(log, interval(low, high)) is what is even in its logarithm"
        )
    low, high = min(numbers), max(numbers)
    if all(isinstance(number, int) for number in numbers):
        step = int(abs(value.step))
        return IntDistribution(int(low), int(high), step=step)
    step_ = float(abs(value.step))
    return FloatDistribution(float(low), round(float(low) + step_ * (len(numbers) - 1), 12), step=step_)


def _ends(one: Any) -> list[Any]:
    return list(one.choices) if hasattr(one, "choices") else [one.low, one.high]


def _said(value: Any, distribution: Any) -> str:
    """A value as it stands on the command line."""
    if not isinstance(value, float):
        return str(value)
    return repr(value) if distribution.step is None else plainly(value)
