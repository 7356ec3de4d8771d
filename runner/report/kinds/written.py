"""Texts written for a text: source, answer and reference; how near they are, and the furthest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import examples
from runner.report.lines import Known, Least, part, whole
from runner.report.markup import Markup, clipped, is_number, join, language, many, tag
from runner.report.plots import Bar, bars
from runner.report.tables import percent
from runner.report.texts import TEXT, answers_of, inputs, text_of

SEQUENCES = 6  # texts of a row that are shown
REFERENCES = 4


class Written(Kind):
    """A text, or several, beside one that is right."""

    title = "Near and far"

    def __init__(self, known: Known):
        super().__init__(known)
        self.name = ""  # of the score that rows are ranked by
        self.tenths: Counter[int] = Counter()
        self.worst = Least(EXTREMES)
        self.best = Least(EXTREMES)

    def takes(self, line: Line) -> bool:
        """See Kind."""
        prediction, target = line.get("prediction"), self.known.target
        texts = prediction if isinstance(prediction, list) and prediction else [prediction]
        return (
            bool(target)
            and part(line, "input").get(target or "") is not None
            and all(isinstance(text, str) for text in texts)
        )

    def add(self, line: Line) -> None:
        """See Kind."""
        name, value = _nearness(part(line, "scores"))
        if value is None or self.name not in ("", name):
            return
        self.name = name
        self.scored += 1
        self.tenths[min(max(int(value * 10), 0), 9)] += 1
        self.worst.add(value, line)
        self.best.add(-value, line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        prediction = line["prediction"]
        texts = [prediction] if isinstance(prediction, str) else prediction
        references = answers_of(part(line, "input").get(self.known.target or ""))[:REFERENCES]
        golds = [
            tag(
                "p",
                tag("small", "reference", class_="column"),
                clipped(text, TEXT),
                class_="prose gold",
                lang=language(text),
                dir="auto",
            )
            for text in references
        ]
        more = (
            tag("p", f"and {many(len(texts) - SEQUENCES, 'text')} more", class_="quiet")
            if len(texts) > SEQUENCES
            else ""
        )
        given = tag("div", inputs(self.known.texts(line)), class_="source")
        return join([given, *(text_of("", text) for text in texts[:SEQUENCES]), more, *golds])

    def told(self, line: Line) -> dict[str, float]:
        """See Kind."""
        scores = part(line, "scores")
        name, value = _nearness(scores)
        known = {name: value} if value is not None and name != "exact match" else {}
        return known | ({"ROUGE-L": scores["rougeL"]} if is_number(scores.get("rougeL")) else {})

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        shown = [
            Bar(f"{place / 10:.1f}–", self.tenths[place] / self.scored,
                f"{many(self.tenths[place], 'row')}: {percent(self.tenths[place] / self.scored)}")
            for place in range(10)
        ]  # fmt: skip
        caption = tag("figcaption", tag("b", f"{self.name} of the rows"), " (share of the rows; 1: the same text)")
        yield tag("figure", caption, bars(f"{self.name} of the rows", shown, width=640), class_="plot single")
        yield from examples(self, "Furthest from the reference", self.worst, f"the lowest {self.name}, ")
        yield from examples(self, "Nearest to the reference", self.best, f"the highest {self.name}, ")


def _nearness(scores: Mapping[str, Any]) -> tuple[str, float | None]:
    """How near a text is to a reference, 0 to 1, by what was measured."""
    chrf = scores.get("chrf_statistics")
    if isinstance(chrf, list) and len(chrf) >= 3 and len(chrf) % 3 == 0 and all(map(whole, chrf)):
        return "chrF", sentence_chrf(chrf)
    for name in ("rougeL", "exact_match"):
        if is_number(scores.get(name)):
            return {"rougeL": "ROUGE-L", "exact_match": "exact match"}[name], float(scores[name])
    return "", None


def sentence_chrf(statistics: Sequence[int]) -> float:
    """chrF of one text, 0 to 1 (Popovic 2015, beta 2), of its n-grams, the reference's and those of both by order."""
    orders = [statistics[start : start + 3] for start in range(0, len(statistics), 3)]
    known = [(both / text, both / reference) for text, reference, both in orders if text and reference]
    if not known:
        return 0.0
    precision, recall = (sum(pair[side] for pair in known) / len(known) for side in (0, 1))
    return 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0
