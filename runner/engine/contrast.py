"""Losses over the vectors of texts; B rows, C texts a row, T tokens, H hidden size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.engine.pooling import pooled
from runner.types import Inputs

if TYPE_CHECKING:
    from runner.teach.contrast import Contrast

TOKENS = 2048  # in one pass through the network


def contrast_loss(network: Any, inputs: Inputs, how: Contrast) -> Tensor:
    """The loss summed over the rows.

    Args:
        network: an encoder.
        inputs: input_ids (B, C, T), labels (B,) the wanted cosines, attention_mask (B, C, T).
        how: which loss, and its constants.
    """
    vectors = _vectors(network, inputs, how.pooling)  # (B, C, H)
    first, second = vectors[:, 0], vectors[:, 1]
    if how.by == "cosine":
        missed: Tensor = (first * second).sum(-1) - inputs["labels"].float()
        return missed.square().sum()
    if how.by == "triplet":
        nearer, farther = (first * second).sum(-1), (first * vectors[:, 2]).sum(-1)
        return functional.relu(how.margin + farther - nearer).sum()
    right = torch.arange(len(first), device=first.device)
    scores = first @ vectors[:, 1:].transpose(0, 1).flatten(0, 1).T / how.temperature  # the second texts come first
    loss = functional.cross_entropy(scores, right, reduction="sum")
    if how.both_ways:
        loss = (loss + functional.cross_entropy(second @ first.T / how.temperature, right, reduction="sum")) / 2
    return loss


def _vectors(network: Any, inputs: Inputs, pooling: str) -> Tensor:
    """(B, C, H) of length 1; texts of like lengths go through the network together, not padded to the longest."""
    rows, choices = inputs["input_ids"].shape[:2]
    flat = {name: value.flatten(0, 1) for name, value in inputs.items() if name != "labels"}
    mask = flat.setdefault("attention_mask", torch.ones_like(flat["input_ids"]))
    lengths = mask.sum(1)
    order = lengths.argsort(descending=True)
    parts, begin = [], 0
    while begin < len(order):
        longest = int(lengths[order[begin]])
        part = order[begin : begin + max(1, TOKENS // longest)]
        cut = {name: value[part, :longest] for name, value in flat.items()}
        parts.append(pooled(network, cut, pooling, normalize=True, dimensions=None))
        begin += len(part)
    vectors = torch.cat(parts)[order.argsort()]
    return vectors.view(rows, choices, -1)
