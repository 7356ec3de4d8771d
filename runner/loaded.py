"""A checkpoint loaded as the configuration asks, and what it is in one line."""

from __future__ import annotations

import dataclasses
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner.decode import SAMPLING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.config import CheckpointConfig, Config
    from runner.data import Split
    from runner.task import Task

FIRST, SECOND = "float32", "bfloat16"  # what engine.dtype=auto chooses between


def loaded(
    config: Config, task: Task, source: Any, checkpoint: CheckpointConfig, training: bool, say: Callable[[str], None]
) -> Any:
    """A fresh model; engine.dtype=auto is settled by a short probe. Training is always in float32 master weights."""
    probing = config.engine.dtype == "auto"
    engine = dataclasses.replace(config.engine, dtype=FIRST) if probing or training else config.engine
    with _uncollected():
        from runner.backends.torch import load
        from runner.engine.device import choose_threads

        choose_threads(config.engine.threads)
        model = load(source, checkpoint, task.auto_class, task.processor_class, engine, config.seed, training)
    if probing and not training:
        _settle(model, say)
    return model


def introduction(config: Config, task: Task, source: Any, model: Any, split: Split, decoding: Any) -> str:
    """Task, checkpoint, rows and settings at a glance."""
    new = ""
    if model.random_weights:
        new = ", random weights" if source.folder is None else f", {len(model.random_weights)} new weight tensors"
    dtype = str(model.network.dtype).removeprefix("torch.")
    size = f"{model.parameters / 1e6:.1f} M parameters, {dtype}, {model.network.device}{new}"
    rows = f"{split.count:,} {'row' if split.count == 1 else 'rows'} of {split.name}"
    parts = [
        task.name,
        f"{model.name} ({size})",
        rows,
        *([strategy(decoding)] if decoding else []),
        f"seed {config.seed}",
    ]
    return " · ".join(parts)


def decoding_of(config: Config, model: Any) -> dict[str, Any]:
    """The generation settings in effect: the checkpoint's own, overlaid with what the configuration gives."""
    from runner.engine.decoding import effective

    settings = effective(model, config.decode).to_diff_dict()
    return {name: value for name, value in settings.items() if value is not None and name != "transformers_version"}


def strategy(decoding: dict[str, Any]) -> str:
    """The way of decoding with the settings that shape it, e.g. sample(temperature 0.7, top_p 0.95)."""
    beams, sampled = (decoding.get("num_beams") or 1) > 1, bool(decoding.get("do_sample"))
    name = ("beam_sample" if sampled else "beam") if beams else ("sample" if sampled else "greedy")
    shown = [*(["num_beams"] if beams else []), *(SAMPLING if sampled else [])]
    shaping = ", ".join(f"{key} {decoding[key]}" for key in shown if decoding.get(key) is not None)
    return f"{name}({shaping})" if shaping else name


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


def _settle(model: Any, say: Callable[[str], None]) -> None:
    import torch

    from runner.engine.probe import choose_dtype

    chosen = choose_dtype(model.network, [getattr(torch, FIRST), getattr(torch, SECOND)])
    model.network.to(chosen)
    say(f"engine.dtype auto: {str(chosen).removeprefix('torch.')} is faster here")
