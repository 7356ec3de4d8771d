"""Two-layer random models and prompts for the engine's tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MambaConfig,
    OPTConfig,
    PreTrainedConfig,
)

from runner.config import EngineConfig
from runner.decode import DecodeConfig
from runner.engine.decoding import Completion, Order, Request, decode_all

V, CONTEXT, END = 53, 64, 1
COMMON: dict[str, Any] = {"vocab_size": V, "bos_token_id": 0, "eos_token_id": END}
SIZES: dict[str, Any] = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4}
HEADS: dict[str, Any] = {**SIZES, "intermediate_size": 64, "max_position_embeddings": CONTEXT, "initializer_range": 0.5}
CONFIGS: dict[str, PreTrainedConfig] = {
    "gpt2": GPT2Config(n_layer=2, n_embd=32, n_head=4, n_positions=CONTEXT, initializer_range=0.5, **COMMON),
    "llama": LlamaConfig(num_key_value_heads=2, **HEADS, **COMMON),
    "gpt_neox": GPTNeoXConfig(**HEADS, **COMMON),
    "opt": OPTConfig(
        **SIZES,
        ffn_dim=64,
        word_embed_proj_dim=32,
        max_position_embeddings=CONTEXT,
        init_std=0.5,
        pad_token_id=2,
        **COMMON,
    ),
    "gemma2": Gemma2Config(num_key_value_heads=2, head_dim=8, sliding_window=8, **HEADS, **COMMON),
    "mamba": MambaConfig(num_hidden_layers=2, hidden_size=32, initializer_range=0.5, **COMMON),
    "bart": BartConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=CONTEXT,
        init_std=0.5,
        pad_token_id=2,
        decoder_start_token_id=END,
        forced_eos_token_id=None,
        **COMMON,
    ),
}


@dataclass
class Tiny:
    """A model of two layers."""

    network: Any
    processor: Any
    config: Any
    name: str
    context: int | None
    assistant: Tiny | None = None


def tiny(kind: str, seed: int = 0) -> Tiny:
    torch.manual_seed(seed)
    config = CONFIGS[kind]
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return Tiny(auto.from_config(config).eval(), None, config, kind, None if kind == "mamba" else CONTEXT)


def prompts(count: int = 12, seed: int = 0, longest: int = 40) -> list[Request]:
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=random).tolist()
    return [Request(i, torch.randint(3, V, (length,), generator=random).tolist()) for i, length in enumerate(lengths)]


def decoded(
    model: Tiny,
    requests: list[Request],
    decode: DecodeConfig,
    seed: int = 0,
    said: list[str] | None = None,
    **engine: Any,
) -> dict[int, Completion]:
    """Completions by row."""
    say = [].append if said is None else said.append
    window = engine.pop("window", 256)
    found = list(decode_all(model, requests, Order(decode, EngineConfig(**engine), seed, window, say)))
    assert len(found) == len({one.row for one in found})
    return {one.row: one for one in found}


def alone(model: Tiny, request: Request, **options: Any) -> list[int]:
    """What the library's generate makes of one prompt."""
    ids = torch.tensor([request.ids])
    options.setdefault("do_sample", False)
    made = model.network.generate(ids, attention_mask=torch.ones_like(ids), **options)[0].tolist()
    return made[1:] if model.config.is_encoder_decoder else made[len(request.ids) :]
