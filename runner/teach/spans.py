"""Questions with answers that stand in a text to training examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.encode.contexts import Contexts
from runner.errors import DataError
from runner.types import Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 500  # rows tokenised at a time
CLS = 0  # position of the token that says: no answer in this window
WAYS = ("teach", "skip", "error")


@dataclass(frozen=True)
class Answers(Teach):
    """Where the first of a row's answers begins and ends; in windows without it the first token is taught, [CLS].

    Fields:
        column, context, tokens, stride: as in `runner.encode.contexts.Contexts`.
        target: the column of answers, {"text": [...], "answer_start": [...]}, starts in characters.
        unanswerable: rows without an answer are taught to have none, skipped, or refused (error).
    """

    column: str = "question"
    context: str = "context"
    tokens: int | None = 384
    stride: int = 128
    target: str = "answers"
    unanswerable: str = "teach"

    def __post_init__(self) -> None:
        if self.unanswerable not in WAYS:
            raise ValueError(f"unanswerable must be one of {', '.join(WAYS)}, but got {self.unanswerable}")
        Contexts(self.column, self.context, self.tokens, self.stride)

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column, self.context, self.target)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """An example a window: input_ids (token_type_ids), lists of T ints; the numbers start_positions, end_positions.

        Raises:
            DataError: an answer does not stand in its context where it says, or is missing where it must not be.
        """
        encode, remaining = Contexts(self.column, self.context, self.tokens, self.stride), iter(rows)
        while chunk := list(islice(remaining, CHUNK)):
            answers = [self._answer(row) for row in chunk]
            kept = [at for at, answer in enumerate(answers) if answer or self.unanswerable == "teach"]
            for at, features in zip(kept, encode(model, [chunk[at] for at in kept]), strict=True):
                for feature in features:
                    first, last = positions(feature.pop("aside"), answers[at])
                    yield feature | {"start_positions": first, "end_positions": last}

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats of all windows: the mean of an answer's beginning and end."""
        from runner.engine.spans import span_loss

        return span_loss(network, inputs)

    def items(self, inputs: Inputs) -> int:
        """Windows."""
        return len(inputs["input_ids"])

    def _answer(self, row: Row) -> tuple[int, int] | None:
        """First and last character (exclusive) of the first answer; None where there is none."""
        where, given, context = row.get("place", f"row {row.get('row')}"), row[self.target], row[self.context]
        if not isinstance(given, Mapping) or not {"text", "answer_start"} <= set(given):
            raise DataError(
                f'{where}: {self.target} must be {{"text": [...], "answer_start": [...]}}, got {given!r:.80}'
            )
        texts, starts = list(given["text"]), list(given["answer_start"])
        if not texts and self.unanswerable == "error":
            raise DataError(f"{where}: has no answer: set task.teach.unanswerable to teach or skip")
        if not texts:
            return None
        text, start = texts[0], starts[0]
        if not text or context[start : start + len(text)] != text or start < 0:
            there = context[max(start, 0) : max(start, 0) + len(text)]
            raise DataError(
                f"{where}: answer {text!r:.80} does not stand at character {start} of {self.context} ({there!r:.80})"
            )
        return start, start + len(text)


def positions(aside: Mapping[str, Any], answer: tuple[int, int] | None) -> tuple[int, int]:
    """The first and the last token of the answer in a window; [CLS] twice where it is not all there."""
    offsets = aside["offsets"]
    if answer is None or offsets[0][0] > answer[0] or offsets[-1][1] < answer[1]:
        return CLS, CLS
    first = max(at for at, (start, _) in enumerate(offsets) if start <= answer[0])
    last = min(at for at, (_, end) in enumerate(offsets) if end >= answer[1])
    return aside["first"] + first, aside["first"] + last
