"""Which Auto class fits which architecture, by transformers' own tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.errors import CheckpointError, ConfigError, nearest

REMOTE_CODE = "needs remote code; set checkpoint.trust_remote_code=true if you trust it"


@dataclass(frozen=True)
class Architectures:
    """transformers' tables, by name."""

    types: frozenset[str]  # every model_type
    fits: Mapping[str, frozenset[str]]  # Auto class -> the model types that it makes


def check_fit(where: str, config: Mapping[str, Any], auto_class: str, trusted: bool) -> None:
    """Whether the class can make a model of this config.json.

    Raises:
        CheckpointError: naming what fits instead, or that the checkpoint brings its own code.
        ConfigError: when transformers has no such class.
    """
    model_type, own_code = config.get("model_type"), config.get("auto_map") or {}
    if isinstance(model_type, str) and listed(model_type, auto_class):
        return
    tables = imported_tables()  # nothing is refused on the word of the source alone
    if auto_class not in tables.fits:
        near = nearest(auto_class, list(tables.fits))
        raise ConfigError(f"task.auto_class  {auto_class} is no class of transformers; {near}")
    if model_type in tables.fits[auto_class]:
        return
    if auto_class in own_code or (own_code and model_type not in tables.types):
        if not trusted:
            raise CheckpointError(f"{where} {REMOTE_CODE}")
        return
    if not isinstance(model_type, str):
        raise CheckpointError(f"{where}: config.json names no model_type, e.g. gpt2")
    if model_type not in tables.types:
        near = nearest(model_type, sorted(tables.types))
        raise CheckpointError(f"{where}: this transformers knows no model_type {model_type}; {near}")
    raise CheckpointError(
        f"{where}: architecture {model_type} is not {in_words(auto_class)} ({auto_class}); "
        f"it fits: {_fitting(model_type, tables)}"
    )


def listed(model_type: str, auto_class: str) -> bool:
    """Whether the source of the installed transformers lists the model type for that class, without importing it.

    A look at the text takes milliseconds, the import takes torch with it (3 s): too long for a run that is already
    done. What is not found this way is asked of the imported tables.
    """
    spec = find_spec("transformers")
    assert spec is not None and spec.origin is not None, "transformers is not installed"
    source = (Path(spec.origin).parent / "models" / "auto" / "modeling_auto.py").read_text(encoding="utf-8")
    made = re.search(rf"^class {re.escape(auto_class)}\(.*?^    _model_mapping = (\w+)$", source, re.S | re.M)
    if made is None:
        return False
    table = re.search(rf"^{made[1]}_NAMES = OrderedDict\($.*?^\)$", source, re.S | re.M)
    return table is not None and f'("{model_type}",' in table[0]


@cache
def imported_tables() -> Architectures:
    """The tables of the imported transformers."""
    from transformers.models.auto import configuration_auto, modeling_auto

    classes = {name: getattr(modeling_auto, name) for name in dir(modeling_auto) if name.startswith("Auto")}
    mappings = {name: getattr(found, "_model_mapping", None) for name, found in classes.items()}
    return Architectures(
        types=frozenset(vars(configuration_auto)["CONFIG_MAPPING_NAMES"]),
        fits={name: frozenset(mapping._model_mapping) for name, mapping in mappings.items() if mapping is not None},
    )


def in_words(auto_class: str) -> str:
    """AutoModelForCausalLM: a causal LM; AutoModelForImageClassification: made for image classification.

    Seq2Seq is one word.
    """
    words = re.findall(
        r"[A-Z]{2,}(?![a-z])|[A-Z][a-z]*(?:\d[A-Z][a-z]*)?", auto_class.removeprefix("AutoModel").removeprefix("For")
    )
    text = " ".join(word if word.isupper() else word.lower() for word in words)
    return f"a {text}" if text.endswith("LM") else f"made for {text or 'this class'}"


def _fitting(model_type: str, tables: Architectures) -> str:
    names = sorted(name for name, types in tables.fits.items() if model_type in types)
    shown = [name for name in names if name not in ("AutoModel", "AutoModelForPreTraining")] or names or ["no class"]
    return ", ".join(shown[:6]) + (", ..." if len(shown) > 6 else "")
