"""The step of a run that trains its weights."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.backends.options import of_trained
from runner.config import CheckpointConfig
from runner.errors import Stopped
from runner.files import sha256
from runner.loading import load
from runner.manifest import read_manifest
from runner.predict import Predictor, summarise
from runner.running import Run, many


def trained(this: Run, source: Any) -> CheckpointConfig:
    """The checkpoint that training leaves in the run directory; made only once."""
    folder = this.record.directory / "checkpoint"
    damage = _damage(this.record.directory)
    if damage is not None:  # its rows go with it, that all come from the same weights
        this.say(f"{damage}: trained again")
        this.record.predictions.path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir():  # from before; a kill may have come between its export and this
        shutil.rmtree(this.record.directory / "training", ignore_errors=True)
    else:
        _train(this, source)
    base = this.config.checkpoint
    return CheckpointConfig(str(folder), options=of_trained(base.options), trust_remote_code=base.trust_remote_code)


def _damage(directory: Path) -> str | None:
    """Which file of the checkpoint is not as the manifest knows it; None where it knows nothing."""
    checkpoint = (read_manifest(directory) or {}).get("checkpoint") or {}
    for name, digest in (checkpoint.get("trained") or {}).items():
        path = directory / "checkpoint" / name
        if not name.startswith("assistant/") and not (path.is_file() and sha256(path) == digest):
            return f"checkpoint/{name} is {'damaged' if path.is_file() else 'gone'}"
    return None


def _train(this: Run, source: Any) -> None:
    from runner.train.corpus import Corpus
    from runner.train.tune import Course, fine_tune

    config, task = this.config, this.task
    assert task.teach is not None
    train, valid = this.splits["train"], this.splits["validation"]
    model = load(this, source, config.checkpoint, training=True)
    block = min(config.train.block_tokens or 1024, model.context or config.train.block_tokens or 1024)
    with this.phase("encode"):
        corpus = Corpus(task.teach(model.processor, train), block)
    told = f"{many(len(corpus), 'text')}, {many(corpus.tokens, 'token')} to train on"
    this.say(f"{told}; {many(valid.count, 'text')} to validate on")

    if this.stop:
        raise Stopped("stopped before the first step", this.stop.interrupted)

    def validate(network: Any) -> dict[str, float]:
        predictor = Predictor(dataclasses.replace(model, network=network), task.evaluate, config)
        scores = (answered.scores for batch in _until_stopped(this, predictor.answers(valid)) for answered in batch)
        return {name: estimate.value for name, estimate in summarise(task.evaluate, scores).items()}

    with this.phase("train"):
        larger = task.evaluate.numbers[config.train.metric]
        fine_tune(config, model, Course(corpus, validate, larger, this.record.directory, this.observer, this.stop))


def _until_stopped(this: Run, batches: Iterator[Any]) -> Iterator[Any]:
    """The batches of a validation; a long one does not hold up a stop."""
    for batch in batches:
        if this.stop.overdue:
            raise Stopped(
                "stopped during a validation: it goes on from the last sealed checkpoint", this.stop.interrupted
            )
        yield batch
