"""One experiment, from a frozen configuration to a run directory."""

from __future__ import annotations

import dataclasses
import json
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from runner.backends.checkpoint import find
from runner.config import CheckpointConfig, Config
from runner.data import Split, open_split
from runner.errors import RecordError, Stopped
from runner.files import read_json, replacing
from runner.loaded import decoding_of, introduction, loaded
from runner.log import Logged
from runner.manifest import changed_inputs, data_files, manifest
from runner.record import Record
from runner.stop import Stop, stop_on_signals
from runner.task import Task, Way
from runner.types import Estimate, Observer

SYNC_S = 0.5  # seconds between syncs of predictions.jsonl to the disk


@dataclass(frozen=True)
class Result:
    """What a run gave."""

    directory: Path
    metrics: Mapping[str, Estimate]
    fresh: bool  # False: it had been done before and is shown from its directory

    @property
    def predictions(self) -> list[Any]:
        """All predictions in the order of the rows."""
        return list(self.first(None))

    def first(self, count: int | None) -> Iterator[Any]:
        """So many predictions from the beginning, read as they are asked for."""
        with (self.directory / "predictions.jsonl").open(encoding="utf-8") as file:
            for line in islice(file, count):
                yield json.loads(line)["prediction"]


@dataclass
class Run:
    """What the steps of one run share."""

    config: Config
    task: Task
    record: Record
    observer: Observer
    stop: Stop
    splits: Mapping[str, Split]  # rows and, where weights are trained, train and validation
    notes: list[str] = field(default_factory=list)
    timing: dict[str, Any] = field(default_factory=lambda: {"phases": {}})

    @property
    def way(self) -> Way:
        """How rows are answered in this run."""
        return self.task.evaluate if self.config.evaluates else self.task.predict

    @property
    def trains(self) -> bool:
        """Whether weights are trained before rows are answered."""
        return self.config.train.method != "none"

    def say(self, line: str) -> None:
        """A line for the terminal and the manifest."""
        self.notes.append(line)
        self.observer.phase(line)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, in seconds."""
        start = time.perf_counter()
        yield
        self.timing["phases"][name] = round(time.perf_counter() - start, 3)


def run(config: Config, observer: Observer, overrides: Sequence[str] = ()) -> Result:
    """Read, load, train if asked, answer, score and record; or show what is already done.

    Raises:
        RunnerError: told in one line, with the exit code that belongs to it.
    """
    task, record = Task.build(config.task), Record(config, overrides)
    observer = Logged(record, observer)
    with stop_on_signals(Stop(), observer.phase) as stop:
        this = Run(config, task, record, observer, stop, _splits(config, task))
        source = find(config.checkpoint, task.auto_class)
        _same_inputs(this, source)
        if record.done:
            return Result(record.directory, read_metrics(record.directory), fresh=False)
        with _page_of_what_went_wrong(record), record.open(this.say):
            _write_rejected(this)
            checkpoint = config.checkpoint
            if this.trains:
                checkpoint = _trained(this, source)
                source = find(checkpoint, task.auto_class)
            model = _loaded(this, source, checkpoint)
            _answer(this, model)
            metrics = _score(this)
            _report(this)
    return Result(record.directory, metrics, fresh=True)


@contextmanager
def _page_of_what_went_wrong(record: Record) -> Iterator[None]:
    """A run that failed or was stopped has a report too, if the disk takes it."""
    from runner.report import write_report

    try:
        yield
    except BaseException:
        if record.status:  # else the directory was never ours
            with suppress(OSError):
                write_report(record.directory)
        raise


def read_metrics(directory: Path) -> dict[str, Estimate]:
    """The metrics that a run directory holds."""
    return {name: Estimate(**values) for name, values in (read_json(directory / "metrics.json") or {}).items()}


def summarise(way: Way, scores: Iterable[Mapping[str, float]]) -> dict[str, Estimate]:
    """All metrics of a way over the scores of its examples, read once."""
    if len(way.metrics) > 1:
        scores = list(scores)
    return {name: value for metric in way.metrics.values() for name, value in metric.summarise(scores).items()}


def _splits(config: Config, task: Task) -> dict[str, Split]:
    """Every split that the run reads, checked before any work."""
    way = task.evaluate if config.evaluates else task.predict
    splits = {"rows": open_split(config.data, "rows", [_column(way.encode)])}
    if config.train.method != "none":
        splits |= {which: open_split(config.data, which, [_column(task.teach)]) for which in ("train", "validation")}
        if set(splits["rows"].files) == set(splits["train"].files):  # a score on what was trained on tells nothing
            splits["rows"] = splits["validation"]
    return splits


def _column(reader: Any) -> str:
    return str(getattr(reader, "column", "text"))


def _same_inputs(this: Run, source: Any) -> None:
    """A finished or half-done run goes on only with the files it began with."""
    record = this.record
    known = read_json(record.directory / "manifest.json")
    if not known or record.config.rerun:
        return
    changed = changed_inputs(known, source.files, data_files(this.splits))
    if changed:
        raise RecordError(
            f"inputs changed since this run ({', '.join(changed)}); rerun=true to replace {record.directory}"
        )


def _write_rejected(this: Run) -> None:
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
    this.say(f"{len(places)} bad rows left out: see rejected.jsonl")


def _loaded(this: Run, source: Any, checkpoint: CheckpointConfig, training: bool = False) -> Any:
    """A fresh model, told about in one line and recorded with everything that a number may depend on."""
    config, task = this.config, this.task
    with this.phase("load"):
        model = loaded(config, task, source, checkpoint, training, this.say)
    decoding = decoding_of(config, model) if this.way.generates and not training else None
    split = this.splits["train" if training else "rows"]
    this.observer.phase(introduction(config, task, source, model, split, decoding))
    this.record.write("manifest.json", manifest(this.record, source, model, this.splits, decoding))
    return model


def _trained(this: Run, source: Any) -> CheckpointConfig:
    """The checkpoint that training leaves in the run directory; made only once."""
    folder = this.record.directory / "checkpoint"
    if folder.is_dir():  # from before; a kill may have come between its export and this
        shutil.rmtree(this.record.directory / "training", ignore_errors=True)
    else:
        _train(this, source)
    return CheckpointConfig(name_or_path=str(folder))


def _train(this: Run, source: Any) -> None:
    from runner.train.corpus import Corpus
    from runner.train.tune import Course, fine_tune

    config, task = this.config, this.task
    assert task.teach is not None
    train, valid = this.splits["train"], this.splits["validation"]
    model = _loaded(this, source, config.checkpoint, training=True)
    block = min(config.train.block_tokens or 1024, model.context or config.train.block_tokens or 1024)
    with this.phase("encode"):
        corpus = Corpus(task.teach(model.processor, train), block)
    this.say(f"{len(corpus):,} texts, {corpus.tokens:,} tokens to train on; {valid.count:,} texts to validate on")

    def validate(network: Any) -> dict[str, float]:
        from runner.predict import Predictor

        predictor = Predictor(dataclasses.replace(model, network=network), task.evaluate, config, this.say)
        scores = (answered.scores for batch in predictor.answers(valid) for answered in batch)
        return {name: estimate.value for name, estimate in summarise(task.evaluate, scores).items()}

    with this.phase("train"):
        fine_tune(config, model, Course(corpus, validate, this.record.directory, this.observer, this.stop))


def _answer(this: Run, model: Any) -> None:
    """Answer every row that has no answer yet; finished rows are synced to the disk as they come."""
    from runner.predict import Predictor, as_record

    record, observer, split = this.record, this.observer, this.splits["rows"]
    kept = record.kept()
    if kept:
        this.say(f"{len(kept)} of {split.count} rows kept from before")
    done, waiting, synced = len(kept), [], time.monotonic()
    start = time.perf_counter()
    predictor = Predictor(model, this.way, this.config, this.say)
    for batch in predictor.answers(split.rows(skip=kept)):
        for answered in batch:
            observer.answer(answered.row, answered.prediction)
        waiting += [as_record(answered) for answered in batch]
        done += len(batch)
        if time.monotonic() - synced > SYNC_S or this.stop:
            record.append(waiting)
            waiting, synced = [], time.monotonic()
        observer.progress(_verb(this), done, split.count, _rate(predictor.counts, start))
        if this.stop:
            raise Stopped(f"stopped, {done} of {split.count} rows kept", this.stop.interrupted)
    record.append(waiting)
    record.order()
    seconds = time.perf_counter() - start
    this.timing["phases"]["predict"] = round(seconds, 3)
    this.timing |= {name: count for name, count in predictor.counts.items()}
    if predictor.counts["new_tokens"]:
        this.timing["tokens_per_second"] = round(predictor.counts["new_tokens"] / seconds, 1)
    for name, told in (("skipped_rows", "skipped"), ("truncated_rows", "truncated")):
        if predictor.counts[name]:
            this.say(f"{predictor.counts[name]} rows {told}: longer than the context")


def _verb(this: Run) -> str:
    return "generating" if this.way.generates else "scoring"


def _rate(counts: Mapping[str, int], start: float) -> str:
    seconds = max(time.perf_counter() - start, 1e-6)
    return f"{counts['new_tokens'] / seconds:.0f} tokens/s" if counts["new_tokens"] else ""


def _score(this: Run) -> dict[str, Estimate]:
    """Metrics, computed from predictions.jsonl alone: a resumed run cannot differ."""
    metrics = summarise(this.way, (record["scores"] for record in this.record.predictions()))
    this.record.write("metrics.json", {name: dataclasses.asdict(value) for name, value in metrics.items()})
    return metrics


def _report(this: Run) -> None:
    """What the run took, its notes, and the page."""
    from runner.report import write_report

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    this.timing["peak_mb"] = round(peak / (1024 if sys.platform == "linux" else 1024**2), 1)
    this.record.write("timing.json", this.timing)
    this.record.write("manifest.json", read_json(this.record.directory / "manifest.json") | {"notes": this.notes})
    write_report(this.record.directory)
