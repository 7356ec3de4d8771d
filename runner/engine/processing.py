"""The library's logits processors on rows of different lengths; B batch, T tokens, V vocabulary."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessorList
from transformers.generation import logits_process as library

from runner.engine.request import Job, Request

WARPERS = (  # what sampling alone applies
    library.TemperatureLogitsWarper,
    library.TopKLogitsWarper,
    library.TopPLogitsWarper,
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
    return found


def split(found: LogitsProcessorList) -> tuple[LogitsProcessorList, LogitsProcessorList]:
    """Those up to the last that looks at a row's tokens, and the rest, which can take all rows at once."""
    last = max((index + 1 for index, one in enumerate(found) if not blind(one)), default=0)
    return LogitsProcessorList(found[:last]), LogitsProcessorList(found[last:])


def blind(processor: Any) -> bool:
    """Whether a processor looks at the scores alone."""
    if isinstance(processor, library.SequenceBiasLogitsProcessor):  # bad words are one of these
        return all(len(ids) == 1 for ids in processor.sequence_bias)
    return isinstance(processor, BLIND)


def apply_blind(found: LogitsProcessorList, scores: Tensor) -> Tensor:
    """Processors that do not look at tokens, applied to scores (B, V)."""
    if found:
        scores = found(scores.new_empty((scores.shape[0], 0), dtype=torch.long), scores)
    return scores
