"""The library's own generate in batches, for what slots cannot hold; B batch, T tokens."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteriaList
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from runner.engine.line import check_finite
from runner.engine.memory import fewer, out_of_memory
from runner.engine.probe import why_cache_does_not_fit
from runner.engine.processing import WARPERS, processors, split
from runner.engine.request import Completion, Job, Request
from runner.engine.sampling import GumbelChoice, stream, stream_seed
from runner.engine.stopping import StopTogether, stop_strings
from runner.errors import ConfigError

REFUSALS = (ValueError, TypeError, IndexError, AttributeError)  # generate has no error of its own
ROWS = 16  # in a batch, unless engine.slots says otherwise: rows wait for the longest, so larger ones are slower


def why_not_slots(job: Job) -> str | None:
    """Why generate must decode; None when slots can."""
    g = job.generation
    reasons = (
        (job.network.config.is_encoder_decoder, "the network has an encoder"),
        (several_hypotheses(g), "beam search keeps several hypotheses a row"),
        (drafts(job), "drafted tokens are checked several at a time"),
        (g.guidance_scale not in (None, 1), "guidance runs a second, unconditional prompt"),
        (g.token_healing, "token healing changes the prompt"),
        (g.watermarking_config, "the watermark is the library's"),
        (g.use_cache is False, "decode.use_cache is false"),
        (g.cache_implementation, f"decode.cache_implementation is {g.cache_implementation}"),
        (g.prefill_chunk_size, "decode.prefill_chunk_size is given"),
    )
    return next((words for holds, words in reasons if holds), None) or why_cache_does_not_fit(job)


def several_hypotheses(generation: GenerationConfig) -> bool:
    """Whether beams are searched."""
    return (generation.num_beams or 1) > 1


def drafts(job: Job) -> bool:
    """Whether tokens are drafted and checked; the library does so for one prompt at a time only."""
    g = job.generation
    return any((job.assistant, g.prompt_lookup_num_tokens, g.assistant_early_exit, g.use_mtp))


def drafting(job: Job) -> dict[str, Any]:
    """What generate is told of the checkpoint that drafts."""
    if job.assistant is None:
        return {"tokenizer": job.processor}
    told = {"assistant_model": job.assistant.network}
    if job.assistant.processor.get_vocab() == job.processor.get_vocab():
        return told
    return told | {"tokenizer": job.processor, "assistant_tokenizer": job.assistant.processor}


class Generate:
    """Batches of prompts of like length through generate, with a random stream a row."""

    def __init__(self, job: Job, batches: Iterable[list[Request]]):
        self.job = job
        self.batches = iter(batches)
        generation = job.generation
        beams = several_hypotheses(generation)
        draws = generation.do_sample and (beams or generation.watermarking_config)
        # what draws from torch's own stream, drafts, or is padded without an end token is decoded one row at a time
        self.strings = stop_strings(job)
        self.alone = bool(drafts(job) or draws or self.strings)
        self.most = 1 if self.alone else max(1, (job.order.engine.slots or ROWS) // (generation.num_beams or 1))
        self.equal_lengths = beams or not only_attends(job.network)

    def __iter__(self) -> Iterator[Completion]:
        """Completions, batch by batch."""
        for batch in self.batches:
            for _, group in groupby(batch, key=self._alike):
                yield from self._in_parts(list(group))

    def _alike(self, request: Request) -> tuple[int, int]:
        """Requests share a batch when this is equal: the tokens left, and the length where padding would be seen."""
        looking, _ = split(processors(self.job, request))
        unpadded = looking or self.equal_lengths
        return self.job.limit(request) - self.job.start(request), len(request.ids) if unpadded else 0

    def _in_parts(self, requests: list[Request]) -> Iterator[Completion]:
        """Batches of at most `most` rows, halved when memory runs out."""
        queue = deque(requests)
        while queue:
            part = [queue.popleft() for _ in range(min(self.most, len(queue)))]
            try:
                done = self._generate(part)
            except REFUSALS as error:  # what a strategy needs and this checkpoint does not have
                raise ConfigError(f"decode  generate refuses these settings here: {_first_line(error)}") from error
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self.most = fewer(self.job, part, len(part), error)
                queue.extendleft(reversed(part))
                continue
            yield from done

    @torch.inference_mode()
    def _generate(self, requests: Sequence[Request]) -> list[Completion]:
        job, count = self.job, self.job.sequences
        generation = copy.deepcopy(job.generation)
        generation.max_new_tokens = job.limit(requests[0]) - job.start(requests[0])
        generation.max_length = generation.stop_strings = None
        added, copies = LogitsProcessorList([Watch(job, requests)]), 1
        if generation.do_sample and not self.alone:
            added += self._sampling(requests)
            generation.do_sample, generation.num_return_sequences, copies = False, 1, count
        ids, mask = padded(job, [request.ids for request in requests for _ in range(copies)])
        prompt = 1 if job.network.config.is_encoder_decoder else ids.shape[1]
        stops = StoppingCriteriaList([StopTogether(self.strings, prompt)] if self.strings else [])
        with torch.random.fork_rng(devices=[ids.device] if ids.is_cuda else []):
            torch.manual_seed(stream_seed(job.order.seed, requests[0].row))
            made = job.network.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=generation,
                logits_processor=added,
                stopping_criteria=stops,
                **drafting(job),
            )
        texts = [until_end(job, line) for line in made[:, prompt:].tolist()]
        ended = [self._ended(text, generation.max_new_tokens) for text in texts]
        parts = [slice(i * count, (i + 1) * count) for i in range(len(requests))]
        return [Completion(r.row, texts[part], ended[part]) for r, part in zip(requests, parts, strict=True)]

    def _ended(self, text: list[int], limit: int) -> str:
        if text and text[-1] in self.job.ends:
            return "end"
        if self.strings is not None and self.strings(text):
            return "stop"
        return "length" if len(text) >= limit else "time"

    def _sampling(self, requests: Sequence[Request]) -> list[Any]:
        """The warpers and the noise, which turn generate's argmax into a draw from each row's own stream."""
        job, device = self.job, self.job.network.device
        warpers = [one for one in processors(job, requests[0]) if isinstance(one, WARPERS)]
        lines = [(request.row, sequence) for request in requests for sequence in range(job.sequences)]
        return [*warpers, GumbelChoice([stream(job.order.seed, row, sequence, device) for row, sequence in lines])]


def _first_line(error: Exception) -> str:
    return f"{str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"


class Watch(LogitsProcessor):  # type: ignore[misc]
    """Refuses a first step whose scores are not numbers, and tells of new tokens."""

    def __init__(self, job: Job, requests: Sequence[Request]):
        self.job, self.requests, self.first = job, requests, True

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores as they came; raises RunFailed."""
        if self.first:
            each = len(scores) // len(self.requests)
            rows = [request for request in self.requests for _ in range(each)]
            check_finite(self.job, scores, rows, "in the first batch")
        self.first = False
        self.job.order.made(len(self.requests) * self.job.sequences)
        return scores


def only_attends(network: Any) -> bool:
    """Whether all layers attend to what they have seen: a state that is carried along would carry padding too."""
    layers = DynamicCache(config=network.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def padded(job: Job, prompts: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask (B, T): on the left, so that the last position is real; on the right for an encoder."""
    pad, longest, ids, mask = job.pad, max(map(len, prompts)), [], []
    for prompt in prompts:
        fill, seen = [pad] * (longest - len(prompt)), [1] * len(prompt)
        right = job.network.config.is_encoder_decoder
        ids.append(prompt + fill if right else fill + prompt)
        mask.append(seen + [0] * len(fill) if right else [0] * len(fill) + seen)
    return torch.tensor(ids, device=job.network.device), torch.tensor(mask, device=job.network.device)


def until_end(job: Job, new: list[int]) -> list[int]:
    """The new tokens up to and with the first end token."""
    end = next((index + 1 for index, token in enumerate(new) if token in job.ends), len(new))
    return new[:end]
