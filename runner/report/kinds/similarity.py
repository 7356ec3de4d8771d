"""How alike two texts are: cosines against what people said, and the pairs furthest from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import examples
from runner.report.lines import Known, Least, Sample, counted, part
from runner.report.markup import Markup, is_number, join, number, tag
from runner.report.plots import Bar, bars, scatter
from runner.report.svg import share_bar
from runner.report.texts import inputs

POINTS = 3_000
GRADES = 200  # different gold scores, to one digit, of which the ends are kept


class Similarity(Kind):
    """{similarity}: a cosine."""

    title = "Alike and not alike"
    numbers_first = True

    def __init__(self, known: Known):
        super().__init__(known)
        self.points = Sample(POINTS)  # (gold, cosine)
        self.sums = [0.0] * 5  # n, gold, cosine, gold * gold, gold * cosine
        self.ends: dict[float, tuple[Least, Least]] = {}  # gold -> pairs of the highest and of the lowest cosine
        self.tenths: Counter[int] = Counter()  # of the cosine
        self.least = Least(EXTREMES)

    def takes(self, line: Line) -> bool:
        """See Kind."""
        return is_number(part(line, "prediction").get("similarity"))

    def add(self, line: Line) -> None:
        """See Kind."""
        scores, cosine = part(line, "scores"), line["prediction"]["similarity"]
        line = {name: value for name, value in line.items() if name != "scores"} | {"scores": _short(scores)}
        self.tenths[min(max(int((cosine + 1) * 10), 0), 19)] += 1
        self.least.add(cosine, line)
        if not counted(scores, "gold_similarity", "similarity"):
            self.scored += "query_key" in scores
            return
        self.scored += 1
        gold = scores["gold_similarity"]
        self.points.add((gold, cosine))
        for place, value in enumerate((1, gold, cosine, gold * gold, gold * cosine)):
            self.sums[place] += value
        grade = round(gold, 1)
        if grade in self.ends or len(self.ends) < GRADES:
            high, low = self.ends.setdefault(grade, (Least(4), Least(4)))
            high.add(-cosine, line)
            low.add(cosine, line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        cosine, gold = line["prediction"]["similarity"], part(line, "scores").get("gold_similarity")
        right = tag("span", f"gold {number(gold)}", class_="quiet") if is_number(gold) else None
        bar = tag(
            "li", tag("i"), tag("span", "cosine ", right, class_="label"), share_bar(cosine), tag("b", number(cosine))
        )
        return join([inputs(self.known.texts(line)), tag("ul", bar, class_="bars")])

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if self.points.kept:
            some = f": {len(self.points.kept):,} pairs of {self.points.seen:,}" if self.points.seen > POINTS else ""
            caption = tag(
                "figcaption", tag("b", "Gold score against cosine"), f" (each dot a pair, larger ones several{some})"
            )
            yield tag(
                "figure",
                caption,
                scatter("Gold score against cosine", self.points.kept, ("gold score", "cosine")),
                class_="plot single",
            )
            yield from self._furthest()
        elif self.scored:
            shown = [
                Bar(f"{place / 10 - 1:.1f}", count, f"{count:,} pairs from {place / 10 - 1:.1f}")
                for place, count in sorted(self.tenths.items())
            ]
            yield tag(
                "figure",
                tag("figcaption", tag("b", "Cosine of the right pairs")),
                bars("Cosines", shown),
                class_="plot single",
            )
            yield from examples(self, "Least alike of the right pairs", self.least)

    def _furthest(self) -> Iterable[Markup]:
        """The pairs furthest from the straight line through all of them."""
        n, x, y, xx, xy = self.sums
        spread = n * xx - x * x
        slope = (n * xy - x * y) / spread if spread > 0 else 0.0
        above, below = Least(EXTREMES), Least(EXTREMES)
        for high, low in self.ends.values():
            for kept, side in ((high, above), (low, below)):
                for line in kept.items():
                    off = (
                        line["prediction"]["similarity"] - (y + slope * (n * line["scores"]["gold_similarity"] - x)) / n
                    )
                    if (off > 0) == (side is above):
                        side.add(-abs(off), line)
        for side, title in (
            (above, "Taken for more alike than people say"),
            (below, "Taken for less alike than people say"),
        ):
            side.seen = len(side.heap)
            yield from examples(self, title, side, "the furthest from the line through all, ")


def _short(scores: dict[str, Any]) -> dict[str, Any]:
    """Without vectors."""
    return {name: value for name, value in scores.items() if not isinstance(value, list)}
