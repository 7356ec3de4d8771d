"""Texts against references: BLEU, chrF, TER by sacrebleu, ROUGE, and whether they are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

from runner.errors import ConfigError
from runner.metrics.bootstrap import Sums
from runner.metrics.estimate import Ratio, known, share
from runner.metrics.rouge import rouge
from runner.types import Estimate, Row, Scores

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
TOKENIZERS = ("13a", "zh", "char", "intl", "none")  # those of sacrebleu that need no other package and no download


@dataclass(frozen=True)
class Bleu:
    """BLEU of the corpus, 0 to 100 (Papineni et al. 2002), as sacrebleu computes it.

    Fields:
        tokenize: 13a, zh, char, intl, none; null: zh for a row whose references are mostly Chinese, else 13a.
    """

    tokenize: str | None = None

    def __post_init__(self) -> None:
        if self.tokenize not in (None, *TOKENIZERS):
            raise ConfigError(f"tokenize must be one of {', '.join(TOKENIZERS)} or null, but got {self.tokenize!r}")

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"bleu": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """bleu_statistics: lengths of text and reference, right n-grams and all n-grams for n = 1 to 4."""
        text, references = _texts(row, prediction)
        if not references:
            return {}
        tokenize = self.tokenize or ("zh" if _is_chinese(references) else "13a")
        return {"bleu_statistics": _statistics(_sacrebleu("BLEU", ("tokenize", tokenize)), text, references)}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """bleu."""
        return _corpus("bleu", _sacrebleu("BLEU", ("tokenize", "none")), scores)


@dataclass(frozen=True)
class Chrf:
    """chrF of the corpus, 0 to 100 (Popovic 2015), as sacrebleu computes it.

    Fields:
        word_order: longest n-gram of words beside those of characters; 2 is chrF++.
    """

    word_order: int = 0

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"chrf": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """chrf_statistics: n-grams of the text, of the reference and of both, for each order."""
        text, references = _texts(row, prediction)
        return {"chrf_statistics": _statistics(self._chrf(), text, references)} if references else {}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """chrf."""
        return _corpus("chrf", self._chrf(), scores)

    def _chrf(self) -> Any:
        return _sacrebleu("CHRF", ("word_order", self.word_order))


@dataclass(frozen=True)
class Ter:
    """Translation edit rate of the corpus, 0 to 100 and above (Snover et al. 2006), as sacrebleu computes it.

    Fields:
        characters: whether Chinese and Japanese characters are words of their own; null: where the references are
            mostly Chinese.
    """

    characters: bool | None = None

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"ter": False}

    def score(self, row: Row, prediction: Any) -> Scores:
        """ter_statistics: edits, and the mean length of the references."""
        text, references = _texts(row, prediction)
        if not references:
            return {}
        apart = _is_chinese(references) if self.characters is None else self.characters
        ter = _sacrebleu("TER", ("normalized", apart), ("asian_support", apart))
        return {"ter_statistics": [float(number) for number in _statistics(ter, text, references)]}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """ter."""
        return _corpus("ter", _sacrebleu("TER"), scores)


@dataclass(frozen=True)
class Rouge:
    """Means of F-measures, 0 to 1, each of the best reference; without a stemmer. See `runner.metrics.rouge`."""

    parts: ClassVar[Mapping[str, Any]] = {name: name for name in ("rouge1", "rouge2", "rougeL", "rougeLsum")}
    perfect: ClassVar[Mapping[str, float]] = dict.fromkeys(parts, 1.0)

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"rouge1": True, "rouge2": True, "rougeL": True, "rougeLsum": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """rouge1, rouge2, rougeL, rougeLsum."""
        text, references = _texts(row, prediction)
        found = [rouge(reference, text) for reference in references]
        return {name: max(one[name] for one in found) for name in self.numbers()} if found else {}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """Means of the same."""
        means = {name: Ratio() for name in self.numbers()}
        for one in scores:
            if "rouge1" in one:
                for name, ratio in means.items():
                    ratio.add(one[name], 1.0)
        return {name: ratio.share() for name, ratio in means.items() if ratio.n}


@dataclass(frozen=True)
class ExactMatch:
    """Whether a text is one of the references, whatever its spaces."""

    parts: ClassVar[Mapping[str, Any]] = {"exact_match": "exact_match"}
    perfect: ClassVar[Mapping[str, float]] = {"exact_match": 1.0}

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"exact_match": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """exact_match, 0 or 1."""
        text, references = _texts(row, prediction)
        same = [reference.split() == text.split() for reference in references]
        return {"exact_match": int(any(same))} if same else {}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """The share of such texts."""
        hits = [one["exact_match"] for one in scores if "exact_match" in one]
        return {"exact_match": known(share(sum(hits), len(hits)), "exact_match")} if hits else {}


def _texts(row: Row, prediction: Any) -> tuple[str, list[str]]:
    """The first text that was predicted, and the references; none of those where the row has no target."""
    target = row.get("target")
    texts = [prediction] if isinstance(prediction, str) else prediction
    if target is None or not isinstance(texts, list) or not texts or not isinstance(texts[0], str):
        return "", []
    return texts[0], [target] if isinstance(target, str) else [str(reference) for reference in target]


def _is_chinese(references: Sequence[str]) -> bool:
    text = "".join("".join(references).split())
    return 2 * len(HAN.findall(text)) > len(text)


@lru_cache(maxsize=16)
def _sacrebleu(name: Literal["BLEU", "CHRF", "TER"], *options: tuple[str, Any]) -> Any:
    from sacrebleu import metrics

    extra = {"force": True} if name == "BLEU" else {}  # no advice about tokenized texts on the terminal
    return getattr(metrics, name)(**dict(options), **extra)


def _statistics(metric: Any, text: str, references: Sequence[str]) -> list[Any]:
    """What a row adds to the sums that the corpus score is computed from."""
    found = metric._extract_corpus_statistics([text], [[reference] for reference in references])[0]
    return [number.item() if hasattr(number, "item") else number for number in found]


def _corpus(name: str, metric: Any, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
    sums: Sums | None = None
    for one in scores:
        if f"{name}_statistics" in one:
            sums = sums or Sums(len(one[f"{name}_statistics"]))
            sums.add(one[f"{name}_statistics"])
    return {name: sums.estimate(lambda drawn: _scores(metric, drawn))} if sums else {}


def _scores(metric: Any, drawn: Any) -> Any:
    """(R,) scores of sums (R, S)."""
    import numpy as np

    return np.array([metric._compute_score_from_stats(sums).score for sums in drawn.tolist()])
