"""When a sequence is finished, and by what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

from runner.cjk import join_cjk
from runner.engine.request import Job

if TYPE_CHECKING:
    from runner.engine.line import Line


@dataclass(frozen=True)
class StopStrings:
    """Strings that end a text, sought in the new tokens as people read them.

    The library's own criteria match pieces of the vocabulary, which fails for tokenizers that put spaces between
    characters.
    """

    processor: Any
    strings: tuple[str, ...]

    def __call__(self, new: Sequence[int]) -> bool:
        """Whether the new tokens hold one of the strings; asked after each token, so only their end is looked at."""
        longest = max(map(len, self.strings))
        text = join_cjk(self.processor.decode(list(new[-longest - 8 :])))  # a token is rarely less than a character
        return any(string in text for string in self.strings)


@dataclass(frozen=True)
class Stops:
    """The end tokens, the row's own limit, its time, and strings that end it."""

    ends: frozenset[int]
    max_time_s: float | None
    strings: StopStrings | None

    @staticmethod
    def of(job: Job) -> Stops:
        """What stops the sequences of a run."""
        return Stops(job.ends, job.generation.max_time, stop_strings(job))

    def __call__(self, line: Line) -> str | None:
        """What ended the sequence with the token just appended: end, length, time or stop; None: nothing yet."""
        if line.new[-1] in self.ends:
            return "end"
        if self.strings is not None and self.strings(line.new):
            return "stop"
        if line.length >= line.limit:
            return "length"
        if self.max_time_s is not None and time.monotonic() - line.started > self.max_time_s:
            return "time"
        return None


def stop_strings(job: Job) -> StopStrings | None:
    """The strings of decode.stop_strings; None when there are none."""
    given = job.generation.stop_strings
    if not given:
        return None
    return StopStrings(job.processor, (given,) if isinstance(given, str) else tuple(given))


class StopTogether(StoppingCriteria):  # type: ignore[misc]
    """The same strings for the library's generate; `prompt` tokens come before the new ones."""

    def __init__(self, strings: StopStrings, prompt: int):
        self.strings, self.prompt = strings, prompt

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """For each row (B, T) whether it is finished."""
        done = [self.strings(row[self.prompt :]) for row in input_ids.tolist()]
        return torch.tensor(done, device=input_ids.device)
