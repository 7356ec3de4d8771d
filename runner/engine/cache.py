"""Keys and values of all slots, written in place; S slots, n live ones, H heads, C columns, D head size, T tokens."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import DynamicCache
from transformers.cache_utils import Cache

from runner.engine.attention import Attending

SPARE = 64  # columns added at least when the cache grows


def attending_slots(network: Any) -> AbstractContextManager[None]:
    """How a network attends to its slots: a processor's attention of one query is 5 times slower in half precision.

    There keys and values are kept in float32, and attention is computed in it.
    """
    if slots_dtype(network) == network.dtype:
        return nullcontext()
    return Attending(network, "slots_in_float32", attend_in_float32)


def slots_dtype(network: Any) -> torch.dtype:
    """The precision in which keys and values of the slots are kept."""
    half = network.device.type == "cpu" and network.dtype in (torch.bfloat16, torch.float16)
    return torch.float32 if half else network.dtype


def attend_in_float32(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """The library's attention function: queries (n, H, 1, D) in any precision, the rest in float32."""
    grouped = query.shape[1] != key.shape[1]
    made = scaled_dot_product_attention(
        query.float(), key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=grouped
    )
    return made.transpose(1, 2).to(query.dtype), None


class SlotCache(Cache):  # type: ignore[misc]
    """A cache whose rows live and die on their own: row i owns columns 0 .. length - 1 of slot i, and nothing moves.

    The live rows are the first n slots. A forward pass writes one new column per row, each at its own place, and
    attends over the first `longest` columns; `mask` closes those that a row does not own.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__(layers=[])
        self.dtype = dtype
        self.keys: list[Tensor] = []  # one (S, H, C, D) a layer
        self.values: list[Tensor] = []
        self.mask = torch.empty(0, 1, 1, 0)  # (S, 1, 1, C) added to the attention scores
        self.places = torch.empty(0)  # (S,) the column that each row writes next
        self.longest = 0
        self.now: tuple[Tensor, slice, Tensor] = (self.places, slice(None), self.places)

    def reserve(self, prompt: DynamicCache, slots: int, columns: int) -> None:
        """Make room for so many slots and columns, for the states of a prefilled cache."""
        if not self.keys:
            device = prompt.layers[0].keys.device
            self.keys = [_no_room(layer.keys, self.dtype) for layer in prompt.layers]
            self.values = [_no_room(layer.values, self.dtype) for layer in prompt.layers]
            self.mask = torch.empty(0, 1, 1, 0, dtype=self.dtype, device=device)
            self.places = torch.empty(0, dtype=torch.long, device=device)
        if slots > self.mask.shape[0] or columns > self.mask.shape[3]:
            self._resize(slots, columns)

    def place(self, prompt: DynamicCache, index: int, length: int, slot: int) -> None:
        """Copy the first `length` columns of row `index` of a prefilled cache into a slot."""
        for layer, keys, values in zip(prompt.layers, self.keys, self.values, strict=True):
            keys[slot, :, :length] = layer.keys[index, :, :length]
            values[slot, :, :length] = layer.values[index, :, :length]
        self._own(slot, length)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the row of one slot over that of another."""
        for tensor in (*self.keys, *self.values):
            tensor[target, :, :length] = tensor[source, :, :length]
        self._own(target, length)

    def clean(self, slot: int) -> None:
        """Forget what a slot holds: a NaN behind the mask would still reach the next row (0 x NaN)."""
        for tensor in (*self.keys, *self.values):
            tensor[slot] = 0

    def begin(self, n: int, longest: int) -> tuple[Tensor, Tensor]:
        """Open one new column for each of the first n rows; `longest` counts it.

        Returns:
            The positions (n, 1) and the mask (n, 1, 1, longest) of the forward pass.
        """
        if longest > self.mask.shape[3]:
            self._resize(self.mask.shape[0], longest)
        places = self.places[:n]
        self.longest = longest
        self.now = (torch.arange(n, device=places.device), slice(None), places)
        self.mask[self.now[0], 0, 0, places] = 0
        return places[:, None], self.mask[:n, :, :, :longest]

    def advance(self) -> None:
        """The forward pass has succeeded: the next one writes one column further."""
        self.now[2].add_(1)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the states (n, H, 1, D) of one layer; returns the live columns, (n, H, longest, D)."""
        n, longest, now = key_states.shape[0], self.longest, self.now
        keys, values = self.keys[layer_idx], self.values[layer_idx]
        keys[now] = key_states[:, :, 0].to(self.dtype)
        values[now] = value_states[:, :, 0].to(self.dtype)
        return keys[:n, :, :longest], values[:n, :, :longest]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Columns that the longest row had before this forward pass."""
        return self.longest - 1

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """Columns of the mask and the first of them."""
        return self.longest, 0

    def _own(self, slot: int, length: int) -> None:
        self.mask[slot, ..., :length] = 0
        self.mask[slot, ..., length:] = torch.finfo(self.mask.dtype).min
        self.places[slot] = length

    def _resize(self, slots: int, columns: int) -> None:
        had = self.mask.shape[3]
        if columns > had:
            had = columns + max(SPARE, columns // 4)
        self.keys = [_wider(tensor, (slots, tensor.shape[1], had, tensor.shape[3]), 0) for tensor in self.keys]
        self.values = [_wider(tensor, (slots, tensor.shape[1], had, tensor.shape[3]), 0) for tensor in self.values]
        self.mask = _wider(self.mask, (slots, 1, 1, had), torch.finfo(self.mask.dtype).min)
        self.places = _wider(self.places, (slots,), 0)


def _no_room(states: Tensor, dtype: torch.dtype) -> Tensor:
    """An empty tensor for states (B, H, T, D), without slots and columns."""
    return states.new_empty((0, states.shape[1], 0, states.shape[3]), dtype=dtype)


def _wider(old: Tensor, shape: tuple[int, ...], fill: float) -> Tensor:
    """The same values in a tensor of another shape. The rest is filled: the mask would not stop a NaN."""
    wide = old.new_full(shape, fill)
    both = tuple(slice(min(sizes)) for sizes in zip(old.shape, shape, strict=True))
    wide[both] = old[both]
    return wide
