"""A number a text: guesses against what is right, and the rows furthest off."""

from __future__ import annotations

from collections.abc import Iterable

from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import examples
from runner.report.lines import Known, Least, Sample, counted, part
from runner.report.markup import Markup, is_number, join, number, tag
from runner.report.plots import scatter
from runner.report.texts import inputs

POINTS = 3_000


class Numbers(Kind):
    """A number, or {value}."""

    title = "Guesses and what is right"
    numbers_first = True

    def __init__(self, known: Known):
        super().__init__(known)
        self.points = Sample(POINTS)  # (gold, guess)
        self.high = Least(EXTREMES)  # by guess - gold, largest first
        self.low = Least(EXTREMES)

    def takes(self, line: Line) -> bool:
        """See Kind."""
        return is_number(self._value(line))

    def add(self, line: Line) -> None:
        """See Kind."""
        scores = part(line, "scores")
        if not counted(scores, "gold", "value"):
            return
        self.scored += 1
        over = scores["value"] - scores["gold"]
        self.points.add((scores["gold"], scores["value"]))
        (self.high if over > 0 else self.low).add(-abs(over), line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        gold = part(line, "scores").get("gold")
        right = tag("span", f" · gold {number(gold)}", class_="quiet") if is_number(gold) else None
        return join(
            [inputs(self.known.texts(line)), tag("p", tag("b", number(self._value(line))), right, class_="value")]
        )

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        some = f": {len(self.points.kept):,} rows of {self.points.seen:,}" if self.points.seen > POINTS else ""
        caption = tag("figcaption", tag("b", "Gold against guess"), f" (on the line where they are the same{some})")
        yield tag(
            "figure",
            caption,
            scatter("Gold against guess", self.points.kept, ("gold", "guess"), True),
            class_="plot single",
        )
        yield from examples(self, "Guessed too high", self.high, "the furthest off, ")
        yield from examples(self, "Guessed too low", self.low, "the furthest off, ")

    def _value(self, line: Line) -> object:
        prediction = line.get("prediction")
        return prediction.get("value") if isinstance(prediction, dict) else prediction
