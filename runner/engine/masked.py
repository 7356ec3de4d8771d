"""What a masked language model says of its masked tokens; B batch, T tokens, N masked ones, V vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.engine.selected import forward_at
from runner.errors import RunFailed
from runner.types import IGNORED, Inputs


@torch.inference_mode()
def best_tokens(
    model: Any, inputs: Inputs, top_k: int, targets: Sequence[int] | None, output: str
) -> list[list[tuple[list[int], list[float]]]]:
    """For each text its masked tokens: ids and probabilities of the `top_k` best, of the targets if there are any."""
    where = inputs["input_ids"] == model.processor.mask_token_id
    probabilities = _logits(model, inputs, where, output).softmax(-1)
    if targets is None:
        best, ids = probabilities.topk(min(top_k, probabilities.shape[-1]))
    else:
        of_targets = torch.tensor(list(targets), device=where.device)
        best, at = probabilities[:, of_targets].topk(min(top_k, len(targets)))
        ids = of_targets[at]
    pairs = list(zip(ids.tolist(), best.tolist(), strict=True))
    return _by_text(pairs, where)


@torch.inference_mode()
def recovered_tokens(model: Any, inputs: Inputs, output: str) -> list[list[dict[str, float]]]:
    """For each text its hidden tokens, whose ids are the labels (B, T): nll in nats, top1 and top5 as 0 or 1."""
    labels = inputs["labels"]
    where = labels != IGNORED
    others = {name: value for name, value in inputs.items() if name != "labels"}
    logits, wanted = _logits(model, others, where, output), labels[where]
    nll = functional.cross_entropy(logits, wanted, reduction="none")
    right = logits.topk(min(5, logits.shape[-1])).indices == wanted[:, None]
    columns = zip(right[:, 0].int().tolist(), right.any(-1).int().tolist(), nll.double().tolist(), strict=True)
    return _by_text([{"top1": a, "top5": b, "nll": round(c, 6)} for a, b, c in columns], where)


def _logits(model: Any, inputs: Inputs, where: Tensor, output: str) -> Tensor:
    """(N, V) in float32."""
    logits = forward_at(model.network, inputs, where, output)[0].float()
    if not bool(logits.isfinite().all()):
        raise RunFailed("non-finite logits: the weights hold NaN or the dtype overflows; try engine.dtype=float32")
    return logits


def _by_text(values: Sequence[Any], where: Tensor) -> list[list[Any]]:
    """The values of the true places, row by row."""
    remaining = iter(values)
    return [[next(remaining) for _ in range(count)] for count in where.sum(1).tolist()]
