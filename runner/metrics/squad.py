"""Answers found in texts, judged as the official scripts of SQuAD do: exact match and F1 of tokens."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from runner.cjk import CJK
from runner.metrics.estimate import Ratio, known, share
from runner.types import Estimate, Row, Scores

PUNCTUATION = frozenset(string.punctuation)
CJK_PUNCTUATION = frozenset("，。！？；：、（）《》〈〉「」『』【】〔〕“”‘’…—～·．")
ARTICLE = re.compile(r"\b(a|an|the)\b")
CHARACTER = re.compile(f"([{CJK}\u3040-\u30ff])")


@dataclass(frozen=True)
class Squad:
    """The best over all gold answers; a question without any is answered rightly by an empty text alone.

    Rajpurkar et al. 2016 and 2018, evaluate-v2.0.py. evaluate-v1.1.py differs in answers of nothing but articles and
    punctuation, which v2 takes for none.

    Fields:
        characters: whether Chinese and Japanese characters are tokens of their own and their punctuation is left out.
            The official scripts do neither: F1 of an unsegmented text is then 0 or 1.
    """

    characters: bool = False

    parts: ClassVar[Mapping[str, Any]] = {"exact_match": "exact_match", "f1": "f1"}
    perfect: ClassVar[Mapping[str, float]] = {"exact_match": 1.0, "f1": 1.0}

    def numbers(self) -> Mapping[str, bool]:
        """See Metric; the last three only where there are questions without an answer."""
        names = ("exact_match", "f1", "has_answer_exact_match", "has_answer_f1", "no_answer")
        return dict.fromkeys(names, True)

    def score(self, row: Row, prediction: Any) -> Scores:
        """exact_match and f1 in 0 to 1; answerable, 0 or 1."""
        golds = gold_answers(row.get("answers"))
        if golds is None or not (isinstance(prediction, Mapping) and "answer" in prediction):
            return {}
        there = [normal for normal in (self._normal(gold) for gold in golds) if normal]
        answer = self._normal(prediction["answer"])
        return {
            "exact_match": int(answer in (there or [""])),
            "f1": max(token_f1(gold.split(), answer.split()) for gold in there or [""]),
            "answerable": int(bool(golds)),
        }

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """exact_match, f1; has_answer_exact_match, has_answer_f1, no_answer (the share of empty texts left empty)."""
        exact: Counter[int] = Counter()
        rows: Counter[int] = Counter()
        f1 = {0: Ratio(), 1: Ratio()}
        both = Ratio()
        for one in scores:
            if "answerable" in one:
                kind = one["answerable"]
                rows[kind] += 1
                exact[kind] += one["exact_match"]
                f1[kind].add(one["f1"], 1.0)
                both.add(one["f1"], 1.0)
        n = rows.total()
        if not n:
            return {}
        empty = {"no answer": rows[0] / n} if rows[0] else {}
        found = {
            "exact_match": replace(share(exact.total(), n), baselines=empty, passed="exact_match"),
            "f1": replace(both.share(), baselines=empty, passed="f1"),
        }
        if rows[0] and rows[1]:
            found["has_answer_exact_match"] = known(share(exact[1], rows[1]), "exact_match")
            found["has_answer_f1"] = known(f1[1].share(), "f1")
        if rows[0]:
            found["no_answer"] = known(share(exact[0], rows[0]), "exact_match")
        return found

    def _normal(self, text: str) -> str:
        """Lower case without punctuation, articles and superfluous spaces: normalize_answer of the scripts."""
        left_out = PUNCTUATION | CJK_PUNCTUATION if self.characters else PUNCTUATION
        text = "".join(character for character in text.lower() if character not in left_out)
        text = ARTICLE.sub(" ", text)
        return " ".join((CHARACTER.sub(r" \1 ", text) if self.characters else text).split())


def gold_answers(answers: Any) -> list[str] | None:
    """The texts of an `answers` column: {text: [...]}, a list of texts or of {text}, or one text; None: no column.

    A list of nothing, or an empty text alone, is a question without an answer.
    """
    if answers is None:
        return None
    found = answers.get("text", []) if isinstance(answers, Mapping) else answers
    if isinstance(found, str):
        found = [found]
    texts = [one["text"] if isinstance(one, Mapping) else str(one) for one in found]
    return [text for text in texts if text]


def token_f1(gold: Sequence[str], answer: Sequence[str]) -> float:
    """F1 of two bags of tokens; where either is empty, whether both are."""
    if not gold or not answer:
        return float(gold == answer)
    common = (Counter(gold) & Counter(answer)).total()
    return 2 * common / (len(gold) + len(answer))
