"""One label a text: which class is taken for which, how far probabilities can be believed, what goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from runner.report.kinds.curves import Calibration, ErrorByLength, Ranked
from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.lines import Known, Least, part, shares, whole
from runner.report.markup import Markup, join, many, number, tag, within
from runner.report.tables import confusion, found_table, probabilities
from runner.report.texts import inputs

NAMES = 1_000  # different labels that are told apart
OTHERS = "others"
CARDS = 60_000  # bytes of the examples of one sort


class Labels(Kind):
    """{label, score, probabilities}."""

    numbers_first = True

    def __init__(self, known: Known):
        super().__init__(known)
        self.names: dict[str, None] = {}  # in the order of the classes
        self.pairs: Counter[tuple[str, str]] = Counter()  # (gold, guess)
        self.surest = Least(EXTREMES)  # mistakes, the most confident first
        self.unsure = Least(EXTREMES)
        self.calibration = Calibration()
        self.lengths = ErrorByLength()
        self.ranked = Ranked()

    def takes(self, line: Line) -> bool:
        """See Kind."""
        prediction = part(line, "prediction")
        return isinstance(prediction.get("label"), str) and bool(shares(prediction.get("probabilities")))

    def add(self, line: Line) -> None:
        """See Kind."""
        found = line["prediction"]["probabilities"]
        for name in found:
            if len(self.names) < NAMES:
                self.names.setdefault(name)
        gold, guess = self._gold(line), line["prediction"]["label"]
        if gold is None or guess not in found:
            return
        self.scored += 1
        self.pairs[self._name(gold), self._name(guess)] += 1
        confidence, right = found[guess], gold == guess
        self.calibration.add(confidence, right)
        self.lengths.add(sum(map(len, self.known.texts(line).values())), right)
        self.ranked.add(found, gold)
        if not right:
            self.surest.add(-confidence, line)
        others = [value for name, value in found.items() if name != guess]
        self.unsure.add(confidence - max(others, default=0.0), line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        prediction, gold = line["prediction"], self._gold(line)
        bars = probabilities(prediction["probabilities"], [] if gold is None else [gold], [prediction["label"]])
        return join([inputs(self.known.texts(line)), bars])

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        names = list(dict.fromkeys([*self.names, *(OTHERS for pair in self.pairs if OTHERS in pair)]))
        told = " (rows, and their share of the gold class)"
        caption = tag("figcaption", tag("b", "Which class was taken for which"), told)
        matrix = tag("figure", caption, confusion(self.pairs, names), class_="plot")
        curves = [self.calibration.drawn(), self.ranked.drawn(list(self.names)), self.lengths.drawn()]
        if len(names) > 4:
            yield matrix
        yield tag("div", *([matrix] if len(names) <= 4 else []), *curves, class_="charts")
        yield found_table("class", [self._counts(name) for name in names])
        yield from examples(self, "Most confident mistakes", self.surest)
        yield from examples(self, "Least sure", self.unsure)

    def _gold(self, line: Line) -> str | None:
        """The name of the right class: its position is that among the row's probabilities."""
        names, gold = list(line["prediction"]["probabilities"]), part(line, "scores").get("gold")
        return names[gold] if whole(gold) and gold < len(names) else None

    def _name(self, name: str) -> str:
        return name if name in self.names else OTHERS

    def _counts(self, name: str) -> tuple[str, int, int, int]:
        found = self.pairs[name, name]
        guessed = sum(count for (_, guess), count in self.pairs.items() if guess == name)
        gold = sum(count for (right, _), count in self.pairs.items() if right == name)
        return name, found, guessed - found, gold - found


def examples(kind: Kind, title: str, kept: Least, told: str = "") -> Iterable[Markup]:
    """Rows worth looking at, as the cards that answers are; nothing where there are none."""
    cards = within((example(kind, line) for line in kept.items()), CARDS)
    if cards:
        more = f"{len(cards)} of {kept.seen:,}" if kept.seen > len(cards) else many(len(cards), "row")
        yield tag("h3", title, tag("small", f"{told}{more}"))
        yield tag("div", *cards, class_="answers")


def example(kind: Kind, line: Any) -> Markup:
    """One row with its number and what is told of it."""
    told = [f"{name} {number(value)}" for name, value in kind.told(line).items()]
    caption = [tag("span", text) for text in (f"row {line.get('row', '?')}", *told)]
    return tag("figure", kind.shown(line), tag("figcaption", *caption), class_="card")
