"""Models and workloads of the benchmarks: random weights, fixed seeds."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

SIZES = {  # GPT-2 configurations
    "6M": {"n_layer": 6, "n_embd": 256, "n_head": 8, "n_positions": 1024, "vocab_size": 6819},
    "124M": {"n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024, "vocab_size": 50257},
}


def half_pays() -> bool:
    """Whether this processor has units for bfloat16: it makes products of matrices faster, not slower."""
    import torch

    from runner.engine.probe import _product_s

    device = torch.device("cpu")
    return min(_product_s(torch.bfloat16, device, 512) for _ in range(5)) < _product_s(torch.float32, device, 512)


def model(size: str, dtype: str = "float32") -> SimpleNamespace:
    """A runner.types.Model of random weights that never ends a text by itself."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    network = GPT2LMHeadModel(GPT2Config(bos_token_id=2, eos_token_id=None, pad_token_id=0, **SIZES[size])).eval()
    network.generation_config.eos_token_id = None
    network.to(getattr(torch, dtype))
    return SimpleNamespace(network=network, processor=None, config=network.config, name=size, context=1024)


def prompts(count: int, vocabulary: int, longest: int = 500, most: int = 250) -> list[tuple[list[int], int]]:
    """Prompts of 10 to `longest` tokens with 5 to `most` tokens to write, lengths log-uniform."""
    draw = random.Random(0)

    def between(low: int, high: int) -> int:
        return round(low * (high / low) ** draw.random())

    return [
        ([draw.randrange(5, vocabulary) for _ in range(between(10, longest))], between(5, most)) for _ in range(count)
    ]


def folder(size: str, at: Path, vocabulary: Path) -> Path:
    """The same as a checkpoint folder with a character tokenizer."""
    from transformers import BertTokenizer

    made = model(size)
    made.network.config.eos_token_id = made.network.generation_config.eos_token_id = 3
    made.network.save_pretrained(at)
    words = {line.rstrip("\n"): i for i, line in enumerate(vocabulary.open(encoding="utf-8"))}
    BertTokenizer(vocab=words, do_lower_case=False).save_pretrained(at)
    return at
