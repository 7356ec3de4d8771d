"""Prompts to completions: chooses between the slots, the loop in the open and the library's generate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from runner.decode import DEFAULT_NEW_TOKENS, DecodeConfig
from runner.engine.fallback import Generate, why_not_slots
from runner.engine.probe import choose_slots
from runner.engine.request import Completion, Job, Request
from runner.engine.schedule import schedule
from runner.engine.slots import Slots
from runner.engine.step import steps

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from runner.config import EngineConfig
    from runner.types import Model

__all__ = ["Completion", "Request", "decode_all", "effective"]
LENGTHS = ("max_length", "max_new_tokens")


def decode_all(
    model: Model,
    requests: Iterable[Request],
    decode: DecodeConfig,
    engine: EngineConfig,
    seed: int,
    say: Callable[[str], None],
    window: int,
) -> Iterator[Completion]:
    """Completions in the order in which they finish; closing the iterator stops between two steps.

    Args:
        model: network in evaluation mode, on its device.
        requests: consumed as needed, `window` at a time, and decoded longest first inside a window.
        decode: what the configuration asks for; the checkpoint's generation_config.json gives the rest.
        engine: how the work is done; in float32 it changes no text.
        seed: with the row's index it gives the row's random stream.
        say: told one line about a decision or a difficulty.
        window: prompts held and sorted by length.

    Raises:
        DataError: a prompt is empty or fills the network's context.
        RunFailed: the logits are not finite, or a single row does not fit into memory.
    """
    job = _job(model, decode, engine, seed, say)
    if decode.loop == "step":
        yield from steps(job, requests, decode)
        return
    batches = schedule(requests, lambda request: len(request.ids), engine.batch_tokens, window)
    reason = why_not_slots(job)
    if reason:
        say(f"decoded by generate in sorted batches: {reason}")
        yield from Generate(job, batches)
        return
    yield from Slots(job, choose_slots(job), batches)


def effective(model: Model, decode: DecodeConfig) -> GenerationConfig:
    """The checkpoint's generation_config.json overlaid with what the configuration gives."""
    from transformers import GenerationConfig

    values = model.network.generation_config.to_dict()
    given = decode.given()
    if any(name in given for name in LENGTHS):
        values.update(dict.fromkeys(LENGTHS))  # one given length replaces the other kind of the checkpoint
    values |= given
    if all(values.get(name) is None for name in LENGTHS):
        context = _context(model.network)
        values["max_new_tokens"] = DEFAULT_NEW_TOKENS if context is None else min(DEFAULT_NEW_TOKENS, context)
    return GenerationConfig(**values)


def _job(model: Model, decode: DecodeConfig, engine: EngineConfig, seed: int, say: Callable[[str], None]) -> Job:
    network = model.network
    wanted = effective(model, decode)
    generation, _ = network._prepare_generation_config(wanted)
    for name in LENGTHS:  # the library has filled in the kind that was replaced
        setattr(generation, name, getattr(wanted, name))
    network._prepare_special_tokens(generation, device=network.device)
    return Job(network, model.processor, generation, engine, seed, say, _context(network))


def _context(network: Any) -> int | None:
    """Tokens that the network can see; None when its configuration names no limit."""
    config = network.config.get_text_config(decoder=True)
    limit = getattr(config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None
