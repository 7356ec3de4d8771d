"""Questions with the texts that answer them, in windows that overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.encode.fit import PASSED_ON
from runner.encode.tokens import check_fast
from runner.errors import DataError
from runner.types import Features, Model, Row

LEAST = 16  # tokens of a context that a window must have room for


@dataclass(frozen=True)
class Contexts:
    """The question, whole, before each window of its context.

    Fields:
        column: of questions.
        context: of the texts in which answers are sought.
        tokens: longest window, question and special tokens included; None, or more than it: the model's context.
        stride: tokens of the context that a window has in common with the next.
    """

    column: str = "question"
    context: str = "context"
    tokens: int | None = 384
    stride: int = 128

    def __post_init__(self) -> None:
        if self.tokens is not None and self.tokens < LEAST:
            raise ValueError(f"tokens >= {LEAST} must hold, but got {self.tokens}")
        if self.stride < 0:
            raise ValueError(f"stride >= 0 must hold, but got {self.stride}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column, self.context)

    @property
    def optional(self) -> tuple[str, ...]:
        """See Encode."""
        return ()

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row its windows, none for a context of no token: input_ids (and token_type_ids), lists of T ints.

        `aside` is about the context's tokens in the window: `first`, the position of the first, and `offsets`, the
        first and last character (exclusive) of each.

        Raises:
            DataError: a question leaves a window no room for its context.
            CheckpointError: the tokenizer does not tell where its tokens come from.
        """
        check_fast(model, "question answering")
        if not rows:
            return []
        questions = [str(row[self.column]).lstrip() for row in rows]  # as the official script of SQuAD has it
        contexts = [str(row[self.context]) for row in rows]
        encoded = model.processor(questions, contexts, truncation=False, verbose=False, return_offsets_mapping=True)
        return [list(self._windows(model, row, encoded, at)) for at, row in enumerate(rows)]

    def _windows(self, model: Model, row: Row, encoded: Any, at: int) -> Iterator[Features]:
        whole: Features = {name: list(encoded[name][at]) for name in PASSED_ON if name in encoded}
        of_context = [place for place, sequence in enumerate(encoded.sequence_ids(at)) if sequence == 1]
        if not of_context:
            return
        head, tail, total = of_context[0], of_context[-1] + 1, len(whole["input_ids"])
        limit = min((n for n in (self.tokens, model.context) if n is not None), default=total)
        room = limit - head - (total - tail)
        if tail - head > room and room < LEAST:
            where = row.get("place", f"row {row.get('row')}")
            law = (
                f"the question has {head} tokens with special ones, which leaves its context {max(room, 0)} of {limit}"
            )
            raise DataError(f"{where}: {law}, and at least {LEAST} are needed: shorten it, or set larger windows")
        offsets = [(int(start), int(end)) for start, end in encoded["offset_mapping"][at][head:tail]]
        step = room - min(self.stride, room // 2)
        for begin in range(0, max(tail - head - room, 0) + step, step):
            end = min(begin + room, tail - head)
            feature: Features = {
                name: values[:head] + values[head + begin : head + end] + values[tail:]
                for name, values in whole.items()
            }
            yield feature | {"aside": {"first": head, "offsets": offsets[begin:end]}}
            if end == tail - head:
                return
