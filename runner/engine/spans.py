"""Where in a text an answer begins and ends; B batch, T tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.errors import RunFailed
from runner.types import Inputs

Best = tuple[list[int], list[float]]  # positions and their scores, the best first


@torch.inference_mode()
def best_ends(model: Any, inputs: Inputs, count: int) -> list[tuple[Best, Best, float]]:
    """For each window its `count` best first tokens, its best last tokens, and the score of there being no answer.

    The latter is that of the first token of the window, [CLS].

    Raises:
        RunFailed: a score is NaN or infinite.
    """
    starts, ends = (logits.float().cpu() for logits in _logits(model.network, inputs))
    mask = inputs.get("attention_mask")
    lengths = [starts.shape[1]] * len(starts) if mask is None else mask.sum(-1).tolist()
    found = []
    for start, end, length in zip(starts, ends, lengths, strict=True):
        start, end = start[:length], end[:length]
        if not bool(start.isfinite().all() and end.isfinite().all()):
            raise RunFailed("non-finite logits: the weights hold NaN or the dtype overflows; try engine.dtype=float32")
        found.append((_best(start, count), _best(end, count), float(start[0] + end[0])))
    return found


def span_loss(network: Any, inputs: Inputs) -> Tensor:
    """Summed over windows: the mean cross entropy, in nats, of an answer's first and of its last token.

    Padding has no share in it, so that a window costs the same in every batch.

    Args:
        network: its start_logits and end_logits are (B, T).
        inputs: start_positions and end_positions (B,), and the network's own.
    """
    others = {n: v for n, v in inputs.items() if n not in ("labels", "start_positions", "end_positions")}
    mask = inputs.get("attention_mask")
    total = torch.zeros((), device=inputs["input_ids"].device)
    for logits, name in zip(_logits(network, others), ("start_positions", "end_positions"), strict=True):
        scores = logits.float()
        if mask is not None:
            scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
        total = total + functional.cross_entropy(scores, inputs[name], reduction="sum")
    return total / 2


def _logits(network: Any, inputs: Inputs) -> tuple[Tensor, Tensor]:
    outputs = network(**inputs)
    return outputs.start_logits, outputs.end_logits


def _best(scores: Tensor, count: int) -> Best:
    values, positions = scores.topk(min(count, len(scores)))
    return positions.tolist(), values.tolist()
