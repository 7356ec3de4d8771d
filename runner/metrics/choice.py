"""Which of several choices is right: accuracy and the likelihood of the right one."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.errors import DataError
from runner.metrics.classification import SMALLEST
from runner.metrics.estimate import known, mean, share
from runner.metrics.labels import place
from runner.types import Estimate, Row, Scores


@dataclass(frozen=True)
class Choice:
    """The gold label is the text of a choice, its number from 0, or its letter from A."""

    parts: ClassVar[Mapping[str, Any]] = {"accuracy": "correct", "log_loss": "nll"}
    perfect: ClassVar[Mapping[str, float]] = {"accuracy": 1.0, "log_loss": 0.0}

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"accuracy": True, "log_loss": False}

    def score(self, row: Row, prediction: Any) -> Scores:
        """gold and guess (from 0), correct, choices (how many) and nll (nats) of the right one."""
        if row.get("label") in (None, -1, "-1") or not (isinstance(prediction, Mapping) and "choice" in prediction):
            return {}
        probabilities, guess = prediction["probabilities"], prediction["choice"]
        gold = position_of(row["label"], row.get("choices") or [""] * len(probabilities), row)
        nll = -math.log(max(probabilities[gold], SMALLEST))
        return {"gold": gold, "guess": guess, "correct": int(gold == guess), "choices": len(probabilities), "nll": nll}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """accuracy, and log_loss (nats); the majority always takes the position that is right most often."""
        gold: Counter[int] = Counter()
        sizes, nll, hits = array("d"), array("d"), 0
        for one in scores:
            if "choices" in one:
                gold[one["gold"]] += 1
                sizes.append(one["choices"])
                nll.append(one["nll"])
                hits += one["correct"]
        n = len(sizes)
        if not n:
            return {}
        majority, random = max(gold.values()) / n, sum(1 / size for size in sizes) / n
        return {
            "accuracy": known(share(hits, n), "correct", majority=majority, random=random),
            "log_loss": known(mean(nll).estimate(), random=sum(map(math.log, sizes)) / n),
        }


def position_of(label: Any, choices: Sequence[Any], row: Row) -> int:
    """The position of the right choice; a text that is one of the choices is that one, whatever else it could mean.

    Raises:
        DataError: when it names none of them.
    """
    if isinstance(label, str):
        if label in choices:
            return list(choices).index(label)
        text = label.strip()
        if len(text) == 1 and "A" <= text.upper() <= "Z":
            number: Any = ord(text.upper()) - ord("A")
        else:
            number = int(text) if text.isdecimal() else None
    else:
        number = int(label) if isinstance(label, int | float) and float(label).is_integer() else None
    if number is not None and 0 <= number < len(choices):
        return int(number)
    last = len(choices) - 1
    raise DataError(
        f"{place(row)}: label {label!r} names none of the {len(choices)} choices: "
        f"give a number from 0 to {last}, a letter from A to {chr(ord('A') + min(last, 25))} or the text of one"
    )
