"""Rows to answers: encode, schedule, run the network, interpret, score; in bounded windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from runner.answered import Answered
from runner.config import Config
from runner.decode import DEFAULT_NEW_TOKENS
from runner.prompts import Room, cut, fitted
from runner.task import Way
from runner.types import Estimate, Features, Model, Row

Batch = list[Answered]
SHOWN = 3  # rows with unknown tokens that are named


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

    def tell_unknown(self) -> None:
        """How many rows hold unknown tokens, where not all of them have been named."""
        if self.counts["unknown_rows"] > SHOWN:
            self.say(f"{self.counts['unknown_rows']} rows in all hold tokens unknown to the tokenizer")

    def _forwarded(self, window: list[Row]) -> Iterator[Batch]:
        from runner.engine.forward import run_batches

        engine = self.config.engine
        encoded = self.way.encode(self.model, window)
        notes = cut(window, encoded, self.config.on_long_row)
        for row, features, note in zip(window, encoded, notes, strict=True):
            self._count_unknown(row, features)
            if note is not None:
                self.counts[f"{note.partition(':')[0]}_rows"] += 1
        left_out = [i for i, features in enumerate(encoded) if not features and notes[i] is not None]
        yield [Answered(window[i], None, {}, note=notes[i]) for i in left_out]
        flat = [(place, feature) for place, features in enumerate(encoded) for feature in features]
        outputs: list[list[Any]] = [[None] * len(features) for features in encoded]
        missing = [len(features) for features in encoded]
        starts = _starts(encoded)
        empty = [i for i, count in enumerate(missing) if count == 0 and notes[i] is None]
        yield [self._answered(window[i], encoded[i], []) for i in empty]
        interpret: Any = self.way.interpret
        for done in run_batches(self.model, [f for _, f in flat], interpret.outputs, engine.batch_tokens, self.say):
            finished = []
            for index, output in done:
                place = flat[index][0]
                outputs[place][index - starts[place]] = output
                missing[place] -= 1
                if missing[place] == 0:
                    finished.append(place)
            yield [replace(self._answered(window[i], encoded[i], outputs[i]), note=notes[i]) for i in finished]

    def _generated(self, rows: Iterable[Row]) -> Iterator[Batch]:
        from runner.engine.decoding import Order, decode_all

        config = self.config
        waiting: dict[int, tuple[Row, Features]] = {}
        skipped: Batch = []
        requests = self._requests(rows, waiting, skipped)
        order = Order(config.decode, config.engine, config.seed, config.data.window_rows, self.say, self._passed)
        for completion in decode_all(self.model, requests, order):
            row, prompt = waiting.pop(completion.row)
            self.counts["new_tokens"] += sum(map(len, completion.ids))
            self.finished += 1
            answered = replace(
                self._answered(row, [prompt], completion.ids),
                trace=self._readable(completion.trace),
                note=prompt.get("note"),
                tokens=_one_or_all([len(ids) for ids in completion.ids]),
                ended=_one_or_all(completion.ended),
            )
            yield [*_taken(skipped), answered]
        self.made = self.counts["new_tokens"]
        yield _taken(skipped)

    def _requests(self, rows: Iterable[Row], waiting: dict[int, tuple[Row, Features]], skipped: Batch) -> Iterator[Any]:
        """The prompts to decode; their rows wait in `waiting` for the answer, rows left out are answered already."""
        from runner.engine.decoding import Request

        config, room = self.config, Room.of(self.model, self.config.decode)
        for window in windows(rows, config.data.window_rows):
            encoded = [features[0] for features in self.way.encode(self.model, window)]
            for row, prompt in zip(window, fitted(window, encoded, room, config.on_long_row), strict=True):
                if "note" in prompt:
                    self.counts[f"{prompt['note'].partition(':')[0]}_rows"] += 1
                if not prompt["input_ids"]:
                    skipped.append(Answered(row, None, {}, note=prompt["note"]))
                    continue
                self._count_unknown(row, [prompt])
                self.counts["prompt_tokens"] += len(prompt["input_ids"])
                waiting[row["row"]] = (row, prompt)
                yield Request(row["row"], prompt["input_ids"])

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


def unknown_token(processor: Any) -> int | None:
    """The token that stands for what the tokenizer does not know; None where it has another meaning, too."""
    mark, *others = (getattr(processor, f"{name}_token_id", None) for name in ("unk", "bos", "eos", "cls", "sep"))
    return None if mark in others else mark


def _one_or_all(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else values


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


def summarise(way: Way, scores: Iterable[Mapping[str, float]]) -> dict[str, Estimate]:
    """All metrics of a way over the scores of its examples, read once."""
    if len(way.metrics) > 1:
        scores = list(scores)
    return {name: value for metric in way.metrics.values() for name, value in metric.summarise(scores).items()}
