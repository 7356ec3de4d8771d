"""The loop in the open: logits, processors, a rule, a token; T tokens so far, V vocabulary."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from transformers import DynamicCache

from runner.build import build
from runner.decode import DecodeConfig
from runner.engine.line import begin, check_finite
from runner.engine.request import Completion, Job, Request
from runner.engine.sampling import gumbel
from runner.engine.stopping import Stops
from runner.errors import ConfigError
from runner.types import Rule


@dataclass(frozen=True)
class Greedy:
    """The most probable token."""

    def __call__(self, tokens: Tensor, logits: Tensor, generator: Generator) -> int:
        """See Rule."""
        return int(logits.argmax())


@dataclass(frozen=True)
class Sample:
    """A token drawn with its probability: the argmax of the logits plus Gumbel noise."""

    def __call__(self, tokens: Tensor, logits: Tensor, generator: Generator) -> int:
        """See Rule."""
        return int((logits + gumbel([generator], len(logits), logits.device)[0]).argmax())


def steps(job: Job, requests: Iterable[Request], decode: DecodeConfig) -> Iterator[Completion]:
    """One prompt after the other, in their order.

    Raises:
        ConfigError: the rule cannot be built, or the network has an encoder.
    """
    if job.network.config.is_encoder_decoder:
        raise ConfigError("decode.loop  step needs a network without an encoder: set decode.loop=generate")
    rule: Rule = Sample() if job.generation.do_sample else Greedy()
    if decode.rule is not None:
        rule = build(decode.rule, "decode.rule", Rule)
    for request in requests:
        yield complete(job, request, rule, decode.trace)


@torch.inference_mode()
def complete(job: Job, request: Request, rule: Rule, candidates: int | None) -> Completion:
    """The completion of one prompt, token by token."""
    line = begin(job, request)
    stops = Stops.of(job)
    cache = {cache_argument(job.network): DynamicCache(config=job.network.config)}  # of all tokens but the unseen ones
    unseen = line.seen
    trace: list[dict[str, Any]] = []
    while True:
        logits = job.network(input_ids=unseen, use_cache=True, **cache).logits[:, -1].float()
        check_finite(job, logits, [request], "while decoding" if line.new else "in the first batch")
        scores = line.processors(line.seen, logits)[0]
        token = rule(line.seen[0], scores, line.generator)
        line.append(token)
        if candidates is not None:
            trace.append({"chosen": token, "candidates": most_probable(scores, candidates)})
        if stops(line):
            return Completion(request.row, [line.new], trace if candidates is not None else None)
        unseen = line.seen[:, -1:]


def cache_argument(network: Any) -> str:
    """What the network's forward calls its cache; recurrent ones have a name of their own."""
    known = inspect.signature(network.forward).parameters
    return next((name for name in ("past_key_values", "cache_params") if name in known), "past_key_values")


def most_probable(scores: Tensor, count: int) -> list[list[Any]]:
    """The most probable tokens and their probabilities, sorted: [[id, probability], ...]."""
    probabilities, ids = scores.softmax(dim=-1).topk(min(count, len(scores)))
    return [[token, p] for token, p in zip(ids.tolist(), probabilities.tolist(), strict=True) if p > 0]
