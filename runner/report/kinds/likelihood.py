"""Texts that were scored for their likelihood: how perplexity is spread, and the rows at both ends."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.lines import Known, Least, part
from runner.report.markup import Markup, is_number, many, number, tag, within
from runner.report.svg import histogram
from runner.report.texts import text_of

BINS_PER_DECADE = 40  # of perplexity: a bin is 6 % wide
SIZE = 37_500  # bytes of a table


class Likelihood(Kind):
    """{perplexity, accuracy, ...}."""

    title = "How likely the texts are"
    numbers_first = True

    def __init__(self, known: Known):
        super().__init__(known)
        self.hardest = Least(EXTREMES)  # by perplexity, largest first
        self.easiest = Least(EXTREMES)
        self.histogram: Counter[int] = Counter()  # of log10(perplexity) * BINS_PER_DECADE
        self.not_finite = 0  # rows whose perplexity is infinite or not a number

    def takes(self, line: Line) -> bool:
        """See Kind."""
        return part(line, "prediction").get("perplexity") is not None

    def add(self, line: Line) -> None:
        """See Kind."""
        self.scored += 1
        perplexity = line["prediction"]["perplexity"]
        if is_number(perplexity) and perplexity > 0:
            self.histogram[math.floor(math.log10(perplexity) * BINS_PER_DECADE)] += 1
            self.hardest.add(-perplexity, line)
            self.easiest.add(perplexity, line)
        else:
            self.not_finite += 1

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        return text_of("", self._text(line))

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if self.histogram:
            picture = histogram("Perplexity of the rows", self.histogram, BINS_PER_DECADE)
            middle = f"Half of the rows lie below about {number(self._median())}."
            caption = tag(
                "figcaption", tag("b", "Perplexity of each row"), f" (logarithmic; lower is better). {middle}"
            )
            yield tag("figure", caption, picture, class_="plot single")
        if self.not_finite:
            yield tag("p", f"{many(self.not_finite, 'row')} without a finite perplexity.", class_="quiet")
        ends = [self._extremes("Hardest rows", self.hardest), self._extremes("Easiest rows", self.easiest)]
        yield tag("div", *ends, class_="pair")

    def _median(self) -> float:
        left = sum(self.histogram.values()) / 2
        for place, count in sorted(self.histogram.items()):
            left -= count
            if left <= 0:
                return float(10.0 ** ((place + 0.5) / BINS_PER_DECADE))
        return float("nan")

    def _extremes(self, title: str, lines: Least) -> Markup:
        columns = ("perplexity", "accuracy")
        rows = [self._row(line, columns) for line in lines.items()]
        heads = [*(tag("th", name, scope="col", class_="number") for name in columns), tag("th", "text", scope="col")]
        body = tag("tbody", *within(rows, SIZE))
        return tag("div", tag("table", tag("caption", title), tag("thead", tag("tr", *heads)), body), class_="scroll")

    def _row(self, line: Any, columns: tuple[str, ...]) -> Markup:
        numbers = (tag("td", number(part(line, "prediction").get(name)), class_="number") for name in columns)
        where = tag("span", f"row {line.get('row', '?')}", class_="where")
        return tag("tr", *numbers, tag("td", where, text_of("", self._text(line))))

    def _text(self, line: Line) -> str:
        return next(iter(self.known.texts(line).values()), "")
