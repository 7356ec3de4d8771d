"""The step of a run that answers its rows."""

from __future__ import annotations

import math
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from runner.answered import as_record
from runner.errors import RunnerError, Stopped
from runner.predict import Batch, Predictor, summarise
from runner.running import Run, many
from runner.types import Reached, Row

SYNC_S = 0.5  # seconds between syncs of predictions.jsonl to the disk
FEWEST = 8  # rows at the first look
EARLY = 3  # looks before which no further row is begun
LOOKS = (1 / 32, 1 / 16, *(at / 8 for at in range(1, 8)))  # shares of the rows at which it is told what they came to


def answer(this: Run, model: Any) -> None:
    """Answer every row that has no answer yet; finished rows are synced to the disk as they come."""
    record, observer, split = this.record, this.observer, this.splits["rows"]
    kept = record.predictions.kept()
    if kept:
        this.say(f"{len(kept):,} of {many(split.count, 'row')} kept from before")
    done, waiting, synced = len(kept), [], time.monotonic()
    looks = _looks(split.count) if observer.follows and not this.trains else []
    start = time.perf_counter()
    predictor = Predictor(model, this.way, this.config, this.say, lambda: show())

    def show() -> None:
        observer.progress(_verb(this), done, split.count, _rate(predictor, start), predictor.under_way)
        if this.stop.overdue and done < split.count:
            raise _stopped(this, done)

    try:
        if this.stop:  # while the checkpoint was loaded
            raise _stopped(this, done)
        show()
        early = looks[:EARLY] if this.way.generates and not this.config.rounds else []
        for batch in _answers(predictor, split, kept, early):
            for answered in batch if this.config.answers else ():
                observer.answer(answered.row, answered.prediction)
            waiting += [as_record(answered) for answered in batch]
            before, done = done, done + len(batch)
            look = max((one for one in looks if before < one <= done), default=None)
            if time.monotonic() - synced > SYNC_S or this.stop or look:
                record.predictions.append(waiting)
                waiting, synced = [], time.monotonic()
            if look and done < split.count:
                observer.reached(look, lambda: _so_far(this))
            show()
            if this.stop and done < split.count:
                raise _stopped(this, done)
    except RunnerError:  # a row that is too long, logits that are not finite: what was answered before it stays
        record.predictions.append(waiting)
        raise
    record.predictions.append(waiting)
    record.predictions.order()
    predictor.tell_unknown()
    _tell_counts(this, predictor.counts, time.perf_counter() - start)


def _looks(rows: int) -> list[int]:
    """Numbers of answered rows at which it is told what they came to."""
    return sorted({look for share in LOOKS if (look := math.ceil(share * rows)) >= FEWEST})


def _answers(predictor: Predictor, rows: Iterable[Row], kept: Container[int], stops: Sequence[int]) -> Iterator[Batch]:
    """Batches of answered rows; at each of the stops, numbers of rows, those before it are answered first."""
    left = iter(rows)
    for before, stop in pairwise((0, *stops)):
        yield from predictor.answers(islice(left, stop - before), kept)
    yield from predictor.answers(left, kept)


def _so_far(this: Run) -> Reached:
    """The numbers of the rows that have been answered, and their scores."""
    scores = {line["row"]: line["scores"] for line in this.record.predictions}
    return {name: one.value for name, one in summarise(this.way, scores.values()).items()}, scores


def _stopped(this: Run, done: int) -> Stopped:
    return this.stop.error(f"at {done:,} of {many(this.splits['rows'].count, 'row')}")


def _tell_counts(this: Run, counts: Mapping[str, int], seconds: float) -> None:
    """Tokens and rows of this attempt, for timing.json, the terminal and the manifest."""
    this.timing["phases"]["predict"] = round(seconds, 3)
    this.timing |= counts
    if counts["new_tokens"]:
        this.timing["tokens_per_second"] = round(counts["new_tokens"] / seconds, 1)
    for name, told in (("skipped_rows", "skipped"), ("truncated_rows", "truncated")):
        if counts[name]:
            this.say(f"{many(counts[name], 'row')} {told}: longer than the context")


def _verb(this: Run) -> str:
    return "generating" if this.way.generates else "answering" if this.config.answers else "scoring"


def _rate(predictor: Any, start: float) -> str:
    """New tokens a second; about, as long as rows are under way."""
    seconds = max(time.perf_counter() - start, 1e-6)
    return f"{predictor.made / seconds:,.0f} tokens/s" if predictor.made else ""
