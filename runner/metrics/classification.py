"""Classes and numbers against those of the data: accuracy, F1, correlation, ranking, likelihood and calibration."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.metrics.bootstrap import Sums
from runner.metrics.calibration import calibration_error
from runner.metrics.confusion import agreement, macro_f1
from runner.metrics.correlation import correlations
from runner.metrics.estimate import Ratio, known, mean, share
from runner.metrics.labels import is_unlabelled, place, position, positions, real
from runner.metrics.ranking import auroc
from runner.types import Estimate, Row, Scores

SMALLEST = 2.220446e-16  # a probability of 0 counts as this one, as in scikit-learn


@dataclass(frozen=True)
class Classification:
    """Of one class a row: all numbers. Of several classes a row: accuracy (of the whole set), F1 and AUROC.

    A label is the name of a class or its position, from 0; see `labels.positions` for lists. None and -1 are no label.
    """

    parts: ClassVar[Mapping[str, Any]] = {"accuracy": "correct", "log_loss": "nll"}
    perfect: ClassVar[Mapping[str, float]] = {"accuracy": 1.0, "log_loss": 0.0}

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        better = {"accuracy": True, "macro_f1": True, "micro_f1": True, "mcc": True, "auroc": True}
        return better | {"log_loss": False, "ece": False}

    def score(self, row: Row, prediction: Any) -> Scores:
        """gold and guess (positions of classes, from 0), correct, probabilities (6 digits), nll of the gold (nats)."""
        label = row.get("label")
        if label is None or not (isinstance(prediction, Mapping) and "probabilities" in prediction):
            return {}
        probabilities = prediction["probabilities"]
        names = list(probabilities)
        shown = [float(f"{value:.6g}") for value in probabilities.values()]
        if "labels" in prediction:
            several = positions(label, names, place(row))
            guesses = sorted(names.index(name) for name in prediction["labels"])
            return {"gold": several, "guess": guesses, "correct": int(several == guesses), "probabilities": shown}
        if is_unlabelled(label, names):
            return {}
        gold, guess = position(label, names, place(row)), names.index(prediction["label"])
        nll = -math.log(max(probabilities[names[gold]], SMALLEST))
        return {"gold": gold, "guess": guess, "correct": int(gold == guess), "probabilities": shown, "nll": nll}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """accuracy, macro_f1, mcc, auroc, log_loss (nats), ece; or accuracy, macro_f1, micro_f1, auroc of sets."""
        gold: list[Any] = []
        guess: list[Any] = []
        nll, probabilities = array("d"), array("f")
        for one in scores:
            if "gold" in one and "probabilities" in one:
                gold.append(one["gold"])
                guess.append(one["guess"])
                nll.append(one.get("nll", 0.0))
                probabilities.extend(one["probabilities"])
        if not gold:
            return {}
        if isinstance(gold[0], list):
            return _several(gold, guess, _table(probabilities, len(gold)))
        return _single(gold, guess, nll, _table(probabilities, len(gold)))


@dataclass(frozen=True)
class Regression:
    """Of one number a row: correlations and the mean squared error."""

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"pearson": True, "spearman": True, "mse": False}

    def score(self, row: Row, prediction: Any) -> Scores:
        """gold and value."""
        value = prediction.get("value") if isinstance(prediction, Mapping) else prediction
        if row.get("label") is None or not isinstance(value, int | float):
            return {}
        return {"gold": real(row["label"], "label", place(row)), "value": float(value)}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """pearson, spearman (neither where the numbers are all the same), mse; its baseline guesses the mean."""
        gold, values = array("d"), array("d")
        for one in scores:
            if "gold" in one and "value" in one:
                gold.append(one["gold"])
                values.append(one["value"])
        if not gold:
            return {}
        errors = mean((value - right) ** 2 for value, right in zip(values, gold, strict=True)).estimate()
        middle = math.fsum(gold) / len(gold)
        spread = math.fsum((value - middle) ** 2 for value in gold) / len(gold)
        return {**correlations(gold, values), "mse": known(errors, mean=spread)}


def _table(probabilities: array[float], n: int) -> Any:
    """(n, classes)."""
    import numpy as np

    return np.frombuffer(probabilities, dtype=np.float32).reshape(n, -1)


def _single(gold: Sequence[int], guess: Sequence[int], nll: Sequence[float], table: Any) -> Mapping[str, Estimate]:
    import numpy as np

    right, answers = np.asarray(gold), np.asarray(guess)
    n, classes = table.shape
    shares = np.bincount(right, minlength=classes) / n
    prior = -float(sum(p * math.log(p) for p in shares if p))
    hits = right == answers
    found = {
        "accuracy": known(share(int(hits.sum()), n), "correct", majority=float(shares.max()), random=1 / classes),
        **agreement(right, answers, classes),
    }
    columns = [1] if classes == 2 else range(classes)
    area = auroc((table[:, at], right == at) for at in columns)
    if area is not None:
        found["auroc"] = area
    found["log_loss"] = known(mean(nll).estimate(), majority=prior, random=math.log(classes))
    found["ece"] = calibration_error(table[np.arange(n), answers].astype(float), hits)
    return found


def _several(gold: Sequence[list[int]], guess: Sequence[list[int]], table: Any) -> Mapping[str, Estimate]:
    import numpy as np

    n, classes = table.shape
    right, answers = np.zeros((n, classes), dtype=bool), np.zeros((n, classes), dtype=bool)
    for at, (labels, guesses) in enumerate(zip(gold, guess, strict=True)):
        right[at, labels] = answers[at, guesses] = True
    sums, micro = Sums(3 * classes), Ratio()
    for row in np.concatenate([right & answers, answers, right], axis=1).astype(float):
        sums.add(row)
        micro.add(2 * row[:classes].sum(), row[classes:].sum())
    most = Counter(map(tuple, gold)).most_common(1)[0][1] / n
    hits = sum(labels == guesses for labels, guesses in zip(gold, guess, strict=True))
    found = {
        "accuracy": known(share(hits, n), "correct", majority=most, random=0.5**classes),
        "macro_f1": sums.estimate(lambda drawn: _mean_f1(drawn, classes)),
        "micro_f1": micro.share(),
    }
    area = auroc((table[:, at], right[:, at]) for at in range(classes))
    return found if area is None else {**found, "auroc": area}


def _mean_f1(sums: Any, classes: int) -> Any:
    """(R,) means of F1 over all classes, 0 for one that never occurs; sums (R, 3 classes)."""
    import numpy as np

    right, guessed, gold = np.split(sums, 3, axis=1)
    return macro_f1(right, guessed, gold) * ((guessed + gold) > 0).sum(axis=1) / classes
