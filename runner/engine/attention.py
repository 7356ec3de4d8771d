"""An attention function of ours in place of a network's own, for as long as a block of code runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import AttentionInterface


class Attending:
    """Within this context every layer of the network computes attention by `function`, as the library would call it.

    The library makes masks only for attention functions that it knows: `function` gets none, unless one of four
    dimensions is given to the network.
    """

    def __init__(self, network: Any, name: str, function: Callable[..., Any]):
        AttentionInterface.register(name, function)
        self.name = name
        self.configs = list({id(m.config): m.config for m in network.modules() if hasattr(m, "config")}.values())
        self.before: list[str | None] = []

    def __enter__(self) -> None:
        self.before = [config._attn_implementation for config in self.configs]
        for config in self.configs:
            config._attn_implementation = self.name

    def __exit__(self, *_: object) -> None:
        for config, implementation in zip(self.configs, self.before, strict=True):
            config._attn_implementation = implementation
