"""The library's logits processors on rows of different lengths; B batch, T tokens, V vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation import logits_process as library

from runner.engine.request import Job, Request


class Nucleus(LogitsProcessor):  # type: ignore[misc]
    """The library's top_p (Holtzman et al. 2020), for which it puts the whole vocabulary in order.

    A token below (1 - p) / V is never kept: all such tokens together have less than 1 - p.
    """

    def __init__(self, top_p: float, fewest: int):
        self.top_p, self.fewest = top_p, fewest

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (B, V) in memory, those outside the nucleus -inf."""
        probabilities = scores.softmax(dim=-1)
        last = torch.from_numpy(np.stack([self._last(row) for row in probabilities.numpy()]))
        return scores.masked_fill(probabilities < last[:, None], -torch.inf)

    def _last(self, row: Any) -> Any:
        """The probability of the last token that is kept of a row (V,)."""
        likely = row[row >= (1 - self.top_p) / len(row)]
        ordered = np.sort(likely if len(likely) >= self.fewest else row)[::-1]
        before = np.cumsum(ordered, dtype=np.float64) - ordered
        rest = row.sum(dtype=np.float64) - before  # of a token and all below it
        kept = int(np.count_nonzero(rest > 1 - self.top_p))
        return ordered[max(kept, self.fewest) - 1]


LENGTHS = (library.MinLengthLogitsProcessor, library.MinNewTokensLengthLogitsProcessor)  # no end before so many tokens
WARPERS = (  # what sampling alone applies
    library.TemperatureLogitsWarper,
    library.TopKLogitsWarper,
    library.TopPLogitsWarper,
    Nucleus,
    library.TopHLogitsWarper,
    library.MinPLogitsWarper,
    library.TypicalLogitsWarper,
    library.EpsilonLogitsWarper,
    library.EtaLogitsWarper,
)
BLIND = (  # these look at the scores alone: one call serves all rows
    *WARPERS,
    library.SuppressTokensLogitsProcessor,
    library.InfNanRemoveLogitsProcessor,
    library.LogitNormalization,
)


def processors(job: Job, request: Request) -> LogitsProcessorList:
    """What generate would apply to this prompt alone, in its order."""
    ids = torch.tensor([request.ids], device=job.network.device)
    found: LogitsProcessorList = job.network._get_logits_processor(
        generation_config=job.for_row(request),
        input_ids_seq_length=len(request.ids),
        encoder_input_ids=ids,
        device=ids.device,
    )
    return LogitsProcessorList(map(_faster, found)) if ids.device.type == "cpu" else found


def _faster(processor: Any) -> Any:
    """The same on a processor, where there is a way that takes less."""
    if type(processor) is library.TopPLogitsWarper and processor.filter_value == -torch.inf:
        return Nucleus(processor.top_p, processor.min_tokens_to_keep)
    return processor


def split(found: LogitsProcessorList) -> tuple[LogitsProcessorList, LogitsProcessorList]:
    """Those up to the last that looks at a row's tokens, and the rest, which can take all rows at once."""
    last = max((index + 1 for index, one in enumerate(found) if not blind(one)), default=0)
    return LogitsProcessorList(found[:last]), LogitsProcessorList(found[last:])


def blind(processor: Any) -> bool:
    """Whether a processor looks at the scores alone."""
    if isinstance(processor, library.SequenceBiasLogitsProcessor):  # bad words are one of these
        return all(len(ids) == 1 for ids in processor.sequence_bias)
    return isinstance(processor, BLIND)


def apply_each(found: Sequence[Sequence[Any]], seen: Sequence[Tensor], scores: Tensor) -> Tensor:
    """Processors that look at tokens, each row's own, applied to scores (B, V).

    Args:
        found: of each row; they are alike but for lengths.
        seen: the tokens (1, T) of each row.
    """
    if all(isinstance(one, LENGTHS) for one in found[0]):
        return _without_early_ends(found, seen, scores)
    rows = [scores[at : at + 1] for at in range(len(found))]
    for at, own in enumerate(found):
        for processor in own:  # the library's list looks each one's signature up at every token
            rows[at] = processor(seen[at], rows[at])
    return torch.cat(rows)


def _without_early_ends(found: Sequence[Sequence[Any]], seen: Sequence[Tensor], scores: Tensor) -> Tensor:
    lengths = [tokens.shape[1] for tokens in seen]
    for alike in zip(*found, strict=True):
        short = [at for at, (one, length) in enumerate(zip(alike, lengths, strict=True)) if length < _least(one)]
        if short:
            scores = scores.clone()
            scores[torch.tensor(short)[:, None], alike[0].eos_token_id[None, :]] = -torch.inf
    return scores


def _least(processor: Any) -> int:
    """Tokens, the prompt's too, before which there is no end."""
    if isinstance(processor, library.MinLengthLogitsProcessor):
        return int(processor.min_length)
    return int(processor.prompt_length_to_skip + processor.min_new_tokens)


def apply_blind(found: LogitsProcessorList, scores: Tensor) -> Tensor:
    """Processors that do not look at tokens, applied to scores (B, V)."""
    if found:
        scores = found(scores.new_empty((scores.shape[0], 0), dtype=torch.long), scores)
    return scores
