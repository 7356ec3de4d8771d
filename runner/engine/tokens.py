"""A class for each token; B batch, T tokens, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.errors import RunFailed
from runner.types import IGNORED, Inputs

WHOLE = 10_000  # the weight of a token that counts once: examples hold whole numbers


@torch.inference_mode()
def token_classes(model: Any, inputs: Inputs, every: bool) -> list[Any]:
    """For each text its tokens' probabilities.

    Args:
        model: its network has logits (B, T, C).
        inputs: the network's own.
        every: of all classes, (T, C); else the most probable class and its probability, (T,) and (T,).

    Raises:
        RunFailed: a score is NaN or infinite.
    """
    logits = model.network(**inputs).logits.float().cpu()
    mask = inputs.get("attention_mask")
    lengths = [logits.shape[1]] * len(logits) if mask is None else mask.sum(-1).tolist()
    found: list[Any] = []
    for scores, length in zip(logits, lengths, strict=True):
        scores = scores[:length]
        if not bool(scores.isfinite().all()):
            raise RunFailed("non-finite logits: the weights hold NaN or the dtype overflows; try engine.dtype=float32")
        probabilities = scores.softmax(-1)
        best, classes = probabilities.max(-1)
        found.append(probabilities if every else (classes.tolist(), best.tolist()))
    return found


def token_loss(network: Any, inputs: Inputs, smoothing: float) -> Tensor:
    """Summed cross entropy in nats of all labelled tokens, each as often as it counts.

    Args:
        network: its logits are (B, T, C).
        inputs: labels (B, T), `weight` (B, T) in parts of WHOLE where tokens count differently, and the network's own.
        smoothing: share of the probability that is spread over all classes.
    """
    others = {name: value for name, value in inputs.items() if name not in ("labels", "weight")}
    labels = inputs["labels"]
    kept = labels != IGNORED
    logits = network(**others).logits[kept].float()
    losses = functional.cross_entropy(logits, labels[kept], reduction="none", label_smoothing=smoothing)
    return losses.sum() if "weight" not in inputs else (losses * inputs["weight"][kept] / WHOLE).sum()
