"""Token vectors to one vector a text; B batch, T tokens, H hidden size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.engine.classes import check_finite
from runner.types import Inputs


def pooled(network: Any, inputs: Inputs, pooling: str, normalize: bool, dimensions: int | None) -> Tensor:
    """A vector for each text, (B, H) or (B, dimensions), in float32.

    Args:
        network: its last hidden states are (B, T, H).
        inputs: input_ids (B, T), attention_mask (B, T) where texts differ in length.
        pooling: mean of all tokens, cls (the first), or last.
        normalize: to length 1, after cutting.
        dimensions: the first so many are kept (Kusupati 2022).
    """
    states = network(**inputs).last_hidden_state.float()
    mask = inputs.get("attention_mask")
    mask = torch.ones(states.shape[:2], device=states.device) if mask is None else mask.float()
    if pooling == "cls":
        vectors = states[:, 0]
    elif pooling == "last":
        vectors = states[torch.arange(len(states)), mask.sum(1).long() - 1]
    else:
        vectors = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    vectors = vectors if dimensions is None else vectors[:, :dimensions]
    return functional.normalize(vectors, dim=-1) if normalize else vectors


@torch.inference_mode()
def vectors_of(model: Any, inputs: Inputs, pooling: str, normalize: bool, dimensions: int | None) -> list[list[float]]:
    """`pooled` as lists of floats."""
    vectors = pooled(model.network, inputs, pooling, normalize, dimensions)
    check_finite(vectors)
    found: list[list[float]] = vectors.tolist()
    return found


@torch.inference_mode()
def token_vectors(model: Any, inputs: Inputs) -> list[list[list[float]]]:
    """The last hidden states of each text, (T, H), without padding."""
    states = model.network(**inputs).last_hidden_state.float()
    check_finite(states)
    mask = inputs.get("attention_mask")
    lengths = [states.shape[1]] * len(states) if mask is None else mask.sum(1).tolist()
    return [one[:length].tolist() for one, length in zip(states, lengths, strict=True)]
