"""Summed losses of a batch; B batch, T tokens, V vocabulary, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.engine.likelihood import CHUNK, has_plain_head
from runner.engine.selected import forward_at
from runner.types import IGNORED, Inputs


def next_token_loss(network: Any, inputs: Inputs) -> Tensor:
    """Negative log-likelihood in nats of every labelled token, predicted from those before it.

    Args:
        network: a causal language model.
        inputs: labels (B, T) and the network's own.
    """
    labels = inputs["labels"]
    others = {name: value for name, value in inputs.items() if name != "labels"}
    kept = labels[:, 1:] != IGNORED
    if has_plain_head(network):
        hidden = network.base_model(**others, use_cache=False).last_hidden_state[:, :-1][kept]
        head = network.get_output_embeddings()
        pairs = zip(hidden.split(CHUNK), labels[:, 1:][kept].split(CHUNK), strict=True)
        losses = [functional.cross_entropy(head(h).float(), t, reduction="sum") for h, t in pairs]
        return torch.stack(losses).sum() if losses else hidden.sum() * 0
    logits, _ = forward_at(network, others | {"use_cache": False}, functional.pad(kept, (0, 1)))
    return functional.cross_entropy(logits.float(), labels[:, 1:][kept], reduction="sum")


def masked_token_loss(network: Any, inputs: Inputs, name: str = "logits") -> tuple[Tensor, Any]:
    """Negative log-likelihood in nats of every labelled token, predicted where it stands; and all outputs.

    Args:
        network: a network with logits (B, T, V) under `name`.
        inputs: labels (B, T) and the network's own.
    """
    labels = inputs["labels"]
    kept = labels != IGNORED
    others = {key: value for key, value in inputs.items() if key != "labels"}
    logits, outputs = forward_at(network, others, kept, name)
    return functional.cross_entropy(logits.float(), labels[kept], reduction="sum"), outputs
