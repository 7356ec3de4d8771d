"""One sequence in the making, and the choice of its next token; n sequences, T tokens, V vocabulary."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor
from transformers import LogitsProcessorList

from runner.engine.processing import apply_blind, apply_each, processors, split
from runner.engine.request import Job, Request
from runner.engine.sampling import perturbed, stream
from runner.errors import RunFailed


@dataclass
class Line:
    """One sequence in the making."""

    request: Request
    sequence: int  # its index among those returned for the prompt
    limit: int  # tokens, prompt included
    length: int  # tokens so far, prompt included
    started: float  # seconds, monotonic
    generator: Generator
    processors: LogitsProcessorList
    tokens: Any  # (1, limit) the tokens so far; None where nothing looks at them
    new: list[int] = field(default_factory=list)
    ended: str | None = None  # what ended it; None: it goes on

    @property
    def seen(self) -> Tensor:
        """The tokens so far (1, T), prompt included."""
        found: Tensor = self.tokens[:, : self.length]
        return found

    def append(self, token: int) -> None:
        """One more token."""
        if self.tokens is not None:
            self.tokens[0, self.length] = token
        self.new.append(token)
        self.length += 1


def begin(job: Job, request: Request, sequence: int = 0, watched: bool = True) -> Line:
    """A sequence that has its prompt only; `watched`: processors look at its tokens."""
    device, limit, tokens = job.network.device, job.limit(request), None
    if watched:
        tokens = torch.zeros(1, limit, dtype=torch.long, device=device)
        tokens[0, : len(request.ids)] = torch.tensor(request.ids)
    return Line(
        request=request,
        sequence=sequence,
        limit=limit,
        length=len(request.ids),
        started=time.monotonic(),
        generator=stream(job.order.seed, request.row, sequence, device),
        processors=processors(job, request) if watched else LogitsProcessorList(),
        tokens=tokens,
    )


class Chooser:
    """Chooses the next token of many sequences at once: processors, noise, argmax."""

    def __init__(self, job: Job):
        self.job = job
        looking, self.blind = split(processors(job, Request(0, [0])))
        self.looking = len(looking)  # processors that look at the tokens of each sequence
        self.watched = bool(looking)

    def __call__(self, lines: Sequence[Line], logits: Tensor) -> list[int]:
        """The next token of each sequence from its logits (n, V).

        Raises:
            RunFailed: a logit is NaN or infinite.
        """
        scores = logits.float()
        requests = [line.request for line in lines]
        if not lines[0].new:
            check_finite(self.job, scores, requests, "in the first batch")
        if self.looking:
            each = [line.processors[: self.looking] for line in lines]
            scores = apply_each(each, [line.seen for line in lines], scores)
        scores = apply_blind(self.blind, scores)
        if self.job.generation.do_sample:
            scores = perturbed(scores, [line.generator for line in lines])
        best, chosen = scores.max(dim=1)
        check_finite(self.job, best[:, None], requests, "while decoding")  # the largest is NaN where one is
        tokens: list[int] = chosen.tolist()
        return tokens


def check_finite(job: Job, scores: Tensor, requests: Sequence[Request], when: str) -> None:
    """Scores (n, V) must be numbers, or -inf for tokens that are forbidden.

    Raises:
        RunFailed: one is NaN or infinite, and decode.remove_invalid_values is not set.
    """
    if job.generation.remove_invalid_values:
        return
    good = (scores < torch.inf).all(dim=1)
    if not good.all():
        row = requests[int(good.long().argmin())].row
        cause = "the weights hold NaN or the dtype overflows"
        raise RunFailed(f"non-finite logits {when} (row {row}): {cause}; try engine.dtype=float32")
