"""What is asked of the decoder and what it answers; T tokens."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.config import EngineConfig
from runner.decode import DecodeConfig
from runner.errors import DataError

if TYPE_CHECKING:
    from transformers import GenerationConfig


@dataclass(frozen=True)
class Request:
    """One prompt."""

    row: int  # its index in the data: seeds its random stream
    ids: list[int]  # T token ids, unpadded, not empty
    max_new_tokens: int | None = None  # tokens; a limit of this row alone, below the run's


@dataclass(frozen=True)
class Order:
    """What is asked of the decoder for all requests."""

    decode: DecodeConfig  # the checkpoint's generation_config.json gives the rest
    engine: EngineConfig  # how the work is done; in float32 it changes no text
    seed: int  # with the row's index it gives the row's random stream
    window: int = 256  # prompts held and sorted by length
    say: Callable[[str], None] = lambda line: None  # told one line about a decision or a difficulty
    made: Callable[[int], None] = lambda tokens: None  # told of new tokens as they are made


@dataclass(frozen=True)
class Completion:
    """The new tokens of one prompt."""

    row: int
    ids: list[list[int]]  # one list a returned sequence: no prompt, no padding; the end token included
    ended: list[str]  # what ended each sequence: end (token) | length | time | stop (string)
    trace: list[dict[str, Any]] | None = None  # step loop: what `chosen` returns, for each step


@dataclass(frozen=True)
class Job:
    """All that the requests of a run have in common."""

    network: Any
    processor: Any
    generation: GenerationConfig  # every default filled in, special tokens as tensors
    order: Order
    context: int | None  # tokens that the network can see; None: no limit
    assistant: Any = None  # a runner.types.Model that drafts tokens
    prefilled: Any = None  # a runner.engine.prefill.Prefilled: what earlier runs of the network left

    @property
    def sequences(self) -> int:
        """Sequences returned for one prompt."""
        return int(self.generation.num_return_sequences or 1)

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a sequence."""
        found = self.generation.eos_token_id
        return frozenset() if found is None else frozenset(found if isinstance(found, list) else [found])

    @property
    def pad(self) -> int:
        """The token that fills rows of a batch: any will do, the mask hides it."""
        pad = self.generation._pad_token_tensor  # the library's choice: the padding token, else the first end token
        return 0 if pad is None else int(pad)

    def start(self, request: Request) -> int:
        """Tokens before the first new one: the prompt, or the start token of a decoder that has an encoder."""
        return 1 if self.network.config.is_encoder_decoder else len(request.ids)

    def limit(self, request: Request) -> int:
        """The length at which a row stops: tokens, prompt included.

        Raises:
            DataError: the prompt is empty or leaves no room for a token.
        """
        start = self.start(request)
        new, longest = self.generation.max_new_tokens, self.generation.max_length
        limit = start + new if new is not None else longest
        if request.max_new_tokens is not None:
            limit = min(limit, start + request.max_new_tokens)
        limit = min(limit, math.inf if self.context is None else self.context)
        if not request.ids:
            raise DataError(f"row {request.row}: the prompt has no tokens: give at least one")
        if start >= limit:
            law = f"a prompt of {start} tokens must be shorter than {limit} tokens"
            cause = "the network's context" if limit == self.context else "decode.max_length"
            raise DataError(f"row {request.row}: {law} ({cause}): shorten it or set data.on_long_row=truncate")
        return int(limit)

    def for_row(self, request: Request) -> GenerationConfig:
        """The generation settings with the lengths of this row, as generate sees them for this prompt alone."""
        generation = copy.copy(self.generation)
        generation.max_length = self.limit(request)
        if generation.min_new_tokens is not None:
            generation.min_length = len(request.ids) + generation.min_new_tokens
        return generation
