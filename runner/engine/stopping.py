"""When a sequence is finished."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import StopStringCriteria

from runner.engine.request import Job

if TYPE_CHECKING:
    from runner.engine.line import Line


@dataclass(frozen=True)
class Stops:
    """The end tokens, the row's own limit, its time, and strings that end it."""

    ends: frozenset[int]
    max_time_s: float | None
    strings: Any  # StopStringCriteria | None

    @staticmethod
    def of(job: Job) -> Stops:
        """What stops the sequences of a run."""
        strings = job.generation.stop_strings
        criteria = StopStringCriteria(tokenizer=job.processor, stop_strings=strings) if strings else None
        return Stops(job.ends, job.generation.max_time, criteria)

    def __call__(self, line: Line) -> bool:
        """Whether the token just appended was the last."""
        if line.new[-1] in self.ends or line.length >= line.limit:
            return True
        if self.max_time_s is not None and time.monotonic() - line.started > self.max_time_s:
            return True
        return self.strings is not None and bool(self.strings(line.seen, None).all())
