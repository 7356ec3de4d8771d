"""Sources and targets to training examples of an encoder and decoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.encode.fit import fit
from runner.teach.classes import check_smoothing
from runner.types import IGNORED, Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1000  # rows tokenised at a time


@dataclass(frozen=True)
class Pairs(Teach):
    """A text to read and the text to write for it.

    Fields:
        column, target: their columns; of a list of targets the first is taught.
        before: what stands before each source, as the checkpoint was taught: "summarize: ".
        tokens, target_tokens: longest sequences; longer ones are cut at their end. None: the model's context.
        label_smoothing: share of the probability that is spread over the vocabulary.
    """

    column: str = "source"
    target: str = "target"
    before: str = ""
    tokens: int | None = None
    target_tokens: int | None = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_smoothing(self.label_smoothing)

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column, self.target)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """input_ids of the source, labels of the target: lists of ints, each with its own length."""
        remaining = iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            sources = fit(model, [self.before + row[self.column] for row in chunk], tokens=self.tokens)
            limit = min((n for n in (self.target_tokens, model.context) if n is not None), default=None)
            long: dict[str, Any] = {"truncation": True, "max_length": limit} if limit else {}
            targets = [_first(row[self.target]) for row in chunk]
            labels = model.processor(text_target=targets, verbose=False, **long)["input_ids"]
            for source, label in zip(sources, labels, strict=True):
                yield {"input_ids": source["input_ids"], "labels": list(label)}

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats of all tokens of the targets."""
        from torch.nn import functional

        logits, labels = network(**inputs).logits.float(), inputs["labels"]
        return functional.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )

    def items(self, inputs: Inputs) -> int:
        """Tokens of the targets."""
        return int((inputs["labels"] != IGNORED).sum())


def _first(target: Any) -> str:
    return str(target[0]) if isinstance(target, list) else str(target)
