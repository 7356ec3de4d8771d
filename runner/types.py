"""The contracts between the parts of a run; shapes: B batch, T tokens, V vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Generator, Tensor

IGNORED = -100  # label that takes no part in a loss (torch.nn.CrossEntropyLoss)
Row = Mapping[str, Any]  # one example under canonical column names: text, target ...; "row" is its index in the data
Inputs = dict[str, Any]  # a batch: the network's keyword arguments, tensors (B, T), and labels
Features = dict[str, Any]  # one example encoded, not padded: input_ids list of T ints, labels ...
Reached = tuple[Mapping[str, float], Mapping[int, "Scores"]]  # numbers, and the scores of the rows behind them
Scores = Mapping[str, Any]  # the scores of one example, as JSON holds them: nll in nats, tokens, correct ...


class Model(Protocol):
    """A loaded checkpoint: the network, its processor and its configuration."""

    network: Any
    processor: Any
    config: Any

    name: str  # what people call the checkpoint
    context: int | None  # longest sequence in tokens; None: unbounded


class Encode(Protocol):
    """Rows to unpadded features; a row may yield several (the windows of a long text, the choices of a question).

    A feature holds what the network takes, lists of T ints, and under `aside` what `Interpret` needs beside outputs.
    Where a text had to be cut, `aside` holds a `note` that says why: data.on_long_row decides what becomes of the row.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The canonical columns that every row must hold."""

    @property
    def optional(self) -> tuple[str, ...]:
        """Further canonical columns that are used where a row has them."""
        return ()

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """One list of features for each row.

        Raises:
            DataError: when a row cannot be encoded; the message starts with its place in the data.
        """


class Interpret(Protocol):
    """The network's outputs for one row to its answer."""

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> Any:
        """The prediction that people use: a text, a label, a dictionary of numbers."""


class Teach(Protocol):
    """Rows to features with labels, and the loss that they teach by; what most of them share stands here.

    Fields:
        whole_step: the loss compares the rows of a step with one another, so that a step is one batch.
    """

    whole_step: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The canonical columns that every training row must hold."""

    @property
    def optional(self) -> tuple[str, ...]:
        """Further canonical columns that are used where a row has them."""
        return ()

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """Training examples, lazily.

        An example is input_ids, a list of T ints (or C such lists, its choices), and labels: a list of ints with -100
        where no loss is computed, or a number; without labels they are the input_ids. Further keys are arguments of
        the network: numbers, or lists as input_ids are.
        """

    def options(self, rows: Iterable[Row], config: Any) -> dict[str, Any]:
        """Options of the network's configuration that the training rows decide: num_labels, id2label ..."""
        return {}

    def check(self, model: Model, rows: Iterable[Row]) -> None:
        """Look at rows that will be scored, before the training that they judge; those without a target pass.

        Raises:
            DataError: a target is not among what the network is taught.
        """

    def prepare(self, model: Model, inputs: Inputs, generator: Generator) -> Inputs:
        """What is drawn anew each time a batch is seen (masks); `generator` depends on the seed and the step alone."""
        return inputs

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """The summed loss of a batch: nats over its tokens, rows ... as `items` counts them."""

    def items(self, inputs: Inputs) -> float:
        """How many things the summed loss of a batch is over; the loss of a step is divided by those of the step."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % confidence interval and the count of examples behind it.

    Fields:
        low, high: None where there is no interval (a single example).
        baselines: what the same number comes to without a model: majority, random.
        passed: the score of a row that is 0 where the row is a mistake, if this number is about such a score.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    baselines: Mapping[str, float] = field(default_factory=dict)
    passed: str | None = None


class Rule(Protocol):
    """Chooses the next token in the loop in the open."""

    def __call__(self, tokens: Tensor, logits: Tensor, generator: Generator) -> int:
        """The next token's id.

        Args:
            tokens: (T,) the prompt and what has been generated.
            logits: (V,) after the processors; -inf where a token is forbidden.
            generator: the random stream of this row.
        """


class Metric(Protocol):
    """Per-example scores, and their summary with an interval.

    A metric may have `parts`, by which two runs are compared row by row: for a number the score whose mean over the
    rows it is, or two scores whose sums it is the ratio of; or the exponential of that. For a number that is a mean
    over rows it may have `perfect`: what a row has that cannot be better.
    """

    def numbers(self) -> Mapping[str, bool]:
        """The names of the numbers that `summarise` gives, and whether a larger one is better."""

    def score(self, row: Row, prediction: Any) -> Scores:
        """Scores of one example; empty when the metric does not apply to it."""

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """One pass over all examples' scores, in constant memory; empty when none applies."""


class Export(Protocol):
    """Further files of a run, made from its predictions."""

    def __call__(self, directory: Path, lines: Iterable[Mapping[str, Any]]) -> list[str]:
        """Write them into the run directory; their names.

        Args:
            directory: of the run.
            lines: of predictions.jsonl, in the order of the rows.
        """


class Observer(Protocol):
    """Whoever watches a run: the terminal, a test, a sweep."""

    def phase(self, line: str) -> None:
        """One line about a finished phase and its cost."""

    def answer(self, row: Row, prediction: Any) -> None:
        """A row has been answered."""

    def progress(self, name: str, done: int, total: int | None, note: str, under_way: float = 0.0) -> None:
        """How far the work called `name` is.

        Args:
            name: generating, scoring, train.
            done: rows or steps.
            total: None when it is not known.
            note: its speed, its loss.
            under_way: what is begun beside `done`, in the same unit: about.
        """


@runtime_checkable
class Following(Observer, Protocol):
    """An observer that also wants to know what a run comes to while it works."""

    @property
    def follows(self) -> bool:
        """Whether it wants to now, and may then give the run up."""

    def reached(self, step: int, find: Callable[[], Reached]) -> None:
        """What a run has come to so far; told to those alone who follow.

        Args:
            step: optimizer steps, or rows of a run that trains nothing.
            find: what it is; finding it costs a pass over all rows so far.
        """
