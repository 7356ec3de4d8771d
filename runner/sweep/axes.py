"""The keys that vary in a sweep, and its numbers, as axes: numbers, their logarithms, or choices side by side."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from runner.report.svg import decades, ticks

DECADES = 2  # from here on a logarithm tells more
FEW = 12  # values of a key that are looked at one by one
CHOICES = 40  # of an axis; the rest share a place
LABEL = 18  # characters below an axis


@dataclass(frozen=True)
class Axis:
    """What one key, or one number, is at each of several points.

    Fields:
        key: its whole name.
        name: as short as it can be.
        values: of the points: numbers, or places among the choices; None where the point has none.
        choices: what is no number, in an order that the values do not decide; numbers among them come first.
        log: whether places go by the logarithm.
        discrete: whether the values are few, and most of them are there several times.
        within: both ends of what is drawn at its place, if that is less or more than all values.
    """

    key: str
    name: str
    values: Sequence[float | None]
    choices: Sequence[str] = ()
    log: bool = False
    discrete: bool = False
    within: tuple[float, float] | None = None

    @property
    def known(self) -> list[float]:
        """The values that are there."""
        return [value for value in self.values if value is not None]

    @property
    def several(self) -> bool:
        """Whether the points differ in it."""
        return len(set(self.values)) > 1

    def place(self, value: float) -> float:
        """Where a value is: itself, or its logarithm to the base 10."""
        return math.log10(value) if self.log else value

    @property
    def beyond(self) -> int:
        """How many values are drawn at an end of the axis instead of their place."""
        low, high = self.within or (-math.inf, math.inf)
        return sum(not low <= value <= high for value in self.known)

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the axis, in the unit of its values, with some room beyond the values."""
        if self.choices:
            return -0.5, len(self.choices) - 0.5
        low, high = map(self.place, self.within or (min(self.known), max(self.known)))
        room = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
        return (10 ** (low - room), 10 ** (high + room)) if self.log else (low - room, high + room)

    @property
    def ticks(self) -> Iterator[tuple[float, str]]:
        """Values to be written beside the axis."""
        if self.choices:
            yield from ((at, clip(choice)) for at, choice in enumerate(self.choices))
        elif len(set(self.known)) <= 4 and self.within is None:
            yield from ((value, f"{value:.4g}") for value in sorted(set(self.known)))
        elif self.log:
            yield from ((value, f"{value:.4g}") for value in decades(*map(self.place, self.ends)))
        else:
            yield from ((value, f"{value:,.6g}") for value in ticks(*self.ends, 5))


def axis(
    key: str, name: str, texts: Sequence[str | None], log: bool | None = None, order: Sequence[int] | None = None
) -> Axis:
    """The axis of a key from what is said of it on the command line.

    Args:
        key, name: of the axis.
        texts: what is said at each point.
        log: whether it was drawn by its logarithm.
        order: of the points, in which choices come; as they are given.
    """
    numbers = [None if text is None else _number(text) for text in texts]
    if any(number is None for number, text in zip(numbers, texts, strict=True) if text is not None):
        return _choices(key, name, texts, range(len(texts)) if order is None else order)
    return measured(key, name, numbers, log)


def measured(key: str, name: str, values: Sequence[float | None], log: bool | None = None) -> Axis:
    """The axis of numbers; where nothing says `log`, by their logarithm if they spread over two decades or more."""
    known = [value for value in values if value is not None]
    positive = bool(known) and min(known) > 0
    wide = positive and math.log10(max(known)) - math.log10(min(known)) > DECADES - 1e-9
    log = positive and (wide if log is None else log)
    distinct = len(set(known))
    return Axis(key, name, values, log=log, discrete=distinct <= FEW and 2 * distinct <= len(known))


def fence(values: Sequence[float], larger: bool, place: Callable[[float], float] = float) -> tuple[float, float]:
    """The ends of the values without those far worse than most: 3 times the middle half away from it (Tukey 1977)."""
    if len(values) < 5:
        return min(values), max(values)
    first, _, third = statistics.quantiles([place(value) for value in values], n=4, method="inclusive")
    room = 3 * (third - first)
    if not room:
        return min(values), max(values)
    kept = [value for value in values if (place(value) >= first - room if larger else place(value) <= third + room)]
    return min(kept), max(kept)


def clip(text: str) -> str:
    """What fits below an axis."""
    return text if len(text) <= LABEL else text[: LABEL - 1] + "…"


def _choices(key: str, name: str, texts: Sequence[str | None], order: Sequence[int]) -> Axis:
    said = dict.fromkeys(text for text in (texts[at] for at in order) if text is not None)
    numbers = {text: number for text in said if (number := _number(text)) is not None}
    known = sorted(said, key=lambda text: (text not in numbers, numbers.get(text, 0.0)))
    if len(known) > CHOICES:
        known = [*known[: CHOICES - 1], f"{len(known) - CHOICES + 1} others"]
    at = {text: float(place) for place, text in enumerate(known)}
    last = float(len(known) - 1)
    return Axis(key, name, [None if t is None else at.get(t, last) for t in texts], known, discrete=True)


def _number(text: str) -> float | None:
    """What a text comes to that is a finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
