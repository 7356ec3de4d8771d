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
from runner.engine.line import Line, begin, check_finite
from runner.engine.request import Completion, Job, Request
from runner.engine.sampling import perturbed
from runner.engine.stopping import Stops
from runner.errors import ConfigError, RunFailed
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
        return int(perturbed(logits[None], [generator]).argmax())


def steps(job: Job, requests: Iterable[Request]) -> Iterator[Completion]:
    """One prompt after the other, in their order.

    Raises:
        ConfigError: the rule cannot be built, or the network has an encoder.
    """
    if job.network.config.is_encoder_decoder:
        raise ConfigError("decode.loop  step needs a network without an encoder: set decode.loop=generate")
    decode = job.order.decode
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
        token = chosen(rule, line, scores)
        line.append(token)
        job.order.made(1)
        if candidates is not None:
            trace.append({"chosen": token, **most_probable(scores, token, candidates)})
        if ended := stops(line):
            return Completion(request.row, [line.new], [ended], trace if candidates is not None else None)
        unseen = line.seen[:, -1:]


def cache_argument(network: Any) -> str:
    """What the network's forward calls its cache; recurrent ones have a name of their own."""
    known = inspect.signature(network.forward).parameters
    return next((name for name in ("past_key_values", "cache_params") if name in known), "past_key_values")


def chosen(rule: Rule, line: Line, scores: Tensor) -> int:
    """The token that the rule chooses; it may write on what it is given.

    Raises:
        RunFailed: it is no token of the vocabulary.
    """
    token = rule(line.seen[0].clone(), scores.clone(), line.generator)
    if isinstance(token, Tensor) and token.numel() == 1:
        token = token.item()
    if type(token) is not int or not 0 <= token < len(scores):
        law = f"the rule must return the id of a token, 0 to {len(scores) - 1}"
        raise RunFailed(f"row {line.request.row}: {law}, but {type(rule).__name__} returned {token!r}")
    return token


def most_probable(scores: Tensor, token: int, count: int) -> dict[str, Any]:
    """`probability` of the chosen token, `candidates` [[id, probability], ...], the most probable first."""
    probabilities = scores.softmax(dim=-1)
    best, ids = probabilities.topk(min(count, len(scores)))
    candidates = [[one, p] for one, p in zip(ids.tolist(), best.tolist(), strict=True) if p > 0]
    return {"probability": float(probabilities[token]), "candidates": candidates}
