"""Tokens hidden for a masked language model to find again; B batch, T tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from runner.types import IGNORED, Inputs, Model

if TYPE_CHECKING:
    from runner.teach.masked import Masked

SPAN, LONGEST = 0.2, 10  # Joshi 2020, 3.1: lengths are geometric with p = 0.2, cut at 10


def hide(model: Model, inputs: Inputs, how: Masked, generator: Generator) -> Inputs:
    """The inputs with labels, and without `words`.

    Args:
        model: its tokenizer knows the mask token; its vocabulary gives the tokens that are put in at random.
        inputs: input_ids (B, T) and words (B, T), -1 where nothing may be hidden.
        how: the share of tokens, what is hidden together, and what stands in their place.
        generator: all that is drawn comes from it.
    """
    ids, words = inputs["input_ids"], inputs["words"]
    hidden = _chosen(words, how, generator)
    if not bool(hidden.any()):  # a batch without a hidden token teaches nothing
        hidden = _any(words)
    labels = ids.masked_fill(~hidden, IGNORED)
    draw = torch.rand(ids.shape, generator=generator)
    masked = ids.clone()
    masked[hidden & (draw >= how.keep + how.swap)] = model.processor.mask_token_id
    swapped = hidden & (draw >= how.keep) & (draw < how.keep + how.swap)
    others = torch.randint(len(model.processor), ids.shape, generator=generator)
    masked[swapped] = others[swapped]
    kept = {name: value for name, value in inputs.items() if name not in ("words", "labels")}
    return kept | {"input_ids": masked, "labels": labels}


def _chosen(words: Tensor, how: Masked, generator: Generator) -> Tensor:
    """(B, T) true at the tokens to hide."""
    if how.unit == "span":
        return _spans(words, how.share, generator)
    draw = torch.rand(words.shape, generator=generator)
    if how.unit == "word":  # all tokens of a word share its first draw
        first = torch.ones_like(words, dtype=torch.bool)
        first[:, 1:] = words[:, 1:] != words[:, :-1]
        places = torch.arange(words.shape[1]).expand_as(words)
        draw = draw.gather(1, places.masked_fill(~first, 0).cummax(1).values)
    return (draw < how.share) & (words >= 0)


def _spans(words: Tensor, share: float, generator: Generator) -> Tensor:
    """Stretches of whole words, until the share of each row is reached."""
    hidden = torch.zeros_like(words, dtype=torch.bool)
    for row, line in zip(words, hidden, strict=True):
        places = (row >= 0).nonzero().flatten()
        budget = round(share * len(places))
        while len(places) and int(line.sum()) < budget:
            draw: Any = torch.rand(2, generator=generator)
            length = min(1 + int(torch.log(1 - draw[0]) / torch.log(torch.tensor(1 - SPAN))), LONGEST)
            start = int(places[int(draw[1] * len(places))])
            count = min(length, budget - int(line.sum()))
            stretch = (row >= row[start]) & (row < row[start] + count)
            line |= stretch & (row >= 0)
    return hidden


def _any(words: Tensor) -> Tensor:
    """The first token that may be hidden."""
    first = torch.zeros_like(words, dtype=torch.bool)
    where = (words >= 0).nonzero()
    if len(where):
        first[tuple(where[0])] = True
    return first
