"""Prompts into keys, values and the logits of the next token; B batch, T tokens, V vocabulary."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache


@dataclass
class Prefilled:
    """What came of prompts that were prefilled before, for further runs of the same network with other settings.

    Batches that have not been asked for longest go first where there is no more room.
    """

    known: OrderedDict[tuple[tuple[int, ...], ...], tuple[DynamicCache, Tensor]] = field(default_factory=OrderedDict)
    bytes: int = 0  # held

    def __call__(self, network: Any, prompts: Sequence[list[int]], room: int) -> tuple[DynamicCache, Tensor]:
        """As `prefill`, of which the caller changes nothing; at most `room` bytes are held."""
        key = tuple(map(tuple, prompts))
        if key in self.known:
            self.known.move_to_end(key)
            return self.known[key]
        made = prefill(network, prompts)
        self.known[key] = made
        self.bytes += _bytes(*made)
        while self.bytes > room:
            self.bytes -= _bytes(*self.known.popitem(last=False)[1])
        return made


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


def _bytes(cache: DynamicCache, logits: Tensor) -> int:
    return int(logits.nbytes + sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values)))
