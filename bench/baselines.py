"""TF-IDF with logistic regression on the rows of each task, its strength chosen on the validation rows."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.minilm import DATA

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # C of the logistic regression
WORDS = {"analyzer": "word", "ngram_range": (1, 2), "sublinear_tf": True, "token_pattern": r"\S+"}
CHARACTERS = {"analyzer": "char", "ngram_range": (1, 3), "sublinear_tf": True, "min_df": 2}
PAIRS = {"analyzer": "char", "ngram_range": (1, 2), "sublinear_tf": True, "min_df": 2}


@dataclass(frozen=True)
class Number:
    """A value over n rows, with its 95 % interval where it is a share."""

    metric: str
    value: float
    n: int
    what: str
    low: float | None = None
    high: float | None = None


def read(name: str, split: str) -> list[dict[str, Any]]:
    """Rows of a csv or jsonl file of ../shared/data; CSV values are strings."""
    (path,) = [path for path in (DATA / name).glob(f"{split}.*") if path.suffix in (".csv", ".jsonl")]
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


def texts(name: str, options: dict[str, Any], metric: str, splits: Sequence[str]) -> Number:
    """Classification of one text; `splits` are those to train, to choose on and to test on."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train, choose, test = (read(name, split) for split in splits)
    score = {"accuracy": _accuracy, "mcc": _mcc}[metric]

    def guesses(c: float, taught: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[str]:
        vectorizer = TfidfVectorizer(**options)
        fitted = vectorizer.fit_transform(row["text"] for row in taught)
        model = LogisticRegression(C=c, max_iter=1000).fit(fitted, _gold(taught))
        return list(model.predict(vectorizer.transform(row["text"] for row in rows)))

    taught = train
    if splits[1] == splits[2]:  # no rows of their own to choose on: a tenth of those to train on
        choose, taught = train[::10], [row for at, row in enumerate(train) if at % 10]
    best = max(STRENGTHS, key=lambda c: score(guesses(c, taught, choose), _gold(choose)))
    found = guesses(best, train, test)
    unit = "words" if options["analyzer"] == "word" else "characters"
    return _number(metric, score(found, _gold(test)), len(test), f"TF-IDF of {unit}, C {best:g}")


def nsp() -> Number:
    """Whether the second couplet follows the first."""
    train, valid, test = (read("poems_nsp", split) for split in ("train", "valid", "test"))

    def pairs(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
        return [(row["sentence1"], row["sentence2"]) for row in rows]

    scorers = _pair_models(pairs(train), [row["label"] for row in train])

    def accuracy(scorer: Callable[[list[tuple[str, str]]], Any], rows: list[dict[str, Any]]) -> float:
        return _accuracy([str(int(s > 0)) for s in scorer(pairs(rows))], _gold(rows))

    best = max(scorers, key=lambda c: accuracy(scorers[c], valid))
    return _number("accuracy", accuracy(scorers[best], test), len(test), f"{_PAIR}, C {best:g}")


def choice() -> Number:
    """Each candidate is scored as right or wrong; the best one is the answer."""
    train, valid, test = (read("poems_choice", split) for split in ("train", "valid", "test"))

    def pairs(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
        return [(row["question"], candidate) for row in rows for candidate in row["choices"]]

    scorers = _pair_models(
        pairs(train), [int(at == row["label"]) for row in train for at in range(len(row["choices"]))]
    )

    def accuracy(scorer: Callable[[list[tuple[str, str]]], Any], rows: list[dict[str, Any]]) -> float:
        scores = iter(scorer(pairs(rows)))
        each = [[next(scores) for _ in row["choices"]] for row in rows]
        return _accuracy([str(max(range(len(one)), key=one.__getitem__)) for one in each], _gold(rows))

    best = max(scorers, key=lambda c: accuracy(scorers[c], valid))
    return _number("accuracy", accuracy(scorers[best], test), len(test), f"{_PAIR}, C {best:g}")


_PAIR = "TF-IDF of both texts' characters, of those they share, overlaps"


def _pair_models(pairs: list[tuple[str, str]], labels: list[int]) -> dict[float, Callable[[list[Any]], Any]]:
    """For each strength a scorer of pairs."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    vectorizer = TfidfVectorizer(**PAIRS).fit(text for pair in pairs for text in pair)
    scaler = StandardScaler()

    def features(given: list[tuple[str, str]], fit: bool = False) -> Any:
        first, second = (vectorizer.transform(pair[at] for pair in given) for at in (0, 1))
        shared = first.multiply(second)
        numbers = [[*_overlaps(*pair), float(cosine)] for pair, cosine in zip(given, shared.sum(1).flat, strict=True)]
        scaled = scaler.fit_transform(numbers) if fit else scaler.transform(numbers)
        return hstack([first, second, shared, scaled]).tocsr()

    fitted = features(pairs, fit=True)
    models = {c: LogisticRegression(C=c, max_iter=500).fit(fitted, labels) for c in STRENGTHS}
    return {c: lambda given, model=model: model.decision_function(features(given)) for c, model in models.items()}


def _overlaps(first: str, second: str) -> list[float]:
    """Characters and pairs of them that both hold, of the last line too, equal ends, and lengths."""
    last = first.rstrip("。！？")[-7:]
    grams = [{text[at : at + 2] for at in range(len(text) - 1)} for text in (first, second)]
    marks = set("，。！？、；")
    letters = [set(text) - marks for text in (first, second)]
    union = len(letters[0] | letters[1]) or 1
    return [
        len(letters[0] & letters[1]),
        len(letters[0] & letters[1]) / union,
        len(grams[0] & grams[1]),
        len((set(last) - marks) & letters[1]),
        float(first[-2:-1] == second[-2:-1]),
        float(len(first) % max(len(second), 1) == 0),
        len(first),
        len(second),
    ]


def similarity() -> Number:
    """The cosine of word TF-IDF vectors, fitted on the train texts without their scores."""
    from scipy.stats import spearmanr
    from sklearn.feature_extraction.text import TfidfVectorizer

    train, test = read("stsb", "train"), read("stsb", "test")
    vectorizer = TfidfVectorizer(sublinear_tf=True).fit(row[name] for row in train for name in _BOTH)
    first, second = (vectorizer.transform(row[name] for row in test) for name in _BOTH)
    found = first.multiply(second).sum(1).A1 if hasattr(first, "A1") else first.multiply(second).sum(1)
    value = float(spearmanr([float(v) for v in found.flat], [float(row["score"]) for row in test]).statistic)
    return _number("spearman", value, len(test), "cosine of word TF-IDF")


_BOTH = ("sentence1", "sentence2")


def entities() -> Number:
    """A tag for each word from TF-IDF of the characters of the word and of its neighbours; F1 of whole entities."""
    from scipy.sparse import hstack
    from seqeval.metrics import f1_score
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    splits = {name: read("wnut17", name) for name in ("train", "validation", "test")}

    def windows(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
        padded = [["<", *row["tokens"], ">"] for row in rows]
        return [tuple(words[at - 1 : at + 2]) for words in padded for at in range(1, len(words) - 1)]  # type: ignore[misc]

    options = {"analyzer": "char_wb", "ngram_range": (1, 4), "min_df": 2, "lowercase": False, "sublinear_tf": True}
    columns = list(zip(*windows(splits["train"]), strict=True))
    vectorizers = [TfidfVectorizer(**options).fit(column) for column in columns]

    def features(rows: list[dict[str, Any]]) -> Any:
        parts = zip(vectorizers, zip(*windows(rows), strict=True), strict=True)
        return hstack([vectorizer.transform(column) for vectorizer, column in parts]).tocsr()

    tags = [tag for row in splits["train"] for tag in row["ner_tags"]]
    fitted = features(splits["train"])

    def f1(model: Any, rows: list[dict[str, Any]]) -> float:
        found = iter(model.predict(features(rows)))
        return float(
            f1_score([row["ner_tags"] for row in rows], [[next(found) for _ in row["tokens"]] for row in rows])
        )

    models = {c: LogisticRegression(C=c, max_iter=300).fit(fitted, tags) for c in (10.0, 100.0)}
    best = max(models, key=lambda c: f1(models[c], splits["validation"]))
    test = splits["test"]
    return _number(
        "f1", f1(models[best], test), len(test), f"TF-IDF of characters of a word and its neighbours, C {best:g}"
    )


def _gold(rows: list[dict[str, Any]]) -> list[str]:
    return [str(row["label"]) for row in rows]


def _accuracy(found: Sequence[str], gold: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(found, gold, strict=True)) / len(gold)


def _mcc(found: Sequence[str], gold: Sequence[str]) -> float:
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(gold, found))


def _number(metric: str, value: float, n: int, what: str) -> Number:
    """Wilson's interval for a share."""
    if metric != "accuracy":
        return Number(metric, value, n, what)
    z = 1.959964
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Number(metric, value, n, what, middle - half, middle + half)


BASELINES: dict[str, Callable[[], Number]] = {
    "stsb": similarity,
    "sst2": lambda: texts("sst2", WORDS, "accuracy", ("train", "validation", "test")),
    "cola": lambda: texts("cola", WORDS, "mcc", ("train", "validation_out_of_domain", "validation_in_domain")),
    "wnut17": entities,
    "chnsenticorp": lambda: texts("chnsenticorp", CHARACTERS, "accuracy", ("train", "validation", "validation")),
    "dynasty": lambda: texts("poems_dynasty", CHARACTERS, "accuracy", ("train", "valid", "test")),
    "nsp": nsp,
    "choice": choice,
}
