"""Prompts to completions: chooses between the slots, the loop in the open and the library's generate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from runner.decode import DEFAULT_NEW_TOKENS, DecodeConfig
from runner.engine.fallback import Generate, why_not_slots
from runner.engine.probe import choose_slots
from runner.engine.request import Completion, Job, Order, Request
from runner.engine.schedule import schedule
from runner.engine.slots import Slots
from runner.engine.step import steps
from runner.errors import ConfigError

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from runner.types import Model

__all__ = ["Completion", "Order", "Request", "decode_all", "effective"]
LENGTHS = ("max_length", "max_new_tokens")
TOKENS = (  # options that hold ids of tokens
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "decoder_start_token_id",
    "suppress_tokens",
    "begin_suppress_tokens",
    "bad_words_ids",
    "sequence_bias",
)


def decode_all(model: Model, requests: Iterable[Request], order: Order) -> Iterator[Completion]:
    """Completions in the order in which they finish; closing the iterator stops between two steps.

    Args:
        model: network in evaluation mode, on its device.
        requests: consumed as needed, `order.window` at a time, and decoded longest first inside a window.
        order: what is asked for all of them.

    Raises:
        ConfigError: a token of the settings is not in the vocabulary, or the library refuses the settings.
        DataError: a prompt is empty or fills the network's context.
        RunFailed: the logits are not finite, or a single row does not fit into memory.
    """
    job = _job(model, order)
    if order.decode.loop == "step":
        yield from steps(job, requests)
        return
    remaining = iter(requests)
    first = list(islice(remaining, order.window))
    batches = schedule(
        chain(first, remaining), lambda request: len(request.ids), order.engine.batch_tokens, order.window
    )
    reason = why_not_slots(job)
    if reason:
        order.say(f"decoded by generate in sorted batches: {reason}")
        yield from Generate(job, batches)
    elif first:
        yield from Slots(job, choose_slots(job, first), batches)


def effective(model: Model, decode: DecodeConfig) -> GenerationConfig:
    """The checkpoint's generation_config.json overlaid with what the configuration gives."""
    from transformers import GenerationConfig

    values = model.network.generation_config.to_dict()
    given = decode.given()
    if any(name in given for name in LENGTHS):
        values.update(dict.fromkeys(LENGTHS))  # one given length replaces the other kind of the checkpoint
    values |= given
    if all(values.get(name) is None for name in LENGTHS):
        new = max(DEFAULT_NEW_TOKENS, values.get("min_new_tokens") or 0)
        values["max_new_tokens"] = new if model.context is None else min(new, model.context)
    return GenerationConfig(**values)


def _job(model: Model, order: Order) -> Job:
    network = model.network
    _check(order.decode, model)
    wanted = effective(model, order.decode)
    generation, _ = network._prepare_generation_config(wanted)
    for name in LENGTHS:  # the library has filled in the kind that was replaced
        setattr(generation, name, getattr(wanted, name))
    network._prepare_special_tokens(generation, device=network.device)
    drafter, prefilled = getattr(model, "assistant", None), getattr(model, "prefilled", None)
    return Job(network, model.processor, generation, order, model.context, drafter, prefilled)


def _check(decode: DecodeConfig, model: Model) -> None:
    """What the configuration gives must fit the checkpoint: its vocabulary and its context.

    Raises:
        ConfigError: naming every option that does not.
    """
    size = model.network.config.get_text_config(decoder=True).vocab_size
    found = []
    for name in TOKENS:
        given = getattr(decode, name)
        ids = list(_numbers([pair[0] for pair in given] if name == "sequence_bias" and given else given))
        if wrong := [token for token in ids if not 0 <= token < size]:
            found.append(f"decode.{name}  {wrong[0]} is not in the vocabulary of this checkpoint, 0 to {size - 1}")
    context = model.context
    for name, longest in zip(LENGTHS, (context, None if context is None else context - 1), strict=True):
        given = getattr(decode, name)
        if given is not None and longest is not None and given > longest:
            found.append(f"decode.{name}  {given} does not fit the context of {model.name}: at most {longest}")
    if found:
        raise ConfigError(found)


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)
    elif value is not None:
        yield value
