"""`checkpoint.options`: further arguments of from_pretrained, apart from those that have a place of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.errors import CheckpointError, nearest

OWN_PLACE = {  # argument: where it is set instead
    "trust_remote_code": "set checkpoint.trust_remote_code",
    "revision": "set checkpoint.revision",
    "code_revision": "set checkpoint.revision",
    "config": "set the configuration's options one by one, or checkpoint.architecture",
    "dtype": "set engine.dtype",
    "torch_dtype": "set engine.dtype",
    "device": "set engine.device",
    "attn_implementation": "set engine.attention",
    "token": "set HF_TOKEN in the environment",
    "use_auth_token": "set HF_TOKEN in the environment",
    "cache_dir": "set HF_HOME in the environment",
    "local_files_only": "set HF_HUB_OFFLINE=1 in the environment",
    "proxies": "set HTTPS_PROXY in the environment",
    "subfolder": "give the subfolder itself as checkpoint.name_or_path",
    "weights_only": "weights are never loaded in any other way",
    "pickle_module": "weights are never loaded by pickle",
    "use_safetensors": "safetensors are used wherever there are any",
    "output_loading_info": "it is always used",
    "return_unused_kwargs": "it cannot be used here",
    "state_dict": "it cannot be used here",
    "force_download": "remove the folder from the cache",
    "variant": "it cannot be used here",
    "gguf_file": "it cannot be used here",
    "offload_folder": "nothing is written outside the run directory",
    "offload_buffers": "nothing is written outside the run directory",
    "adapter_kwargs": "it cannot be used here",
    "model_type": "it belongs to the checkpoint",
    "auto_map": "it belongs to the checkpoint",
}
PASSED = frozenset(  # arguments of from_pretrained that are no options of a configuration
    [
        "ignore_mismatched_sizes",
        "key_mapping",
        "device_map",
        "max_memory",
        "quantization_config",
        "experts_implementation",
    ]
)
UNTRAINED = frozenset(["ignore_mismatched_sizes", "key_mapping"])  # for the weights that training begins with


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that would contradict others.

    Raises:
        CheckpointError: naming where each is set instead.
    """
    wrong = [f"checkpoint.options.{name} is not set here: {OWN_PLACE[name]}" for name in options if name in OWN_PLACE]
    wrong += [f"checkpoint.options.{name}: no such option" for name in options if name.startswith("_")]
    if wrong:
        raise CheckpointError("; ".join(wrong))


def passed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that from_pretrained takes itself; the others belong to the configuration."""
    return {name: value for name, value in options.items() if name in PASSED}


def check_known(config: Any, options: Mapping[str, Any], where: str) -> None:
    """Refuse options that the configuration (a class' default instance) does not have.

    Raises:
        CheckpointError: naming the nearest.
    """
    known = {*config.to_dict(), *getattr(config, "attribute_map", {}), "num_labels", *vars(config)}
    wrong = [
        f"{where}.{name}: {type(config).__name__} has no such option; "
        f"{nearest(name, sorted(n for n in known if not n.startswith('_')))}"
        for name in options
        if name not in known
    ]
    if wrong:
        raise CheckpointError("; ".join(wrong))


def of_trained(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that apply to the checkpoint that training leaves: its weights fit, and have their own names."""
    return {name: value for name, value in options.items() if name not in UNTRAINED}
