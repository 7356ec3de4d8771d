"""One of several choices: all of them with their probabilities, the right one marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from runner.report.kinds.curves import Calibration, ErrorByLength
from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import examples
from runner.report.lines import Known, Least, listed, part, whole
from runner.report.markup import Markup, clipped, is_number, join, tag
from runner.report.svg import share_bar
from runner.report.tables import found_table, probability
from runner.report.texts import inputs

PLACES = 60  # positions of choices that are told apart


class Choice(Kind):
    """{choice, text, probabilities: [...]}."""

    def __init__(self, known: Known):
        super().__init__(known)
        self.pairs: Counter[tuple[int, int]] = Counter()  # (gold, guess)
        self.surest = Least(EXTREMES)
        self.unsure = Least(EXTREMES)
        self.calibration = Calibration()
        self.lengths = ErrorByLength()

    def takes(self, line: Line) -> bool:
        """See Kind."""
        prediction = part(line, "prediction")
        found, guess = prediction.get("probabilities"), prediction.get("choice")
        return isinstance(found, list) and all(map(is_number, found)) and whole(guess) and guess < len(found)

    def add(self, line: Line) -> None:
        """See Kind."""
        found, guess, gold = line["prediction"]["probabilities"], line["prediction"]["choice"], self._gold(line)
        if gold is None:
            return
        self.scored += 1
        self.pairs[min(gold, PLACES), min(guess, PLACES)] += 1
        self.calibration.add(found[guess], gold == guess)
        self.lengths.add(sum(map(len, self.known.texts(line).values())), gold == guess)
        if gold != guess:
            self.surest.add(-found[guess], line)
        self.unsure.add(found[guess] - max((p for at, p in enumerate(found) if at != guess), default=0.0), line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        prediction, gold = line["prediction"], self._gold(line)
        choices = [str(one) for one in listed(part(line, "input").get("choices"))]
        rows = []
        for place, value in enumerate(prediction["probabilities"][:PLACES]):
            guessed = place == prediction["choice"]
            known = choices[place] if place < len(choices) else str(prediction.get("text", "")) if guessed else "…"
            mark = "✓" if place == gold else "✗" if guessed and gold is not None else ""
            look = "right" if mark == "✓" else "wrong" if mark else "guess" if guessed else None
            name = tag(
                "span",
                tag("small", chr(65 + place)) if place < 26 else None,
                clipped(known, 300),
                class_="label",
                dir="auto",
            )
            rows.append(tag("li", tag("i", mark), name, share_bar(value), tag("b", probability(value)), class_=look))
        return join([inputs(self.known.texts(line)), tag("ul", *rows, class_="bars choices")])

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        yield tag("div", self.calibration.drawn(), self.lengths.drawn(), class_="charts")
        yield found_table(
            "place of the choice", [self._counts(at) for at in sorted({at for pair in self.pairs for at in pair})]
        )
        yield from examples(self, "Most confident mistakes", self.surest)
        yield from examples(self, "Least sure", self.unsure)

    def _gold(self, line: Line) -> int | None:
        gold = part(line, "scores").get("gold")
        return gold if whole(gold) and gold < len(line["prediction"]["probabilities"]) else None

    def _counts(self, at: int) -> tuple[str, int, int, int]:
        found = self.pairs[at, at]
        guessed = sum(count for (_, guess), count in self.pairs.items() if guess == at)
        gold = sum(count for (right, _), count in self.pairs.items() if right == at)
        return chr(65 + at) if at < 26 else str(at), found, guessed - found, gold - found
