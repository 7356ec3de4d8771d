"""The scores of a classification head; B batch, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.errors import RunFailed
from runner.types import Inputs


@torch.inference_mode()
def class_scores(model: Any, inputs: Inputs) -> list[list[float]]:
    """The logits of each row, (B, C).

    Raises:
        RunFailed: one of them is NaN or infinite.
    """
    logits = model.network(**inputs).logits.float()
    check_finite(logits)
    rows: list[list[float]] = logits.flatten(1).tolist()
    return rows


def check_finite(logits: Tensor) -> None:
    """Raises RunFailed for scores that are not numbers."""
    if not bool(logits.isfinite().all()):
        raise RunFailed("non-finite logits: the weights hold NaN or the dtype overflows; try engine.dtype=float32")


def class_loss(logits: Tensor, labels: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """Summed loss of rows (B, C), each counting as much as its weight says.

    Cross entropy for labels (B,) of whole numbers, binary cross entropy for (B, C), squared error for (B,) of floats.
    """
    logits = logits.float()
    if labels.dim() == 2:
        targets = labels.float() * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(-1)
    elif labels.is_floating_point():
        losses = (logits.squeeze(-1) - labels.float()) ** 2
    else:
        losses = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    return losses.sum() if weights is None else (losses * weights).sum()
