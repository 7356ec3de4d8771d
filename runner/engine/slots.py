"""Decoding in slots that refill as soon as a row finishes."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache

from runner.engine.cache import SlotCache, attending_slots, slots_dtype
from runner.engine.line import Chooser, Line, begin
from runner.engine.memory import bytes_per_token, cache_bytes, fewer, out_of_memory
from runner.engine.prefill import prefill
from runner.engine.request import Completion, Job, Request
from runner.engine.stopping import Stops


@dataclass(frozen=True)
class Waiting:
    """A line that has its first token and waits for a slot."""

    line: Line
    cache: DynamicCache  # keys and values of its prompt
    index: int  # its row in that cache


class Slots:
    """So many rows decoded together; the next prompt takes the place of whichever row finishes."""

    def __init__(self, job: Job, slots: int, batches: Iterable[list[Request]]):
        self.job = job
        self.most = slots  # rows at a time
        self.rows_prefilled = sys.maxsize  # rows in a forward pass over prompts; less once memory ran out
        self.batches = iter(batches)
        self.again: deque[list[Request]] = deque()  # to be done again with fewer rows
        self.prefilling: list[Request] = []
        self.waiting: deque[Waiting] = deque()
        self.live: list[Line] = []  # in the order of the slots
        self.free: list[int] = []  # slots whose line has finished
        self.finished: dict[int, dict[int, Line]] = {}  # row -> its finished sequences
        self.attention = attending_slots(job.network)
        self.cache = SlotCache(slots_dtype(job.network))
        self.choose = Chooser(job)
        self.stops = Stops.of(job)
        self.bytes = cache_bytes(job.order.engine, job.network.device)

    def __iter__(self) -> Iterator[Completion]:
        """Completions in the order in which they finish."""
        while True:
            try:
                done = self._refill()
                if not done and not self.live:
                    return
                done = done or self._step()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._back_off(error)
                continue
            for line in done:
                yield from self._finish(line)

    @torch.inference_mode()
    def _refill(self) -> list[Line]:
        """Fill the free slots; returns lines that finished with their first token, if any did."""
        while self.free or len(self.live) < self.most:
            if not self.waiting:
                self.prefilling = self._next_batch()
                if not self.prefilling:
                    break
                done = self._prefill(self.prefilling)
                self.prefilling = []
                if done:
                    return done
            elif not self._place(self.waiting[0]):
                break
            else:
                self.waiting.popleft()
        self._close_gaps()
        return []

    def _next_batch(self) -> list[Request]:
        batch = self.again.popleft() if self.again else next(self.batches, [])
        if len(batch) > self.rows_prefilled:
            self.again.appendleft(batch[self.rows_prefilled :])
        return batch[: self.rows_prefilled]

    def _prefill(self, requests: Sequence[Request]) -> list[Line]:
        """The prompts' keys and values, and the first token of every line; returns the lines that it ends."""
        origins = [
            (index, sequence)
            for index, request in enumerate(requests)
            for sequence in range(self.job.sequences)
            if sequence not in self.finished.get(request.row, {})
        ]
        lines = [begin(self.job, requests[index], sequence, self.choose.watched) for index, sequence in origins]
        prompts, known = [request.ids for request in requests], self.job.prefilled
        cache, logits = (
            prefill(self.job.network, prompts) if known is None else known(self.job.network, prompts, self.bytes // 2)
        )
        chosen = self.choose(lines, logits[[index for index, _ in origins]])
        self.job.order.made(len(lines))
        done = []
        for line, token, (index, _) in zip(lines, chosen, origins, strict=True):
            line.append(token)
            line.ended = self.stops(line)
            if line.ended:
                done.append(line)
            else:
                self.waiting.append(Waiting(line, cache, index))
        return done

    def _place(self, waiting: Waiting) -> bool:
        """Give a line a slot; False when memory has no room until another line finishes."""
        line, live = waiting.line, len(self.live) - len(self.free)
        columns = max(line.limit, *(other.limit for other in self.live), 0)
        room = max(1, self.bytes // (bytes_per_token(waiting.cache, self.cache.dtype) * columns))
        if live >= room:
            return False
        length = len(line.request.ids)
        self.cache.reserve(waiting.cache, max(len(self.live), min(self.most, room)), length + 1)
        slot = self.free.pop() if self.free else len(self.live)
        self.cache.place(waiting.cache, waiting.index, length, slot)
        self.live[slot : slot + 1] = [line]
        return True

    def _close_gaps(self) -> None:
        """Move the last lines into free slots: the live ones are the first."""
        for slot in sorted(self.free, reverse=True):
            last = self.live.pop()
            if slot < len(self.live):
                self.cache.move(len(self.live), slot, last.length - 1)
                self.live[slot] = last
        self.free = []

    @torch.inference_mode()
    def _step(self) -> list[Line]:
        """One token for every live line; returns those that it ends."""
        positions, mask = self.cache.begin(len(self.live), max(line.length for line in self.live))
        last = torch.tensor([[line.new[-1]] for line in self.live], device=mask.device)
        with self.attention:
            output = self.job.network(
                input_ids=last, position_ids=positions, attention_mask=mask, past_key_values=self.cache, use_cache=True
            )
        chosen = self.choose(self.live, output.logits[:, -1])
        self.cache.advance()
        self.job.order.made(len(self.live))
        for line, token in zip(self.live, chosen, strict=True):
            line.append(token)
            line.ended = self.stops(line)
        self.free = [slot for slot, line in enumerate(self.live) if line.ended]
        if self.job.generation.remove_invalid_values:
            for slot in self.free:
                self.cache.clean(slot)
        return [self.live[slot] for slot in self.free]

    def _finish(self, line: Line) -> Iterator[Completion]:
        """The completion of a row, once all its sequences are there."""
        row = line.request.row
        sequences = self.finished.setdefault(row, {})
        sequences[line.sequence] = line
        if len(sequences) == self.job.sequences:
            del self.finished[row]
            lines = [sequences[index] for index in range(self.job.sequences)]
            yield Completion(row, [one.new for one in lines], [str(one.ended) for one in lines])

    def _back_off(self, error: BaseException) -> None:
        """Half the rows from now on; those under way start again from their prompts, with the same random streams.

        Raises:
            RunFailed: a single row takes too much.
        """
        lines = [line for slot, line in enumerate(self.live) if slot not in self.free]
        lines += [waiting.line for waiting in self.waiting]
        under_way = (*(line.request for line in lines), *self.prefilling)
        requests = list({request.row: request for request in under_way}.values())
        self.most = self.rows_prefilled = fewer(self.job, requests, min(self.most, len(requests)), error)
        self.cache = SlotCache(slots_dtype(self.job.network))
        self.live, self.free, self.prefilling = [], [], []
        self.waiting.clear()
        if requests:
            self.again.appendleft(requests)
