"""A question with its choices as one tree of tokens: the question once, each choice a branch of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.encode.fit import NOTE
from runner.errors import DataError
from runner.types import Encode, Features, Model, Row


@dataclass(frozen=True)
class Continuations(Encode):
    """The question goes through a causal network once, and each choice behind it (lm-evaluation-harness' tokens).

    Fields:
        delimiter: between the question and a choice; it counts to the choice.
    """

    column: str = "question"
    choices: str = "choices"
    delimiter: str = " "

    @property
    def columns(self) -> tuple[str, ...]:
        """See Encode."""
        return (self.column, self.choices)

    def __call__(self, model: Model, rows: Sequence[Row]) -> list[list[Features]]:
        """For each row one feature, lists of T ints over the question and all its choices.

        input_ids; position_ids, as if each choice were alone behind the question; branch, 0 for the question and k for
        the k-th choice; before, the place of the token that each token of a choice follows, -1 in the question.

        Raises:
            DataError: a choice has no token of its own, or there is no room for it.
        """
        made = []
        for row in rows:
            choices = [str(choice) for choice in row[self.choices]]
            whole = [f"{row[self.column]}{self.delimiter}{choice}" for choice in choices]
            question, *texts = self._tokens(model, [row[self.column], *whole])
            ends = [ids[len(question) :] for ids in texts]
            if not all(ends):
                raise DataError(f"{row.get('place', row['row'])}: choice {ends.index([]) + 1} has no token of its own")
            made.append([self._tree(model, row, question, ends)])
        return made

    def _tokens(self, model: Model, texts: list[str]) -> list[list[int]]:
        """Token ids without an end token; a start token where the tokenizer, or else nothing, gives a first one."""
        tokenizer = model.processor
        encoded = tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        ends = {tokenizer.sep_token_id, tokenizer.eos_token_id} - {None}
        return [ids[:-1] if len(ids) > 1 and ids[-1] in ends else list(ids) for ids in encoded]

    def _tree(self, model: Model, row: Row, question: list[int], ends: list[list[int]]) -> Features:
        aside: dict[str, Any] = {"bytes": [len(str(choice).encode()) for choice in row[self.choices]]}
        longest = max(map(len, ends))
        room = None if model.context is None else model.context - longest
        if room is not None and room < 1:
            raise DataError(f"{row.get('place', row['row'])}: a choice fills the context of {model.name}")
        if room is not None and len(question) > room:
            total = len(question) + longest
            aside[NOTE] = f"the text has {total} tokens, the context of {model.name} is {model.context}"
            question = question[-room:]  # its end is what the choice follows
        feature: Features = {
            "input_ids": list(question),
            "position_ids": list(range(len(question))),
            "branch": [0] * len(question),
            "before": [-1] * len(question),
        }
        for number, end in enumerate(ends, start=1):
            start = len(feature["input_ids"])
            feature["input_ids"] += end
            feature["position_ids"] += range(len(question), len(question) + len(end))
            feature["branch"] += [number] * len(end)
            feature["before"] += [len(question) - 1, *range(start, start + len(end) - 1)]
        return feature | {"aside": aside}
