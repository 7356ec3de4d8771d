"""Texts of any length side by side in one row, without padding: attention stays inside each text.

All other layers see one long row; attention is computed for each run of texts of equal length. T tokens of all texts,
H heads, D head size, L tokens of a text, n texts of that length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from runner.engine.attention import Attending

NAME = "texts_side_by_side"
TRIAL = (4, 3, 3, 1)  # lengths of the trial's texts, tokens
AGREE = 1e-3  # of the logits' spread, in float32
_runs: ContextVar[list[tuple[int, int]] | None] = ContextVar("(length, texts) of the runs of equal length in the row")


def positions(lengths: Sequence[int]) -> list[int]:
    """The position of each token in its own text."""
    return [place for length in lengths for place in range(length)]


@contextmanager
def side_by_side(network: Any, lengths: Sequence[int]) -> Iterator[None]:
    """Within it the network's forward takes one row (1, T) of texts of these lengths, with their position_ids."""
    token = _runs.set([(length, len(list(same))) for length, same in groupby(lengths)])
    try:
        with Attending(network, NAME, attend):
            yield
    finally:
        _runs.reset(token)


@contextmanager
def one_text_a_row() -> Iterator[None]:
    """For trials inside of a training step: batches (B, T) without padding, in the weights' own precision."""
    token = _runs.set(None)
    try:
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        _runs.reset(token)


def within_rows(network: Any, lengths: Sequence[int] | None) -> AbstractContextManager[None]:
    """`side_by_side` for a row of several texts; nothing for a batch of one text a row."""
    return nullcontext() if lengths is None else side_by_side(network, lengths)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of each text over itself, (1, H, T, D) to (1, T, H, D): the library's attention function."""
    if attention_mask is not None:
        raise ValueError("texts side by side take no mask")
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    runs = _runs.get()
    if runs is None:
        alike = query.shape[1] == key.shape[1]
        out = scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, scale=scaling, is_causal=causal, enable_gqa=not alike
        )
        return out.transpose(1, 2), None
    sizes = [length * texts for length, texts in runs]
    parts = zip(runs, *(torch.split(states[0], sizes, dim=1) for states in (query, key, value)), strict=True)
    made = []
    for (length, texts), *states in parts:
        q, k, v = (part.unflatten(1, (texts, length)).transpose(0, 1) for part in states)  # (n, H, L, D)
        out = scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, scale=scaling, is_causal=causal, enable_gqa=q.shape[1] != k.shape[1]
        )
        made.append(out.transpose(1, 2).flatten(0, 1))  # (n * L, H, D)
    return torch.cat(made)[None], None


def why_not_side_by_side(network: Any) -> str | None:
    """Why the network cannot take its texts side by side; None when a trial with four short texts shows it can."""
    config = network.config
    if config.is_encoder_decoder:
        return "the network has an encoder"
    if any(type(layer) is not DynamicLayer for layer in DynamicCache(config=config).layers):
        return "its layers keep a window or a state"
    vocabulary = config.get_text_config(decoder=True).vocab_size
    ids = [[(7 * index + length) % vocabulary for index in range(length)] for length in TRIAL]
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            alone = torch.cat([_logits(network, text, range(len(text))) for text in ids])
            with side_by_side(network, TRIAL):
                together = _logits(network, [token for text in ids for token in text], positions(TRIAL))
    except (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, AssertionError) as error:
        return f"its forward pass refuses them ({type(error).__name__})"
    finally:
        network.train(training)
    if (together - alone).abs().max() > AGREE * float(alone.max() - alone.min()):
        return "its attention does not stay inside each text"
    return None


def _logits(network: Any, ids: Sequence[int], places: Sequence[int]) -> Tensor:
    """(T, V) of one row."""
    row, at = (torch.tensor([list(values)], device=network.device) for values in (ids, places))
    logits: Tensor = network(input_ids=row, position_ids=at, use_cache=False).logits[0].float()
    return logits
