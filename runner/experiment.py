"""One experiment, from a frozen configuration to a run directory."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from runner.answering import answer
from runner.config import Config
from runner.engine.device import threads_as_before
from runner.errors import RecordError
from runner.files import read_json
from runner.introduction import introduction
from runner.kept import Kept
from runner.loading import found, load
from runner.log import Logged, Silent
from runner.manifest import Inputs, other_code, read_manifest
from runner.peak import forget_peak, peak_mb
from runner.predict import summarise
from runner.quantizing import quantized
from runner.reading import open_splits, write_card, write_rejected
from runner.record import Record
from runner.running import Run
from runner.stop import Stop, stop_on_signals
from runner.task import Task
from runner.training import trained
from runner.types import Estimate, Observer


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


def run(config: Config, observer: Observer, overrides: Sequence[str] = (), kept: Kept | None = None) -> Result:
    """Read, load, train if asked, answer, score and record; or show what is already done.

    Args:
        config: frozen.
        observer: told about phases, answers and progress.
        overrides: what the configuration was composed from, for people.
        kept: what this process keeps for its next run.

    Raises:
        RunnerError: told in one line, with the exit code that belongs to it.
    """
    task, record = Task.build(config.task), Record(config, overrides)
    logged = Logged(record, observer)
    with threads_as_before(), stop_on_signals(Stop(), logged.phase) as stop:
        forget_peak()
        this = Run(config, task, record, logged, stop, open_splits(config, task), kept)
        record.predictions.count = this.splits["rows"].count
        source = _found(this)
        _same_inputs(this)
        this.header = introduction(config, task, source, this.splits)
        if record.done:
            logged.phase(this.header)
            return Result(record.directory, read_metrics(record.directory), fresh=False)
        _check_device(config)
        _check_arguments(config)
        with _page_of_what_went_wrong(record), record.open(this.say):
            logged.phase(this.header)
            write_card(this)
            write_rejected(this)
            checkpoint = config.checkpoint
            if this.trains:
                checkpoint = trained(this, source)
                source = found(this, checkpoint).named_after(source)
            model = quantized(this, load(this, source, checkpoint))
            answer(this, model)
            metrics = _score(this)
            _export(this)
            _report(this)
    return Result(record.directory, metrics, fresh=True)


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


def inputs_of(config: Config) -> Inputs:
    """What a run would be made from today; no weights are loaded and nothing is written into its directory.

    Raises:
        RunnerError: they cannot be read.
    """
    task, record = Task.build(config.task), Record(config)
    this = Run(config, task, record, Logged(record, Silent()), Stop(), open_splits(config, task))
    _found(this)
    return this.inputs


def _found(this: Run) -> Any:
    """The checkpoint that a run begins with; its files and those of the data are the run's inputs."""
    source = found(this, this.config.checkpoint)
    this.inputs = Inputs.of(this.config, source.files, this.splits)
    return source


def read_metrics(directory: Path) -> dict[str, Estimate]:
    """The metrics that a run directory holds."""
    found = read_json(directory / "metrics.json")
    try:
        return {name: Estimate(**values) for name, values in (found or {}).items()}
    except (AttributeError, TypeError):  # of a run from before metrics.json was checked
        return {}


def _same_inputs(this: Run) -> None:
    """A finished or half-done run goes on only with the files it began with."""
    record = this.record
    known = read_manifest(record.directory)
    if known is None:
        this.say("manifest.json is damaged: which files this run began with is not known")
    if not known:
        return
    changed = this.inputs.changed(known)
    record.anew = record.config.rerun and (record.anew or bool(changed))
    if record.anew:
        return
    if changed:
        raise RecordError(
            f"inputs changed since this run ({', '.join(changed)}); rerun=true to replace {record.directory}",
            changed=changed,
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


def _export(this: Run) -> None:
    """The files that a way makes of its answers beside predictions.jsonl."""
    if this.way.export is not None:
        written = this.way.export(this.record.directory, this.record.predictions)
        if written:
            this.say(f"written: {', '.join(written)}")


def _report(this: Run) -> None:
    """What the run took, its notes, and the page."""
    from runner.report import write_report

    this.timing["peak_mb"] = round(peak_mb(), 1)
    this.record.write("timing.json", this.timing)
    this.record.write("manifest.json", read_json(this.record.directory / "manifest.json") | {"notes": this.notes})
    write_report(this.record.directory)
