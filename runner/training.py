"""The step of a run that trains its weights."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.backends.checkpoint import Source
from runner.backends.options import of_trained
from runner.config import CheckpointConfig
from runner.errors import ConfigError, DataError
from runner.files import sha256
from runner.loading import load
from runner.manifest import read_manifest
from runner.predict import Predictor, summarise
from runner.running import Run, many
from runner.types import Teach


def trained(this: Run, source: Source) -> CheckpointConfig:
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
        if "/" not in name and not (path.is_file() and sha256(path) == digest):
            return f"checkpoint/{name} is {'damaged' if path.is_file() else 'gone'}"
    return None


def _train(this: Run, source: Source) -> None:
    from runner.train.corpus import Corpus
    from runner.train.tune import Course, fine_tune

    config, teach = this.config, this.task.teach
    assert teach is not None
    if source.adapter is not None and config.train.method == "lora" and not config.train.lora.merge:
        raise ConfigError(f"train.lora.merge  must be true: {source.name} is an adapter, no base for another one")
    train, valid = this.splits["train"], this.splits["validation"]
    source = _fitted(this, source, teach)
    model = load(this, source, source.checkpoint, training=True)
    block = min(config.train.block_tokens or 1024, model.context or config.train.block_tokens or 1024)
    model = dataclasses.replace(model, context=block)
    if config.evaluates:
        teach.check(model, this.splits["rows"])
    with this.phase("encode"):
        corpus, held_out = Corpus(teach(model, train)), Corpus(teach(model, valid))
    if not len(corpus):
        raise DataError(f"{train.name} holds nothing to train on")
    told = f"{many(len(corpus), 'example')}, {many(corpus.tokens, 'token')} to train on"
    this.say(f"{told}; {many(valid.count, 'row')} to validate on")
    if this.stop:
        raise this.stop.error("before the first step")

    def numbers(network: Any) -> dict[str, float]:
        pupil = dataclasses.replace(model, network=network, context=model.context)
        predictor = Predictor(pupil, this.task.evaluate, config)
        scores = (answered.scores for batch in _until_stopped(this, predictor.answers(valid)) for answered in batch)
        return {name: estimate.value for name, estimate in summarise(this.task.evaluate, scores).items()}

    with this.phase("train"):
        fine_tune(
            config, model, Course(this.task, corpus, held_out, numbers, this.record.directory, this.observer, this.stop)
        )


def _fitted(this: Run, source: Source, teach: Teach) -> Source:
    """The checkpoint with the options that the training rows decide, such as its labels; those given stay."""
    decided = teach.options(this.splits["train"], source.config)
    checkpoint = source.checkpoint
    if checkpoint.architecture is not None:
        checkpoint = dataclasses.replace(checkpoint, architecture=decided | checkpoint.architecture)
    else:
        checkpoint = dataclasses.replace(checkpoint, options=decided | checkpoint.options)
    return dataclasses.replace(source, checkpoint=checkpoint)


def _until_stopped(this: Run, batches: Iterator[Any]) -> Iterator[Any]:
    """The batches of a validation; a long one does not hold up a stop."""
    for batch in batches:
        if this.stop.overdue:
            from_there = "" if this.stop.for_good else ": it goes on from the last sealed checkpoint"
            raise this.stop.error(f"during a validation{from_there}")
        yield batch
