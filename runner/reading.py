"""The step of a run that opens its data: the splits, what they are like, and the rows that cannot be used."""

from __future__ import annotations

import json
from itertools import chain

from runner.config import Config
from runner.data import Columns, Split, open_split
from runner.data.card import card, card_lines
from runner.files import replacing
from runner.running import Run, many
from runner.task import Task
from runner.types import Encode, Row, Teach


def open_splits(config: Config, task: Task) -> dict[str, Split]:
    """Every split that the run reads, checked before any work."""
    way = task.evaluate if config.evaluates else task.predict
    splits = {"rows": open_split(config.data, "rows", _columns(task, way.encode, scored=config.evaluates))}
    if config.trains:
        assert task.teach is not None  # config.problems
        columns = _columns(task, task.teach, scored=False)  # it names what it needs itself
        splits |= {which: open_split(config.data, which, columns) for which in ("train", "validation")}
        if set(splits["rows"].files) == set(splits["train"].files):  # a score on what was trained on tells nothing
            splits["rows"] = splits["validation"]
    return splits


def _columns(task: Task, reader: Encode | Teach, scored: bool) -> Columns:
    """What is read of each row; rows that are only answered need not say what is right."""
    target = () if task.target is None else (task.target,)
    needed = (*reader.columns, *(target if scored else ()))
    return Columns(needed, (*reader.optional, *target), task.columns, stratify=task.target)


def write_card(this: Run) -> None:
    """What the data are: told where there is something to learn from them, kept in data_card.json."""
    reader = this.task.teach if this.trains else this.way.encode
    assert reader is not None  # config.problems
    target = this.task.target
    first: Row = next(iter(this.splits["rows"]), {})
    text = [name for name in (*reader.columns, *(n for n in reader.optional if n in first)) if name != target]
    found = card(this.splits, text, target)
    this.record.write("data_card.json", found)
    if target is not None and (this.trains or this.config.evaluates):
        for line in card_lines(found):
            this.say(line)


def write_rejected(this: Run) -> None:
    """The rows that data.on_bad_row=skip leaves out, each once though splits may share a file."""
    places: set[str] = set()
    splits = [split for split in this.splits.values() if split.rejected]
    if not splits:
        return
    with replacing(this.record.directory / "rejected.jsonl") as file:
        for bad in chain.from_iterable(split.bad() for split in splits):
            if bad["place"] not in places:
                places.add(bad["place"])
                file.write(json.dumps(bad, ensure_ascii=False) + "\n")
    this.say(f"{many(len(places), 'bad row')} left out: see rejected.jsonl")
