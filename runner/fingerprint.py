"""Which options determine the result of a run, and the name that they make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from runner.config import Config, plain

FREE: dict[str, set[str] | None] = {  # options that never determine the result; None: the option itself
    "rerun": None,
    "output_dir": None,
    "name": None,
    "data": {"on_bad_row", "on_long_row"},  # rows that they left out or cut are told apart in predictions.jsonl
    "train": {"log_every"},
}
SUMS = (("engine", "threads"), ("engine", "batch_tokens"), ("data", "window_rows"))  # the order in which they are made
HELD = (("engine", "slots"), ("engine", "memory_mb"))  # rows that are decoded together


def fingerprint(config: Config) -> str:
    """Eight hexadecimal digits that change with anything that determines the result.

    Null options are left out, so that an option added later with a neutral default keeps old fingerprints valid.
    """
    text = json.dumps(_without_none(determining(config)), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def determining(config: Config) -> dict[str, Any]:
    """The options that determine the result, a mode that is null as what it comes to.

    In float32 a generated text is the same however the work is done. The digits of a likelihood, and with them the
    weights that training leaves, follow the order of the sums; in a shorter dtype all results do.
    """
    values = plain(config) | {"mode": "evaluate" if config.evaluates else "predict"}
    sums = config.trains or not config.generates or config.rounds
    unseen = [*(() if sums else SUMS), *(() if config.rounds else HELD)]
    for section, names in FREE.items():
        if names is None:
            del values[section]
        else:
            unseen += [(section, name) for name in names]
    for section, name in unseen:
        del values[section][name]
    if config.train.method != "lora":
        del values["train"]["lora"]
    if not config.train.frozen_layers:
        del values["train"]["frozen_layers"]
    for section, used in (("train", config.trains), ("decode", config.generates)):
        if not used:
            del values[section]
    return values


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list | tuple) else value
