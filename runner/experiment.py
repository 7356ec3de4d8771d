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

from runner.answered import as_record
from runner.backends.checkpoint import Source, find
from runner.backends.options import of_trained
from runner.config import CheckpointConfig, Config
from runner.data import Split, open_split
from runner.engine.device import threads_as_before
from runner.errors import RecordError, RunnerError, Stopped
from runner.files import read_json, replacing
from runner.loaded import decoding_of, introduction, loaded, size, strategy
from runner.log import Logged
from runner.manifest import Inputs, manifest, other_code, other_threads
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
        return [line["prediction"] for line in self.lines()]

    def lines(self, count: int | None = None) -> Iterator[dict[str, Any]]:
        """So many lines of predictions.jsonl from the beginning, read as they are asked for; None: all."""
        with (self.directory / "predictions.jsonl").open(encoding="utf-8") as file:
            for line in islice(file, count):
                yield json.loads(line)


@dataclass
class Run:
    """What the steps of one run share."""

    config: Config
    task: Task
    record: Record
    observer: Observer
    stop: Stop
    splits: Mapping[str, Split]  # rows and, where weights are trained, train and validation
    inputs: Inputs = field(default_factory=lambda: Inputs({}, {}, {}))
    header: str = ""  # what runs, told first
    notes: list[str] = field(default_factory=list)
    timing: dict[str, Any] = field(default_factory=lambda: {"phases": {}})

    @property
    def way(self) -> Way:
        """How rows are answered in this run."""
        return self.task.evaluate if self.config.evaluates else self.task.predict

    @property
    def trains(self) -> bool:
        """Whether weights are trained before rows are answered."""
        return self.config.trains

    def say(self, line: str) -> None:
        """A line for the terminal and the manifest."""
        self.notes.append(line)
        self.observer.phase(line)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, in seconds."""
        start = time.perf_counter()
        yield
        before = self.timing["phases"].get(name, 0.0)  # a trained checkpoint is loaded again
        self.timing["phases"][name] = round(before + time.perf_counter() - start, 3)


def run(config: Config, observer: Observer, overrides: Sequence[str] = ()) -> Result:
    """Read, load, train if asked, answer, score and record; or show what is already done.

    Raises:
        RunnerError: told in one line, with the exit code that belongs to it.
    """
    task, record = Task.build(config.task), Record(config, overrides)
    observer = Logged(record, observer)
    with threads_as_before(), stop_on_signals(Stop(), observer.phase) as stop:
        this = Run(config, task, record, observer, stop, _splits(config, task))
        source = _found(this, config.checkpoint)
        this.inputs = Inputs.of(config, source.files, this.splits)
        _same_inputs(this)
        this.header = introduction(config, task, source, this.splits)
        if record.done:
            observer.phase(this.header)
            _export_again(this)
            return Result(record.directory, read_metrics(record.directory), fresh=False)
        _check_device(config)
        _check_arguments(config)
        with _page_of_what_went_wrong(record), record.open(this.say):
            observer.phase(this.header)
            _write_rejected(this)
            checkpoint = config.checkpoint
            if this.trains:
                checkpoint = _trained(this, source)
                source = _found(this, checkpoint).named_after(source)
            model = _loaded(this, source, checkpoint)
            _answer(this, model)
            metrics = _score(this)
            _report(this)
    return Result(record.directory, metrics, fresh=True)


def _found(this: Run, checkpoint: CheckpointConfig) -> Source:
    """The checkpoint, and beside it the one that drafts tokens for it."""
    source, drafter = find(checkpoint, this.task.auto_class), this.config.decode.assistant
    if drafter is None or not this.way.generates:
        return source
    assistant = find(CheckpointConfig(name_or_path=drafter), this.task.auto_class)
    return source.assisted_by(assistant)


@contextmanager
def _page_of_what_went_wrong(record: Record) -> Iterator[None]:
    """A run that failed or was stopped has a report too, if the disk takes it."""
    from runner.report import write_report

    try:
        yield
    except BaseException as error:
        if record.status:  # else the directory was never ours
            with suppress(OSError):
                error.add_note(f"{record.directory}        {write_report(record.directory).name}")
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


def _same_inputs(this: Run) -> None:
    """A finished or half-done run goes on only with the files it began with."""
    record = this.record
    known = read_json(record.directory / "manifest.json")
    if not known:
        return
    changed = this.inputs.changed(known)
    record.anew = record.config.rerun and (record.anew or bool(changed))
    if record.anew:
        return
    if changed:
        raise RecordError(
            f"inputs changed since this run ({', '.join(changed)}); rerun=true to replace {record.directory}"
        )
    if told := other_code(known):
        this.say(told)


def _check_device(config: Config) -> None:
    """A device that is not here is refused before anything is written; torch must be asked for it (2 s)."""
    if config.engine.device not in ("auto", "cpu"):
        from runner.backends.torch import device_of

        device_of(config.engine)


def _check_arguments(config: Config) -> None:
    """What the Trainer does not take is refused too; its arguments must be imported for that (6 s)."""
    if config.trains and config.train.arguments:
        from runner.train.tune import check_arguments

        check_arguments(config.train)


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
    this.say(f"{_many(len(places), 'bad row')} left out: see rejected.jsonl")


def _loaded(this: Run, source: Any, checkpoint: CheckpointConfig, training: bool = False) -> Any:
    """A fresh model, told about in one line and recorded with everything that a number may depend on."""
    config, task = _same_dtype(this), this.task
    start = time.perf_counter()
    with this.phase("load"):
        model = loaded(config, task, source, checkpoint, training, this.say)
    this.observer.phase(f"loaded in {time.perf_counter() - start:.1f} s: {size(source, model)}")
    decoding = decoding_of(config, model) if this.way.generates and not training else None
    if decoding and strategy(decoding) not in this.header:  # the checkpoint's code or library says more than its files
        this.observer.phase(f"decoding in effect: {strategy(decoding)}")
    known = read_json(this.record.directory / "manifest.json") or {}
    if (training or not this.way.generates) and (told := other_threads(known)):
        this.say(told)
    made = manifest(this.record, this.inputs, source, model, this.splits)
    this.record.write("manifest.json", made | {"decoding": decoding})
    return model


def _same_dtype(this: Run) -> Config:
    """engine.dtype=auto is settled once: rows that are still to be answered get the dtype of those before them."""
    config, record = this.config, this.record
    if config.engine.dtype != "auto" or not record.predictions.begun:
        return config
    known = read_json(record.directory / "manifest.json") or {}
    dtype = known.get("checkpoint", {}).get("dtype", config.engine.dtype)
    return dataclasses.replace(config, engine=dataclasses.replace(config.engine, dtype=dtype))


def _trained(this: Run, source: Any) -> CheckpointConfig:
    """The checkpoint that training leaves in the run directory; made only once."""
    folder = this.record.directory / "checkpoint"
    if folder.is_dir():  # from before; a kill may have come between its export and this
        shutil.rmtree(this.record.directory / "training", ignore_errors=True)
        _export_again(this)
    else:
        _train(this, source)
    base = this.config.checkpoint
    return CheckpointConfig(str(folder), options=of_trained(base.options), trust_remote_code=base.trust_remote_code)


def _export_again(this: Run) -> None:
    """train.export_to takes a checkpoint that was trained before, too."""
    target = this.config.train.export_to
    if this.trains and target is not None:
        shutil.copytree(this.record.directory / "checkpoint", target, dirs_exist_ok=True)
        this.observer.phase(f"checkpoint copied to {target}")


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
    told = f"{_many(len(corpus), 'text')}, {_many(corpus.tokens, 'token')} to train on"
    this.say(f"{told}; {_many(valid.count, 'text')} to validate on")

    def validate(network: Any) -> dict[str, float]:
        from runner.predict import Predictor

        predictor = Predictor(dataclasses.replace(model, network=network), task.evaluate, config)
        scores = (answered.scores for batch in predictor.answers(valid) for answered in batch)
        return {name: estimate.value for name, estimate in summarise(task.evaluate, scores).items()}

    with this.phase("train"):
        larger = task.evaluate.numbers[config.train.metric]
        fine_tune(config, model, Course(corpus, validate, larger, this.record.directory, this.observer, this.stop))


def _answer(this: Run, model: Any) -> None:
    """Answer every row that has no answer yet; finished rows are synced to the disk as they come."""
    from runner.predict import Predictor

    record, observer, split = this.record, this.observer, this.splits["rows"]
    kept = record.predictions.kept()
    if kept:
        this.say(f"{len(kept):,} of {_many(split.count, 'row')} kept from before")
    done, waiting, synced = len(kept), [], time.monotonic()
    start = time.perf_counter()
    predictor = Predictor(model, this.way, this.config, this.say, lambda: show())

    def show() -> None:
        observer.progress(_verb(this), done, split.count, _rate(predictor, start), predictor.under_way)

    show()
    try:
        for batch in predictor.answers(split, kept):
            for answered in batch:
                observer.answer(answered.row, answered.prediction)
            waiting += [as_record(answered) for answered in batch]
            done += len(batch)
            if time.monotonic() - synced > SYNC_S or this.stop:
                record.predictions.append(waiting)
                waiting, synced = [], time.monotonic()
            show()
            if this.stop:
                raise Stopped(f"stopped at {done:,} of {_many(split.count, 'row')}", this.stop.interrupted)
    except RunnerError:  # a row that is too long, logits that are not finite: what was answered before it stays
        record.predictions.append(waiting)
        raise
    record.predictions.append(waiting)
    record.predictions.order()
    _tell_counts(this, predictor.counts, time.perf_counter() - start)


def _tell_counts(this: Run, counts: Mapping[str, int], seconds: float) -> None:
    """Tokens and rows of this attempt, for timing.json, the terminal and the manifest."""
    this.timing["phases"]["predict"] = round(seconds, 3)
    this.timing |= counts
    if counts["new_tokens"]:
        this.timing["tokens_per_second"] = round(counts["new_tokens"] / seconds, 1)
    for name, told in (("skipped_rows", "skipped"), ("truncated_rows", "truncated")):
        if counts[name]:
            this.say(f"{_many(counts[name], 'row')} {told}: longer than the context")


def _verb(this: Run) -> str:
    return "generating" if this.way.generates else "scoring"


def _rate(predictor: Any, start: float) -> str:
    """New tokens a second; about, as long as rows are under way."""
    seconds = max(time.perf_counter() - start, 1e-6)
    return f"{predictor.made / seconds:,.0f} tokens/s" if predictor.made else ""


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _score(this: Run) -> dict[str, Estimate]:
    """Metrics, computed from predictions.jsonl alone: a resumed run cannot differ."""
    skipped = 0

    def scores() -> Iterator[Mapping[str, float]]:
        nonlocal skipped
        for record in this.record.predictions:
            skipped += record["prediction"] is None
            yield record["scores"]

    metrics = summarise(this.way, scores())
    this.timing |= {"skipped_rows": skipped} if skipped else {}  # those of earlier attempts too
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
