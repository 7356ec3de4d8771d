"""A random stream for every row, so that sampled texts do not depend on batches, order or resumption; V vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from transformers import LogitsProcessor


def stream(seed: int, row: int, sequence: int, device: torch.device) -> Generator:
    """The random stream of one sequence of one row."""
    return Generator(device).manual_seed(stream_seed(seed, row, sequence))


def stream_seed(seed: int, row: int, sequence: int = 0) -> int:
    """A number of 63 bits that is unlike that of any neighbouring seed, row or sequence."""
    digest = hashlib.sha256(f"{seed}/{row}/{sequence}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def gumbel(generators: Sequence[Generator], vocabulary: int, device: torch.device) -> Tensor:
    """Standard Gumbel noise (B, V), one row drawn from each generator.

    The argmax of logits plus this noise is a draw from their softmax (Gumbel 1954; Maddison et al. 2014).
    """
    # 53 random bits: with the 24 of float32 the smallest draws tie, which lets rare tokens win far too often
    uniform = torch.empty(len(generators), vocabulary, dtype=torch.float64, device=device)
    for line, generator in zip(uniform, generators, strict=True):
        line.uniform_(generator=generator)
    exponential = uniform.neg_().log1p_().neg_().float().clamp_(min=torch.finfo(torch.float32).tiny)
    return exponential.log_().neg_()


class GumbelChoice(LogitsProcessor):  # type: ignore[misc]
    """Makes the argmax of the scores (B, V) a random draw, each row from its own stream."""

    def __init__(self, generators: Sequence[Generator]):
        self.generators = generators

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores plus one draw of noise a row."""
        return scores + gumbel(self.generators, scores.shape[-1], scores.device)
