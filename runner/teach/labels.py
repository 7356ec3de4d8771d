"""Texts with a label, several labels or a number to training examples of a classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.encode.texts import Texts
from runner.errors import DataError
from runner.metrics.labels import is_unlabelled, place, position, positions, real
from runner.teach.classes import check_weights, class_options, weights
from runner.types import Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1000  # rows tokenised at a time
KINDS = ("single_label_classification", "multi_label_classification", "regression")


@dataclass(frozen=True)
class Labels(Teach):
    """A text (and a second one where the row has it) with its label.

    Fields:
        column, pair, tokens: as in `runner.encode.texts.Texts`.
        target: the column of labels: names or numbers, a list of them where several hold, or a quantity.
        problem: single_label_classification, multi_label_classification or regression; None: as the labels look.
        names: of the classes, where the network has a fixed set of them that its checkpoint does not name.
        class_weights: how much a row counts by its label; balanced: all labels together the same.
        label_smoothing: share of the probability that is spread over all labels.
    """

    column: str = "text"
    pair: str | None = "text_pair"
    tokens: int | None = None
    target: str = "label"
    problem: str | None = None
    names: list[str] | None = None
    class_weights: Any = None  # null | balanced | {label: weight}
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_weights(self.class_weights, self.label_smoothing)
        if self.problem not in (None, *KINDS):
            raise ValueError(f"problem must be null or one of {', '.join(KINDS)}, but got {self.problem}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column, self.target)

    @property
    def optional(self) -> tuple[str, ...]:
        """See Teach."""
        return () if self.pair is None else (self.pair,)

    def options(self, rows: Iterable[Row], config: Any) -> dict[str, Any]:
        """problem_type, and the names and number of the classes."""
        if self.names is not None:
            return {}
        labels = [row[self.target] for row in rows]
        problem = self.problem or _problem(labels)
        if problem == "regression":
            return {
                "problem_type": problem,
                "num_labels": 1,
                "id2label": {0: self.target},
                "label2id": {self.target: 0},
            }
        single = problem == "single_label_classification"
        each = labels if single else [one for several in labels for one in _listed(several)]
        return {"problem_type": problem} | class_options(each, config, self.target)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """input_ids (token_type_ids), labels: a position, zeros and ones, or a number; and the row's weight.

        Raises:
            DataError: a label is not among the classes.
        """
        encode = Texts(self.column, self.pair, self.tokens)
        names = self._names(model)
        label = self._reader(model.config, names)
        weight = self._weights(rows, label, names, model.config)
        remaining = iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            for row, (feature,) in zip(chunk, encode(model, chunk), strict=True):
                feature.pop("aside", None)
                found = label(row)
                yield feature | {"labels": found} | ({"weight": weight[found]} if weight else {})

    def check(self, model: Model, rows: Iterable[Row]) -> None:
        """Raises DataError for the first label that is not among the classes."""
        names = self._names(model)
        label = self._reader(model.config, names)
        for row in rows:
            if not is_unlabelled(row.get(self.target), names):
                label(row)

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats (or squared errors) of all rows, each as often as it counts."""
        from runner.engine.classes import class_loss

        others = {name: value for name, value in inputs.items() if name not in ("labels", "weight")}
        return class_loss(network(**others).logits, inputs["labels"], inputs.get("weight"), self.label_smoothing)

    def items(self, inputs: Inputs) -> float:
        """Rows, each as often as it counts."""
        return float(inputs["weight"].sum()) if "weight" in inputs else len(inputs["labels"])

    def _names(self, model: Model) -> list[str]:
        """Of the classes, by position."""
        return self.names or [str(model.config.id2label[at]) for at in range(len(model.config.id2label))]

    def _reader(self, config: Any, names: list[str]) -> Any:
        problem = self.problem or getattr(config, "problem_type", None)
        if problem == "regression":
            return lambda row: real(row[self.target], self.target, place(row))
        if problem == "multi_label_classification":
            return lambda row: _indicator(positions(row[self.target], names, place(row)), len(names))
        return lambda row: position(row[self.target], names, place(row))

    def _weights(self, rows: Iterable[Row], label: Any, names: list[str], config: Any) -> list[float]:
        """By position; none where every row counts the same. The rows are read once more.

        Raises:
            DataError: a row has several classes, or a quantity.
        """
        if self.class_weights is None:
            return []
        problem = self.problem or getattr(config, "problem_type", None)
        if problem in KINDS[1:]:
            raise DataError(
                f"task.teach.class_weights must be null where the problem is {problem}: no row has one class"
            )
        counts = Counter(map(label, rows)) if isinstance(self.class_weights, str) else Counter[int]()
        return weights(counts, self.class_weights, names)


def _problem(labels: list[Any]) -> str:
    """What the labels look like: lists are several, many fractions a quantity, all else one class a row."""
    if any(isinstance(label, list | tuple) and label for label in labels):
        return "multi_label_classification"
    numbers = {_fraction(label) for label in labels}
    if None not in numbers and any(number % 1 for number in numbers if number is not None):
        return "regression"
    return "single_label_classification"


def _fraction(label: Any) -> float | None:
    try:
        return float(label)
    except (TypeError, ValueError):
        return None


def _listed(labels: Any) -> list[Any]:
    return list(labels) if isinstance(labels, list | tuple) else [labels]


def _indicator(places: list[int], count: int) -> list[int]:
    held = set(places)
    return [int(at in held) for at in range(count)]
