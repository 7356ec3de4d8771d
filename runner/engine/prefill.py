"""Prompts into keys, values and the logits of the next token; B batch, T tokens, V vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache


def prefill(network: Any, prompts: Sequence[list[int]]) -> tuple[DynamicCache, Tensor]:
    """One forward pass over prompts of like length.

    They are padded on the right: a causal network's real tokens never see what follows them, so that neither a mask
    nor positions are needed. Columns past a prompt's length hold what its padding made and must not be used.

    Returns:
        The cache of all layers and the logits (B, V) after each prompt's last token.
    """
    longest = max(map(len, prompts))
    # padded with their own last token: some networks warn when they see the padding token without a mask
    ids = torch.tensor([prompt + prompt[-1:] * (longest - len(prompt)) for prompt in prompts], device=network.device)
    ends = torch.tensor([len(prompt) - 1 for prompt in prompts], device=ids.device)
    cache = DynamicCache(config=network.config)
    rows = torch.arange(len(prompts), device=ids.device)
    if network._supports_logits_to_keep():
        kept, ends = torch.unique(ends, return_inverse=True)
        output = network(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=kept)
    else:
        output = network(input_ids=ids, past_key_values=cache, use_cache=True)
    return cache, output.logits[rows, ends]
