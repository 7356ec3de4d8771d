"""A checkpoint as a torch network: every weight accounted for, on its device, in its precision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from runner.backends.adapter import merged
from runner.backends.checkpoint import Source
from runner.backends.complete import check_complete, replaceable
from runner.backends.configuration import fitted_to_tokenizer, vocabulary_size
from runner.backends.options import passed
from runner.backends.processor import load_processor, tokenizer_of
from runner.backends.told import told
from runner.backends.weights import has_safetensors
from runner.config import CheckpointConfig, EngineConfig
from runner.engine.prefill import Prefilled
from runner.errors import CheckpointError, ConfigError
from runner.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CONTEXT = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "n_ctx")


@dataclass
class TorchModel:
    """A loaded checkpoint."""

    name: str
    network: Any
    processor: Any
    config: Any
    parameters: int
    context: int | None  # tokens in the longest sequence; None: unbounded
    commit: str | None = None  # of a hub id
    random_weights: list[str] = field(default_factory=list)  # names of newly initialised weights
    unused_weights: list[str] = field(default_factory=list)  # names in the checkpoint that the network has no place for
    assistant: TorchModel | None = None  # drafts tokens that this one checks
    prefilled: Prefilled | None = None  # prompts of earlier runs, where the checkpoint is kept for further ones


def load(
    source: Source,
    checkpoint: CheckpointConfig,
    auto_class: str,
    processor_class: str,
    engine: EngineConfig,
    seed: int,
    allow_new_weights: bool = False,
) -> TorchModel:
    """The network in evaluation mode, with its processor. `engine.dtype` must be concrete by now, not auto.

    The seed decides weights that are not in the checkpoint; the global random state is left as it was.

    Raises:
        CheckpointError: when weights are missing (unless `allow_new_weights`), of another shape, or damaged, or
            the processor does not belong to the network.
        ConfigError: when there is no such device.
    """
    assert engine.dtype in DTYPES, f"engine.dtype={engine.dtype} is made concrete before a checkpoint is loaded"
    device = device_of(engine)
    processor = load_processor(source, checkpoint, processor_class)
    config = _config(source, checkpoint, processor)
    with quiet(), torch.random.fork_rng(devices=[]), told(source, engine):
        torch.manual_seed(seed)
        if source.folder is None:
            network, found = _random(config, auto_class, engine)
        else:
            network, found = _stored(source, checkpoint, config, auto_class, engine)
    if source.folder is not None:
        other = replaceable(checkpoint.options) if allow_new_weights else "none"
        check_complete(f"checkpoint {source.folder}", network, found, allow_new_weights, other)
    _check_embedding(source, network, processor)
    if "device_map" not in checkpoint.options:
        network.to(device)
    network.eval()
    return TorchModel(
        name=source.name,
        network=network,
        processor=processor,
        config=network.config,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        context=_context(network),
        commit=source.commit,
        random_weights=sorted({*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])}),
        unused_weights=sorted(found["unexpected_keys"]),
    )


def device_of(engine: EngineConfig) -> torch.device:
    """The device that `engine.device` names; auto is the first GPU, if there is one.

    Raises:
        ConfigError: when torch knows no such device, or none is there.
    """
    if engine.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(engine.device)
    except RuntimeError as error:
        raise ConfigError(f"engine.device  must be auto, cpu, cuda, cuda:1 ..., but got {engine.device}") from error
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(f"engine.device  is {engine.device}, but torch sees {count} CUDA devices here")
    return device


def _config(source: Source, checkpoint: CheckpointConfig, processor: Any) -> PreTrainedConfig:
    """The configuration that the network is built from, its vocabulary compared with the tokenizer's."""
    tokenizer = tokenizer_of(processor)
    config = source.config
    if tokenizer is None:
        return config
    if source.folder is None:
        config = fitted_to_tokenizer(config, tokenizer, checkpoint.architecture or {})
    places = getattr(config.get_text_config(), "vocab_size", None)
    if isinstance(places, int):
        _check_sizes(source, vocabulary_size(tokenizer), places)
    return config


def _random(config: PreTrainedConfig, auto_class: str, engine: EngineConfig) -> tuple[Any, dict[str, Any]]:
    """Drawn in float32, so that a seed means the same weights in every precision."""
    import transformers

    attention = {} if engine.attention is None else {"attn_implementation": engine.attention}
    network = getattr(transformers, auto_class).from_config(config, trust_remote_code=False, **attention)
    names = [name for name, _ in network.named_parameters()]
    return network.to(DTYPES[engine.dtype]), {"missing_keys": names, "mismatched_keys": [], "unexpected_keys": []}


def _stored(
    source: Source, checkpoint: CheckpointConfig, config: PreTrainedConfig, auto_class: str, engine: EngineConfig
) -> tuple[Any, dict[str, Any]]:
    """Shapes that do not fit are let through here, to be told with both sizes by `check_complete`.

    An adapter is merged in float32, whatever the precision asked for.
    """
    import transformers

    assert source.folder is not None
    arguments = passed(checkpoint.options) | {"ignore_mismatched_sizes": True}
    if engine.attention is not None:
        arguments["attn_implementation"] = engine.attention
    network, found = getattr(transformers, auto_class).from_pretrained(
        source.folder,
        config=config,
        dtype=DTYPES[engine.dtype] if source.adapter is None else torch.float32,
        trust_remote_code=checkpoint.trust_remote_code,
        use_safetensors=has_safetensors(source.folder),
        weights_only=True,
        local_files_only=True,
        output_loading_info=True,
        **arguments,
    )
    if source.adapter is None:
        return network, found
    network, replaced = merged(network, source.adapter)
    found["missing_keys"] = set(found["missing_keys"]) - replaced
    found["mismatched_keys"] = [entry for entry in found["mismatched_keys"] if entry[0] not in replaced]
    return network.to(DTYPES[engine.dtype]), found


def _check_embedding(source: Source, network: Any, processor: Any) -> None:
    """For configurations that name no vocab_size: the embedding itself."""
    tokenizer = tokenizer_of(processor)
    if tokenizer is None:
        return
    try:
        embedding = network.get_input_embeddings()
    except NotImplementedError:  # speech and vision networks may have none
        return
    if isinstance(embedding, torch.nn.Embedding):
        _check_sizes(source, vocabulary_size(tokenizer), embedding.num_embeddings)


def _check_sizes(source: Source, entries: int, places: int) -> None:
    if entries > places:
        raise CheckpointError(
            f"checkpoint {source.name}: its tokenizer ({source.tokenizer_source}) has {entries} entries, "
            f"the model's embedding {places}"
        )


def _context(network: Any) -> int | None:
    """Positions that the network has; relative ones have no end."""
    config = network.config.get_text_config()
    if getattr(config, "relative_attention_num_buckets", None) or getattr(config, "alibi", False):
        return None
    length = next((n for n in (getattr(config, name, None) for name in CONTEXT) if isinstance(n, int) and n > 0), None)
    for name, module in network.named_modules():  # RoBERTa and its kin count positions from padding_idx + 1
        if length and name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return min(length, int(module.num_embeddings) - int(module.padding_idx) - 1)
    return length
