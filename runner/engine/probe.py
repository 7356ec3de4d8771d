"""Short trials that settle what a rule cannot: the number of slots, the dtype, whether the slots' cache fits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from runner.engine.cache import SlotCache, attending_slots, slots_dtype
from runner.engine.memory import bytes_per_token, cache_bytes
from runner.engine.prefill import prefill
from runner.engine.request import Job, Request
from runner.engine.trial import remembered

FEWEST, MOST = 4, 256  # slots that are tried, doubling
WORTH = 0.9  # twice the slots are better when a token costs less than this share of what it did
AGREE = {torch.float32: 1e-3, torch.float64: 1e-3}  # of the logits' spread; other dtypes:
AGREE_COARSELY = 5e-2


@torch.inference_mode()
def choose_slots(job: Job, requests: Sequence[Request]) -> int:
    """Rows decoded together: engine.slots, else what is fastest for rows like these, the first of the run.

    Beyond some number a row more costs as much as it brings, or more: on a processor its keys and values no longer fit
    into the cache. Steps with random keys and values are timed, with twice the slots as long as that pays.
    """
    if job.order.engine.slots is not None:
        return job.order.engine.slots
    network = job.network
    columns = max((len(request.ids) + job.limit(request)) // 2 for request in requests)  # half-way
    prompt, _ = prefill(network, [requests[0].ids[:1]])
    room = cache_bytes(job.order.engine, network.device) // (columns * bytes_per_token(prompt, slots_dtype(network)))
    most = min(MOST, len(requests) * job.sequences, room)
    return remembered(network, ("slots", columns, most), lambda: _fastest(network, prompt, columns, most))


def _fastest(network: Any, prompt: DynamicCache, columns: int, most: int) -> int:
    slots, cost = FEWEST, 0.0
    while slots < most:
        cost = cost or _step_s(network, prompt, slots, columns) / slots
        twice = _step_s(network, prompt, 2 * slots, columns) / (2 * slots)
        if twice > WORTH * cost:
            break
        slots, cost = 2 * slots, twice
    return slots


def _step_s(network: Any, prompt: DynamicCache, slots: int, columns: int) -> float:
    """Seconds of a step of so many rows that each have so many tokens, the better of two."""
    cache = SlotCache(slots_dtype(network))
    cache.reserve(prompt, slots, columns)
    for slot in range(slots):
        cache.place(prompt, 0, 1, slot)
    cache.places += columns - 2
    tokens = torch.ones(slots, 1, dtype=torch.long, device=network.device)

    def step() -> None:
        positions, mask = cache.begin(slots, columns)
        network(input_ids=tokens, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True)

    with attending_slots(network):
        return min(_timed(step, network.device) for _ in range(2))


def why_cache_does_not_fit(job: Job) -> str | None:
    """Why the network's keys and values cannot live in slots; None when a trial with two prompts shows they can."""
    return remembered(job.network, ("cache", job.context), lambda: _misfit(job))


@torch.inference_mode()
def _misfit(job: Job) -> str | None:
    network = job.network
    layers = DynamicCache(config=network.config).layers
    if any(type(layer) is not DynamicLayer for layer in layers):
        return "its layers keep a window or a state, not all keys and values"
    if job.context is not None and job.context < 5:
        return "its context is shorter than the trial"
    vocabulary = network.config.get_text_config(decoder=True).vocab_size
    ids = [(7 * index + 1) % vocabulary for index in range(5)]
    try:
        expected = network(input_ids=torch.tensor([ids], device=network.device), use_cache=False).logits[0].float()
        prompt, first = prefill(network, [ids[:4], ids[:2]])
        cache = SlotCache(slots_dtype(network))
        cache.reserve(prompt, 2, 4)
        cache.place(prompt, 0, 4, 0)
        cache.place(prompt, 1, 2, 1)
        positions, mask = cache.begin(2, 5)
        step = torch.tensor([[ids[4]], [ids[2]]], device=network.device)
        with attending_slots(network):
            second = network(
                input_ids=step, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True
            ).logits[:, -1]
    except (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, AssertionError) as error:
        return f"its forward pass refuses a cache of slots ({type(error).__name__})"
    made = torch.cat([first, second]).float()
    wanted = expected[[3, 1, 4, 2]]
    tolerance = AGREE.get(network.dtype, AGREE_COARSELY) * float(wanted.max() - wanted.min())
    if (made - wanted).abs().max() > tolerance:  # NaN passes: the first batch will tell
        return "its attention does not take a mask and a position for each row"
    return None


def choose_dtype(network: Any, candidates: Sequence[torch.dtype]) -> torch.dtype:
    """The fastest of the candidates on this machine, the first of them in doubt; the network is left as it was.

    A small matrix product is timed first: where a processor emulates a dtype, that alone is tens of times slower.
    """
    device, first = network.device, candidates[0]
    products = {dtype: _product_s(dtype, device) for dtype in candidates}
    rest = [dtype for dtype in candidates if products[dtype] <= 2 * products[first]]
    if len(rest) == 1:
        return rest[0]
    had = network.dtype
    times = {dtype: _forward_s(network.to(dtype)) for dtype in rest}
    network.to(had)
    fastest = min(rest, key=lambda dtype: times[dtype])
    return fastest if times[fastest] < 0.9 * times[first] else first  # a near tie goes to the first


def _product_s(dtype: torch.dtype, device: torch.device, size: int = 128) -> float:
    """Seconds of one small matrix product, the better of two."""
    matrix = torch.ones(size, size, device=device).to(dtype)
    return min(_timed(lambda: matrix @ matrix, device) for _ in range(2))


@torch.inference_mode()
def _forward_s(network: Any) -> float:
    """Seconds of a pass over a prompt and one over a token for each of 8 rows, the better of two."""
    ids = torch.ones(8, 32, dtype=torch.long, device=network.device)

    def forward() -> None:
        cache = DynamicCache(config=network.config)
        network(input_ids=ids, past_key_values=cache, use_cache=True)
        for _ in range(4):
            network(input_ids=ids[:, :1], past_key_values=cache, use_cache=True)

    return min(_timed(forward, network.device) for _ in range(2))


def _timed(work: Any, device: torch.device) -> float:
    """Seconds; on a processor those that this process was given: others may be busy there."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    began = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - began
