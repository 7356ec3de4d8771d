"""Rows to answers: encode, schedule, run the network, interpret, score; in bounded windows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from runner.config import Config
from runner.decode import DEFAULT_NEW_TOKENS
from runner.prompts import Room, fitted
from runner.task import Way
from runner.types import Features, Model, Row, Scores

Batch = list["Answered"]
LONGEST = 500  # characters of an input that predictions.jsonl keeps
SHOWN = 3  # rows with unknown tokens that are named


@dataclass(frozen=True)
class Answered:
    """A row with its prediction, scores and, from the loop in the open, its trace."""

    row: Row
    prediction: Any
    scores: Scores
    trace: Any = None
    note: str | None = None  # how a row that is too long was treated
    tokens: Any = None  # new ones; a list where there are several sequences
    ended: Any = None  # why there are no more: end, length, time, stop; a list where there are several sequences


@dataclass
class Predictor:
    """One way through one loaded model.

    Fields:
        say: told one line when something is done otherwise than asked (a fallback, a smaller batch).
        beat: called after every forward pass that makes new tokens.
        counts: prompt and new tokens, rows cut, skipped, or with tokens that the tokenizer does not know.
        made: new tokens so far, those of rows under way too.
        finished: rows that have been generated.
    """

    model: Model
    way: Way
    config: Config
    say: Callable[[str], None] = lambda line: None
    beat: Callable[[], None] = lambda: None
    counts: Counter[str] = field(default_factory=Counter)
    made: int = 0
    finished: int = 0

    @property
    def under_way(self) -> float:
        """The tokens of unfinished rows, in rows: about."""
        new = self.counts["new_tokens"]
        usual = new / self.finished if new else self.config.decode.max_new_tokens or DEFAULT_NEW_TOKENS
        return max(self.made - new, 0) / usual

    def answers(self, rows: Iterable[Row], kept: Container[int] = ()) -> Iterator[Batch]:
        """Batches of answered rows as they finish, without those already kept; two windows of rows are held."""
        if self.way.generates:
            yield from self._generated(row for row in rows if row["row"] not in kept)
        else:
            for window in windows(rows, self.config.data.window_rows):
                if any(row["row"] not in kept for row in window):
                    # the whole window: in other batches the sums, and with them the last digits, would be others
                    for batch in self._forwarded(window):
                        yield [answered for answered in batch if answered.row["row"] not in kept]
        if self.counts["unknown_rows"] > SHOWN:
            self.say(f"{self.counts['unknown_rows']} rows in all hold tokens unknown to the tokenizer")

    def _forwarded(self, window: list[Row]) -> Iterator[Batch]:
        from runner.engine.forward import run_batches

        engine = self.config.engine
        encoded = self.way.encode(self.model, window)
        for row, features in zip(window, encoded, strict=True):
            self._count_unknown(row, features)
        flat = [(place, feature) for place, features in enumerate(encoded) for feature in features]
        outputs: list[list[Any]] = [[None] * len(features) for features in encoded]
        missing = [len(features) for features in encoded]
        starts = _starts(encoded)
        yield [self._answered(window[i], encoded[i], []) for i, count in enumerate(missing) if count == 0]
        interpret: Any = self.way.interpret
        for done in run_batches(self.model, [f for _, f in flat], interpret.outputs, engine.batch_tokens, self.say):
            finished = []
            for index, output in done:
                place = flat[index][0]
                outputs[place][index - starts[place]] = output
                missing[place] -= 1
                if missing[place] == 0:
                    finished.append(place)
            yield [self._answered(window[i], encoded[i], outputs[i]) for i in finished]

    def _generated(self, rows: Iterable[Row]) -> Iterator[Batch]:
        from runner.engine.decoding import Order, Request, decode_all

        config, room = self.config, Room.of(self.model, self.config.decode)
        waiting: dict[int, tuple[Row, Features]] = {}
        skipped: Batch = []

        def requests() -> Iterator[Request]:
            for window in windows(rows, config.data.window_rows):
                encoded = [features[0] for features in self.way.encode(self.model, window)]
                prompts = fitted(window, encoded, room, config.data.on_long_row)
                for row, prompt in zip(window, prompts, strict=True):
                    if "note" in prompt:
                        self.counts[f"{prompt['note'].partition(':')[0]}_rows"] += 1
                    if not prompt["input_ids"]:
                        skipped.append(Answered(row, None, {}, note=prompt["note"]))
                        continue
                    self._count_unknown(row, [prompt])
                    self.counts["prompt_tokens"] += len(prompt["input_ids"])
                    waiting[row["row"]] = (row, prompt)
                    yield Request(row["row"], prompt["input_ids"])

        order = Order(config.decode, config.engine, config.seed, config.data.window_rows, self.say, self._passed)
        for completion in decode_all(self.model, requests(), order):
            row, feature = waiting.pop(completion.row)
            self.counts["new_tokens"] += sum(map(len, completion.ids))
            self.finished += 1
            answered = replace(
                self._answered(row, [feature], completion.ids),
                trace=self._readable(completion.trace),
                note=feature.get("note"),
                tokens=_one_or_all([len(ids) for ids in completion.ids]),
                ended=_one_or_all(getattr(completion, "ended", None)),
            )
            yield [*_taken(skipped), answered]
        self.made = self.counts["new_tokens"]
        yield _taken(skipped)

    def _passed(self, tokens: int) -> None:
        """Tokens count as they are made: progress is seen before the first row is finished."""
        self.made += tokens
        self.beat()

    def _answered(self, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> Answered:
        prediction = self.way.interpret(self.model, row, features, outputs)
        scores: dict[str, float] = {}
        for metric in self.way.metrics.values():
            scores |= metric.score(row, prediction)
        return Answered(row, prediction, scores)

    def _count_unknown(self, row: Row, features: Sequence[Features]) -> None:
        """Tell of the first rows whose text the tokenizer does not know; no token of theirs says so later."""
        mark = unknown_token(self.model.processor)
        if mark is None:
            return
        tokens: list[list[int]] = [feature.get("labels") or feature["input_ids"] for feature in features]
        count = sum(ids.count(mark) for ids in tokens)
        if count:
            self.counts["unknown_rows"] += 1
            if self.counts["unknown_rows"] <= SHOWN:
                known = sum(token >= 0 for ids in tokens for token in ids)
                what = "prompt" if self.way.generates else "text"
                self.say(f"row {row['row']}: {count} of {known} tokens of the {what} are unknown to the tokenizer")

    def _readable(self, trace: Any) -> Any:
        """For each sequence its steps, token ids turned into the strings that people read."""
        if trace is None:
            return None
        name = self.model.processor.decode
        steps = [
            {
                "chosen": name([step["chosen"]]),
                **({"probability": round(step["probability"], 6)} if "probability" in step else {}),
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
    canonical = {k: v for k, v in row.items() if k not in ("row", "place", "others")}
    others = {k: v for k, v in row.get("others", {}).items() if k not in canonical}
    record: dict[str, Any] = {
        "row": row["row"],
        "input": {k: _short(v) for k, v in (canonical | others).items()},
        "prediction": answered.prediction,
        "scores": answered.scores,
    }
    if answered.trace is not None:
        record["trace"] = answered.trace
    for name in ("tokens", "ended"):
        if getattr(answered, name) is not None:
            record[name] = getattr(answered, name)
    if answered.note is not None:
        record["note"] = answered.note
    return record


def _short(value: Any) -> Any:
    """What a line of JSON can hold, long texts cut off."""
    if not isinstance(value, str) and len(str(value)) > LONGEST:
        value = str(value)
    if isinstance(value, Mapping):
        return {str(key): _short(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_short(inner) for inner in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def unknown_token(processor: Any) -> int | None:
    """The token that stands for what the tokenizer does not know; None where it has another meaning, too."""
    mark, *others = (getattr(processor, f"{name}_token_id", None) for name in ("unk", "bos", "eos", "cls", "sep"))
    return None if mark in others else mark


def _one_or_all(values: Any) -> Any:
    return values[0] if isinstance(values, list | tuple) and len(values) == 1 else values


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
