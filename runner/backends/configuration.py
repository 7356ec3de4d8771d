"""A model's configuration: as it is stored, or for random weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.backends.architectures import REMOTE_CODE
from runner.backends.options import check_known, passed
from runner.config import CheckpointConfig
from runner.errors import CheckpointError
from runner.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def stored_config(folder: Path, checkpoint: CheckpointConfig) -> PreTrainedConfig:
    """config.json with `checkpoint.options` set on it.

    Raises:
        CheckpointError: when a value, or the name of an option, is wrong.
    """
    from transformers import AutoConfig

    own = {name: value for name, value in checkpoint.options.items() if name not in passed(checkpoint.options)}
    arguments = {"trust_remote_code": checkpoint.trust_remote_code, "local_files_only": True}
    with quiet(), _values_told(f"checkpoint {folder}: config.json"):
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, **arguments)
    check_known(config, own, "checkpoint.options")
    if own:
        with quiet(), _values_told("checkpoint.options"):
            config = AutoConfig.from_pretrained(folder, **arguments, **own)
    return config


def random_config(architecture: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration of `checkpoint.architecture`; what it leaves out is the architecture's default.

    Raises:
        CheckpointError: when a name or a value is wrong.
    """
    from transformers import CONFIG_MAPPING

    options = {name: value for name, value in architecture.items() if name != "model_type"}
    kind = CONFIG_MAPPING[architecture["model_type"]]
    with quiet(), _values_told("checkpoint.architecture"):
        try:
            defaults = kind()
        except Exception:  # made of other configurations (encoder-decoder): none of its options has a default
            return kind(**copy.deepcopy(options))
        check_known(defaults, options, "checkpoint.architecture")
        return kind(**copy.deepcopy(options))


def fitted_to_tokenizer(config: PreTrainedConfig, tokenizer: Any, given: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration with the vocabulary's size and its special tokens, unless they were given."""
    fitted = copy.deepcopy(config)
    text = fitted.get_text_config()
    decided = {
        "vocab_size": vocabulary_size(tokenizer),
        "bos_token_id": _first(tokenizer.bos_token_id, tokenizer.cls_token_id),  # BERT's [CLS] begins a text
        "eos_token_id": _first(tokenizer.eos_token_id, tokenizer.sep_token_id),  # and [SEP] ends it
        "pad_token_id": tokenizer.pad_token_id,
    }
    for name, value in decided.items():
        if name not in given and hasattr(text, name):
            setattr(text, name, value)
    return fitted


def vocabulary_size(tokenizer: Any) -> int:
    """How many rows an embedding needs: the highest token id, plus one."""
    return max(tokenizer.get_vocab().values(), default=-1) + 1


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


@contextmanager
def _values_told(where: str) -> Iterator[None]:
    """Transformers checks values with errors of several kinds; their first lines say which value is wrong."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise CheckpointError(f"{where.split(': ')[0]} {REMOTE_CODE}") from error
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise CheckpointError(f"{where}: {' '.join(lines[:2])}") from error
