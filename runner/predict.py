"""Rows to answers: encode, schedule, run the network, interpret, score; in bounded windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from runner.config import Config
from runner.errors import DataError
from runner.task import Way
from runner.types import Features, Model, Row, Scores

Batch = list["Answered"]


@dataclass(frozen=True)
class Answered:
    """A row with its prediction, scores and, from the loop in the open, its trace."""

    row: Row
    prediction: Any
    scores: Scores
    trace: Any = None
    note: str | None = None


@dataclass
class Predictor:
    """One way through one loaded model.

    Fields:
        say: told one line when something is done otherwise than asked (a fallback, a smaller batch).
        counts: prompt and new tokens, rows cut or skipped.
    """

    model: Model
    way: Way
    config: Config
    say: Callable[[str], None] = lambda line: None
    counts: Counter[str] = field(default_factory=Counter)

    def answers(self, rows: Iterable[Row]) -> Iterator[Batch]:
        """Batches of answered rows as they finish; at most two windows of rows are held."""
        return self._generated(rows) if self.way.generates else self._forwarded(rows)

    def _forwarded(self, rows: Iterable[Row]) -> Iterator[Batch]:
        from runner.engine.forward import run_batches

        engine = self.config.engine
        for window in windows(rows, self.config.data.window_rows):
            encoded = self.way.encode(self.model, window)
            flat = [(place, feature) for place, features in enumerate(encoded) for feature in features]
            outputs: list[list[Any]] = [[None] * len(features) for features in encoded]
            missing = [len(features) for features in encoded]
            starts = _starts(encoded)
            yield [self._answered(window[i], encoded[i], []) for i, count in enumerate(missing) if count == 0]
            interpret: Any = self.way.interpret
            for done in run_batches(self.model, [f for _, f in flat], interpret.outputs, engine.batch_tokens):
                finished = []
                for index, output in done:
                    place = flat[index][0]
                    outputs[place][index - starts[place]] = output
                    missing[place] -= 1
                    if missing[place] == 0:
                        finished.append(place)
                yield [self._answered(window[i], encoded[i], outputs[i]) for i in finished]

    def _generated(self, rows: Iterable[Row]) -> Iterator[Batch]:
        from runner.engine.decoding import Request, decode_all

        waiting: dict[int, tuple[Row, Features]] = {}
        skipped: Batch = []

        def requests() -> Iterator[Request]:
            for window in windows(rows, self.config.data.window_rows):
                for row, features in zip(window, self.way.encode(self.model, window), strict=True):
                    ids = self._fitted(row, features[0]["input_ids"], skipped)
                    if ids is not None:
                        self.counts["prompt_tokens"] += len(ids)
                        waiting[row["row"]] = (row, {"input_ids": ids})
                        yield Request(row["row"], ids)

        config = self.config
        for completion in decode_all(
            self.model, requests(), config.decode, config.engine, config.seed, self.say, config.data.window_rows
        ):
            row, feature = waiting.pop(completion.row)
            self.counts["new_tokens"] += sum(map(len, completion.ids))
            trace = self._readable(completion.trace)
            yield [*_taken(skipped), self._answered(row, [feature], completion.ids, trace)]
        yield _taken(skipped)

    def _answered(self, row: Row, features: Sequence[Features], outputs: Sequence[Any], trace: Any = None) -> Answered:
        prediction = self.way.interpret(self.model, row, features, outputs)
        scores: dict[str, float] = {}
        for metric in self.way.metrics.values():
            scores |= metric.score(row, prediction)
        return Answered(row, prediction, scores, trace)

    def _fitted(self, row: Row, ids: list[int], skipped: Batch) -> list[int] | None:
        """The prompt's ids with room left for at least one new token; None when the row is skipped."""
        context = self.model.context
        if context is None or len(ids) < context:
            return ids
        told = f"the prompt has {len(ids)} tokens, the context of {self.model.name} is {context}"
        policy = self.config.data.on_long_row
        if policy == "error":
            place = row.get("place", f"row {row['row']}")
            raise DataError(f"{place}: {told}; data.on_long_row=truncate cuts its beginning, skip leaves it out")
        if policy == "skip":
            self.counts["skipped_rows"] += 1
            skipped.append(Answered(row, None, {}, note=f"skipped: {told}"))
            return None
        self.counts["truncated_rows"] += 1
        return ids[-self._room(context) :]

    def _room(self, context: int) -> int:
        new = self.config.decode.max_new_tokens or 1
        return max(1, context - new)

    def _readable(self, trace: Any) -> Any:
        """For each sequence its steps, token ids turned into the strings that people read."""
        if trace is None:
            return None
        name = self.model.processor.decode
        steps = [
            {
                "chosen": name([step["chosen"]]),
                "candidates": [[name([token]), round(p, 6)] for token, p in step["candidates"]],
            }
            for step in trace
        ]
        return [steps]  # of the only sequence


def windows(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Rows in lists of at most `size`, read no further ahead than that."""
    remaining = iter(rows)
    while window := list(islice(remaining, size)):
        yield window


def as_record(answered: Answered) -> Mapping[str, Any]:
    """A line of predictions.jsonl."""
    row = answered.row
    record: dict[str, Any] = {
        "row": row["row"],
        "input": {k: _short(v) for k, v in row.items() if k not in ("row", "place")},
        "prediction": answered.prediction,
        "scores": answered.scores,
    }
    if answered.trace is not None:
        record["trace"] = answered.trace
    if answered.note is not None:
        record["note"] = answered.note
    return record


def _short(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= 500 else value[:499] + "…"


def _starts(encoded: Sequence[Sequence[Any]]) -> list[int]:
    starts, total = [], 0
    for features in encoded:
        starts.append(total)
        total += len(features)
    return starts


def _taken(skipped: Batch) -> Batch:
    taken = list(skipped)
    skipped.clear()
    return taken
