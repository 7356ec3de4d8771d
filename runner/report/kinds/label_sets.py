"""Several labels a text, each by itself: how well each is found, and the rows furthest off."""

from __future__ import annotations

from collections.abc import Iterable

from runner.report.kinds.curves import ErrorByLength, Ranked
from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import NAMES, examples
from runner.report.lines import Known, Least, part, shares, whole
from runner.report.markup import Markup, join, tag
from runner.report.tables import found_table, probabilities
from runner.report.texts import inputs


class LabelSets(Kind):
    """{labels, probabilities}."""

    numbers_first = True

    def __init__(self, known: Known):
        super().__init__(known)
        self.counts: dict[str, list[int]] = {}  # name -> found, extra, missed
        self.worst = Least(EXTREMES)
        self.lengths = ErrorByLength()
        self.ranked = Ranked()

    def takes(self, line: Line) -> bool:
        """See Kind."""
        prediction = part(line, "prediction")
        return isinstance(prediction.get("labels"), list) and bool(shares(prediction.get("probabilities")))

    def add(self, line: Line) -> None:
        """See Kind."""
        found = line["prediction"]["probabilities"]
        gold, guess = self._gold(line), self._guess(line)
        if gold is None:
            return
        self.scored += 1
        for name in found:
            if name in self.counts or len(self.counts) < NAMES:
                counts = self.counts.setdefault(name, [0, 0, 0])
                if name in gold or name in guess:
                    counts[0 if name in gold and name in guess else 1 if name in guess else 2] += 1
        self.lengths.add(sum(map(len, self.known.texts(line).values())), gold == guess)
        self.ranked.add(found, *gold)
        if gold != guess:
            off = sum(abs((name in gold) - value) for name, value in found.items())
            self.worst.add(-off, line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        bars = probabilities(line["prediction"]["probabilities"], self._gold(line) or (), self._guess(line))
        return join([inputs(self.known.texts(line)), bars])

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        yield found_table("label", [(name, *counts) for name, counts in self.counts.items()])  # type: ignore[misc]
        yield tag("div", self.ranked.drawn([]), self.lengths.drawn(), class_="charts")
        yield from examples(self, "Furthest off", self.worst)

    def _guess(self, line: Line) -> set[str]:
        return {name for name in line["prediction"]["labels"] if isinstance(name, str)}

    def _gold(self, line: Line) -> set[str] | None:
        names, gold = list(line["prediction"]["probabilities"]), part(line, "scores").get("gold")
        if not isinstance(gold, list):
            return None
        return {names[at] for at in gold if whole(at) and at < len(names)}
