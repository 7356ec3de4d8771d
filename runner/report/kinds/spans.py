"""Answers that stand in a text: marked in their place, beside those that are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import examples
from runner.report.lines import Known, Least, part, whole
from runner.report.markup import Markup, clipped, is_number, join, tag
from runner.report.plots import Bar, bars
from runner.report.tables import percent, probabilities
from runner.report.texts import AROUND, answers_of, inputs, marked

GOLDS = 6  # different gold answers that are shown


class Spans(Kind):
    """{answer, start, end, score, n_best}."""

    def __init__(self, known: Known):
        super().__init__(known)
        self.worst = Least(EXTREMES)
        self.tenths: Counter[int] = Counter()  # of F1

    def takes(self, line: Line) -> bool:
        """See Kind."""
        prediction = part(line, "prediction")
        return isinstance(prediction.get("answer"), str) and "start" in prediction

    def add(self, line: Line) -> None:
        """See Kind."""
        f1 = part(line, "scores").get("f1")
        if not is_number(f1):
            return
        self.scored += 1
        self.tenths[min(max(int(f1 * 10), 0), 10)] += 1
        if f1 < 1:  # of equally wrong answers the surest
            score = line["prediction"].get("score")
            self.worst.add(f1 - (score if is_number(score) else 0.0) / 1000, line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        prediction, texts = line["prediction"], self.known.texts(line)
        context = texts.pop("context", None) or max(texts.values(), key=len, default="")
        questions = {name: text for name, text in texts.items() if text != context}
        asked = [tag("p", clipped(text, 500), class_="question", dir="auto") for text in questions.values()]
        return join([*asked, self._answer(prediction, context), self._golds(line), self._others(prediction)])

    def told(self, line: Line) -> dict[str, float]:
        """See Kind."""
        f1 = part(line, "scores").get("f1")
        return {"F1": f1} if is_number(f1) else {}

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        shown = [
            Bar("1" if place == 10 else f"{place / 10:.1f}–", self.tenths[place] / self.scored,
                f"{self.tenths[place]:,} rows: {percent(self.tenths[place] / self.scored)}")
            for place in range(11)
        ]  # fmt: skip
        caption = tag(
            "figcaption", tag("b", "F1 of the rows"), " (share of the rows; 1: the same words as a gold answer)"
        )
        yield tag("figure", caption, bars("F1 of the rows", shown, width=640), class_="plot single")
        yield from examples(self, "Furthest from a gold answer", self.worst, "the lowest F1, ")

    def _answer(self, prediction: dict[str, Any], context: str) -> Markup:
        answer, start, end = prediction["answer"], prediction.get("start"), prediction.get("end")
        score = prediction.get("score")
        told = f"probability {score:.3f}" if is_number(score) else None
        if not answer:
            none = tag("p", tag("span", "no answer", class_="span none", title=told), class_="prose")
            return join([none, inputs({"context": clipped(context, 2 * AROUND)})])
        if whole(start) and whole(end) and context[start:end] == answer:
            return marked(context, start, end, tag("span", answer, class_="span", title=told))
        cut = tag("p", clipped(context, 2 * AROUND), class_="prose quiet", dir="auto")  # it stands behind what was kept
        return join([cut, tag("p", tag("span", clipped(answer, 500), class_="span", title=told), class_="prose")])

    def _golds(self, line: Line) -> Markup | str:
        golds = list(dict.fromkeys(answers_of(part(line, "input").get(self.known.target or "answers"))))
        if "f1" not in part(line, "scores"):
            return ""
        right = part(line, "scores").get("exact_match") == 1
        shown = [tag("span", clipped(text, 200), class_="gold") for text in golds[:GOLDS]]
        label = tag("span", "✓ gold" if right else "✗ gold", class_="pass" if right else "miss")
        return tag("p", label, " ", join(shown or ["no answer"], " · "), class_="golds")

    def _others(self, prediction: dict[str, Any]) -> Markup | str:
        best = prediction.get("n_best")
        known = (
            [one for one in best if isinstance(one, dict) and is_number(one.get("score"))]
            if isinstance(best, list)
            else []
        )
        if len(known) < 2:
            return ""
        shown = {str(one.get("answer") or "no answer"): float(one["score"]) for one in reversed(known[:6])}
        return tag("details", tag("summary", "other answers"), probabilities(shown, guess=[prediction["answer"]]))
