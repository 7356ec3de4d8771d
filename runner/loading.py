"""The step of a run that finds and loads its checkpoint."""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runner.backends.checkpoint import Source, find
from runner.backends.complete import part
from runner.config import CheckpointConfig, EngineConfig
from runner.files import read_json
from runner.introduction import decoding_of, size, strategy
from runner.manifest import manifest, other_threads
from runner.running import Run

FIRST, SECOND = "float32", "bfloat16"  # what engine.dtype=auto chooses between


def found(this: Run, checkpoint: CheckpointConfig) -> Source:
    """The checkpoint, and beside it the one that drafts tokens for it."""
    source, drafter = find(checkpoint, this.task.auto_class), this.config.decode.assistant
    if drafter is None or not this.way.generates:
        return source
    assistant = find(CheckpointConfig(name_or_path=drafter), this.task.auto_class)
    return source.assisted_by(assistant)


def load(this: Run, source: Any, checkpoint: CheckpointConfig, training: bool = False) -> Any:
    """A fresh model, told about in one line and recorded with everything that a number may depend on."""
    start = time.perf_counter()
    with this.phase("load"):
        model = _fresh(this, source, checkpoint, training)
    this.observer.phase(f"loaded in {time.perf_counter() - start:.1f} s: {size(source, model)}")
    _tell_new(this, source, model, training)
    decoding = decoding_of(this.config, model) if this.way.generates and not training else None
    if decoding and strategy(decoding) not in this.header:  # the checkpoint's code or library says more than its files
        this.observer.phase(f"decoding in effect: {strategy(decoding)}")
    known = read_json(this.record.directory / "manifest.json") or {}
    if (training or not this.way.generates) and (told := other_threads(known)):
        this.say(told)
    made = manifest(this.record, this.inputs, source, model, this.splits)
    this.record.write("manifest.json", made | {"decoding": decoding})
    return model


def _tell_new(this: Run, source: Source, model: Any, training: bool) -> None:
    """One line about weights that the checkpoint does not have."""
    new = len(model.random_weights)
    if source.folder is None or not new:
        return
    which, count = part(model.network, model.random_weights), f"{new} weight tensor{'s' if new > 1 else ''}"
    whole = {"head": f"the head of {source.name} is", "pooler": f"the pooler of {source.name} is"}
    told = whole.get(which, f"a part of {source.name} is")
    if training:
        this.say(f"{told} new ({count}): it will be trained")
    else:
        owner = "its answers mean" if which == "head" else "what comes of it means"
        this.say(f"{told} new and random ({count}): {owner} nothing until it is trained (train=full or train=head)")


def _fresh(this: Run, source: Source, checkpoint: CheckpointConfig, training: bool) -> Any:
    """engine.dtype=auto is settled by a short probe. Training is always in float32 master weights."""
    config, task, asked = this.config, this.task, _engine(this)
    probing = asked.dtype == "auto"
    engine = dataclasses.replace(asked, dtype=FIRST) if probing or training else asked
    with _uncollected():
        from runner.backends.torch import load as load_model
        from runner.engine.device import SMALL, choose_threads
        from runner.engine.prefill import Prefilled

        choose_threads(engine.threads)
        classes = (task.auto_class, task.processor_class)
        generates = this.way.generates and not training

        def fresh() -> Any:
            made = load_model(source, checkpoint, *classes, engine, config.seed, training)
            if generates and source.assistant is not None:
                own = source.assistant.checkpoint
                made.assistant = load_model(source.assistant, own, *classes, engine, config.seed)
            return made

        if this.kept is None or training or probing:  # a module that trains, or that changes its precision, is its own
            if this.kept is not None:
                this.kept.forget()  # there may not be room for both
            model = fresh()
        else:
            before = this.kept.loads
            model = this.kept.loaded(_key(this, source, checkpoint, engine), fresh)
            model.prefilled = model.prefilled or (Prefilled() if generates else None)
            if this.kept.loads == before:
                this.observer.phase("checkpoint kept from the job before")
        choose_threads(engine.threads, small=generates and model.parameters < SMALL)
    if probing and not training:
        _settle(this, model)
    return model


def _key(this: Run, source: Source, checkpoint: CheckpointConfig, engine: EngineConfig) -> str:
    """What a loaded checkpoint is told apart by: its files, and how it is loaded."""
    parts = [dataclasses.asdict(checkpoint), this.task.auto_class, this.task.processor_class, engine.dtype,
             engine.device, engine.attention, source.files, this.way.generates]  # fmt: skip
    assistant = source.assistant if this.way.generates else None
    return repr([*parts, None if assistant is None else assistant.files])


def _engine(this: Run) -> EngineConfig:
    """engine.dtype=auto is settled once: rows that are still to be answered get the dtype of those before them."""
    engine, record = this.config.engine, this.record
    if engine.dtype != "auto" or not record.predictions.begun:
        return engine
    known = read_json(record.directory / "manifest.json") or {}
    return dataclasses.replace(engine, dtype=known.get("checkpoint", {}).get("dtype", engine.dtype))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Imports make millions of objects that live to the end: looking for garbage among them is a tenth of the start."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _settle(this: Run, model: Any) -> None:
    import torch

    from runner.engine.probe import choose_dtype

    chosen = choose_dtype(model.network, [getattr(torch, FIRST), getattr(torch, SECOND)])
    model.network.to(chosen)
    this.say(f"engine.dtype auto: {str(chosen).removeprefix('torch.')} is faster here")
