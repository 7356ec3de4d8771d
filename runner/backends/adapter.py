"""An adapter: a few trained weights in a folder of their own, beside the checkpoint that they were trained on."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.backends import files
from runner.backends.places import embedded_names
from runner.backends.weights import check_weights
from runner.errors import CheckpointError, ConfigError

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
NAME = "default"  # peft's own, for a network with one adapter
KINDS = {  # peft's task_type: the class of transformers that such an adapter is put on
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "FEATURE_EXTRACTION": "AutoModel",
}
MISFIT = re.compile(r"size mismatch for (\S+): .*torch\.Size\(\[(.*?)\]\).*torch\.Size\(\[(.*?)\]\)")


@dataclass(frozen=True)
class Adapter:
    """What adapter_config.json says of the checkpoint below."""

    where: str  # begins the messages
    folder: Path
    base: str  # an embedded name, a folder, or a hub id
    revision: str | None  # of a hub id
    network_class: str | None  # the class of the network that it was trained on; None: not told

    @property
    def config_folder(self) -> Path | None:
        """Where the configuration of the adapted network lies; None: it is that of the base."""
        return self.folder if (self.folder / "config.json").is_file() else None

    def files(self) -> list[Path]:
        """The files that determine the adapter, its weights checked.

        Raises:
            CheckpointError: when they are missing or damaged.
        """
        weights = next((self.folder / name for name in WEIGHTS if (self.folder / name).is_file()), None)
        if weights is None:
            raise CheckpointError(f"{self.where} has no {WEIGHTS[0]}; {files.holds(self.folder)}")
        check_weights(self.folder, weights)
        own = [self.folder / CONFIG, weights]
        return own if self.config_folder is None else [*own, self.folder / "config.json"]


def read_adapter(folder: Path, where: str, auto_class: str) -> Adapter:
    """What lies in a folder with an adapter_config.json; nothing heavy is imported.

    Raises:
        CheckpointError: when it names no base, or was made for another class than `auto_class`.
    """
    values = files.read_object(folder / CONFIG, where)
    base, kind, trained = values.get("base_model_name_or_path"), values.get("task_type"), values.get("auto_mapping")
    if not isinstance(base, str) or not base:
        raise CheckpointError(f"{where}: {CONFIG} names no base: set its base_model_name_or_path")
    if kind in KINDS and auto_class != KINDS[kind]:
        raise CheckpointError(f"{where} is an adapter of {KINDS[kind]}, but the task loads {auto_class}")
    if base not in embedded_names() and os.path.isdir(folder / base):
        base = str(folder / base)
    revision = values.get("revision")
    network_class = trained.get("base_model_class") if isinstance(trained, dict) else None
    return Adapter(where, folder, base, None if os.path.isdir(base) else revision, network_class)


def imported_peft() -> Any:
    """The package peft.

    Raises:
        ConfigError: when it is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise ConfigError(f"adapters  need the package peft ({error}): pip install peft") from error
    return peft


def merged(network: Any, adapter: Adapter) -> tuple[Any, set[str]]:
    """The network with the adapter's weights merged into its own, and the names of those that the adapter replaces.

    Raises:
        CheckpointError: when the adapter does not belong to this network, or cannot be merged.
    """
    peft, where, made = imported_peft(), adapter.where, type(network).__name__
    if adapter.network_class not in (None, made):
        raise CheckpointError(f"{where} is an adapter of {adapter.network_class}, but the task loads {made}")
    try:
        config = peft.PeftConfig.from_pretrained(str(adapter.folder))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{where}: {CONFIG} cannot be read: {_first(error)}") from error
    if config.is_prompt_learning:
        raise CheckpointError(f"{where} is a {config.peft_type.value} adapter, which has no weights to merge")
    try:
        adapted = peft.PeftModel(network, config, NAME)
        found = adapted.load_adapter(str(adapter.folder), NAME)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{where} does not fit its base ({made}): {_misfit(error)}") from error
    for names, what in ((found.missing_keys, "lacks"), (found.unexpected_keys, "holds weights without a place,")):
        if names:
            more = f", and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(f"{where} does not fit its base ({made}): it {what} {names[0]}{more}")
    replaced = _replaced(network)
    merged = adapted.merge_and_unload()
    return merged.requires_grad_(True), replaced  # peft had frozen what lies below its matrices


def save_adapter(network: Any, base: str, commit: str | None, folder: Path) -> None:
    """The adapter of a network as peft stores one, beside the network's configuration."""
    from safetensors.torch import save_file

    peft = imported_peft()
    config = network.peft_config[NAME]
    config.base_model_name_or_path, config.revision, config.inference_mode = base, commit, True
    folder.mkdir(parents=True)
    weights = peft.get_peft_model_state_dict(network, save_embedding_layers=False)  # "auto" would ask the hub
    stored = {f"base_model.model.{name}": tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    save_file(stored, folder / WEIGHTS[0], metadata={"format": "pt"})
    made = type(network)
    config.save_pretrained(
        folder, auto_mapping_dict={"base_model_class": made.__name__, "parent_library": made.__module__}
    )
    network.config.architectures = [made.__name__]
    network.config.save_pretrained(folder)


def _replaced(network: Any) -> set[str]:
    """Names of the weights that an adapter brings whole, such as those of a head."""
    from peft.utils import ModulesToSaveWrapper

    wrapped = [(name, module) for name, module in network.named_modules() if isinstance(module, ModulesToSaveWrapper)]
    return {f"{name}.{weight}" for name, module in wrapped for weight in module.original_module.state_dict()}


def _misfit(error: Exception) -> str:
    """The first weight of another shape, else the error's first line."""
    found = MISFIT.search(str(error))
    if found is None:
        return f"it lacks {error.args[0]}" if isinstance(error, KeyError) else _first(error)
    stored, built = (" x ".join(shape.split(", ")) for shape in found.groups()[1:])
    name = found[1].removeprefix("base_model.model.").replace(f".modules_to_save.{NAME}", "").replace(f".{NAME}.", ".")
    remedy = "; checkpoint.options.num_labels decides the labels" if "modules_to_save" in found[1] else ""
    return f"{name} is {stored} in the adapter, but {built} in the network{remedy}"


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
