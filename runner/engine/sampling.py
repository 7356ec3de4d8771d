"""A random stream for every row, so that sampled texts do not depend on batches, order or resumption; V vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor
from transformers import LogitsProcessor

FEW = 4  # noise for one in so many tokens alone takes less than for all


def stream(seed: int, row: int, sequence: int, device: torch.device) -> Generator:
    """The random stream of one sequence of one row."""
    return Generator(device).manual_seed(stream_seed(seed, row, sequence))


def stream_seed(seed: int, row: int, sequence: int = 0) -> int:
    """A number of 63 bits that is unlike that of any neighbouring seed, row or sequence."""
    digest = hashlib.sha256(f"{seed}/{row}/{sequence}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def perturbed(scores: Tensor, generators: Sequence[Generator]) -> Tensor:
    """Scores (B, V) plus standard Gumbel noise, that of each row from its own generator.

    The argmax is a draw from the softmax of the scores (Gumbel 1954; Maddison et al. 2014). What is -inf stays so: on a
    processor, where top_p or top_k leave few tokens, no noise is made for the others; that of the few is the same.
    """
    # 53 random bits: with the 24 of float32 the smallest draws tie, which lets rare tokens win far too often
    uniform = torch.empty(scores.shape, dtype=torch.float64, device=scores.device)
    for line, generator in zip(uniform, generators, strict=True):
        line.uniform_(generator=generator)
    if scores.device.type == "cpu":
        possible = np.flatnonzero(scores.numpy() != -np.inf)
        if len(possible) < scores.numel() / FEW:
            made, at = scores.clone(memory_format=torch.contiguous_format), torch.from_numpy(possible)
            made.view(-1)[at] += _gumbel(uniform.view(-1)[at])
            return made
    return scores + _gumbel(uniform)


def _gumbel(uniform: Tensor) -> Tensor:
    """Standard Gumbel noise of uniform numbers of [0, 1), which are overwritten."""
    exponential = uniform.neg_().log1p_().neg_().float().clamp_(min=torch.finfo(torch.float32).tiny)
    return exponential.log_().neg_()


class GumbelChoice(LogitsProcessor):  # type: ignore[misc]
    """Makes the argmax of the scores (B, V) a random draw, each row from its own stream."""

    def __init__(self, generators: Sequence[Generator]):
        self.generators = generators

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores plus one draw of noise a row."""
        return perturbed(scores, self.generators)
