"""Scores of first and last tokens to an answer that stands in the text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.types import Features, Model, Row

CONSIDERED = 20  # first tokens, last tokens, and answers that share the probability: run_qa.py's n_best_size
DIGITS = 8  # of a probability
Span = tuple[float, int, int]  # score, first and last character (exclusive); an empty one: there is no answer


@dataclass(frozen=True)
class Spans:
    """The best answer over all windows, as run_qa.py of transformers finds it (utils_qa.postprocess_qa_predictions).

    Fields:
        n_best: answers that are kept, the best first.
        longest: answer, in tokens.
        no_answer: the answer is empty where that scores higher than the best other one by more than this; None: never.
        context: the column of texts in which answers are sought.
    """

    n_best: int = 5
    longest: int = 30
    no_answer: float | None = None
    context: str = "context"

    def __post_init__(self) -> None:
        if not 1 <= self.n_best <= CONSIDERED:
            raise ValueError(f"1 <= n_best <= {CONSIDERED} must hold, but got {self.n_best}")
        if self.longest < 1:
            raise ValueError(f"longest >= 1 must hold, but got {self.longest}")

    def outputs(self, model: Model, inputs: Any) -> list[Any]:
        """For each window its best first and last tokens with their scores, and the score of no answer."""
        from runner.engine.spans import best_ends

        return best_ends(model, inputs, CONSIDERED)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """answer, its characters start and end (null where it is empty), score (its probability), and n_best of them.

        no_answer_score is how much higher no answer scores than the best one; null where the text holds none at all.
        """
        context = str(row[self.context])
        found = [span for window, best in zip(features, outputs, strict=True) for span in self._spans(window, best)]
        best = max(found, default=None, key=_score)
        none = min((output[2] for output in outputs), default=0.0)
        if best is None:
            return _answer(context, (none, 0, 0), 1.0) | {"n_best": [], "no_answer_score": None}
        if self.no_answer is not None:
            found.append((none, 0, 0))
        kept = sorted(found, key=_score, reverse=True)[:CONSIDERED]
        if self.no_answer is not None and not any(_is_empty(span) for span in kept):
            kept.append((none, 0, 0))
        probabilities = _softmax([score for score, _, _ in kept])
        distinct: dict[tuple[int, int], dict[str, Any]] = {}  # an answer may stand in two windows
        for span, probability in zip(kept, probabilities, strict=True):
            distinct.setdefault(span[1:], _answer(context, span, probability))
        difference = none - best[0]
        empty = self.no_answer is not None and difference > self.no_answer
        answer = distinct[(0, 0)] if empty else distinct[best[1:]]
        shown = list(distinct.values())[: self.n_best]
        return answer | {"n_best": shown, "no_answer_score": round(difference, 6)}

    def _spans(self, window: Features, best: Any) -> Iterator[Span]:
        """Every pair of a good first and a good last token that may be an answer, the best first tokens first."""
        offsets, base = window["aside"]["offsets"], window["aside"]["first"]
        starts, ends, _ = best
        for first, start_score in zip(*starts, strict=True):
            for last, end_score in zip(*ends, strict=True):
                inside = base <= first <= last < base + len(offsets)
                if not inside or last - first + 1 > self.longest:
                    continue
                start, end = offsets[first - base][0], offsets[last - base][1]
                if start < end:
                    yield start_score + end_score, start, end


def _answer(context: str, span: Span, probability: float) -> dict[str, Any]:
    """Some tokenizers count the space before a word to it: an answer does not begin with one."""
    _, start, end = span
    text = context[start:end]
    start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    there = text.strip() != ""
    return {
        "answer": text.strip(),
        "start": start if there else None,
        "end": end if there else None,
        "score": round(probability, DIGITS),
    }


def _score(span: Span) -> float:
    return span[0]


def _is_empty(span: Span) -> bool:
    return span[1] == span[2]


def _softmax(scores: Sequence[float]) -> list[float]:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]
