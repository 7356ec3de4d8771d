"""Logits at chosen tokens only: a head over a vocabulary is the most expensive layer of a small network.

B batch, T tokens, N chosen ones, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from runner.engine.trial import REFUSES, remembered, trial
from runner.types import Inputs


def forward_at(network: Any, inputs: Inputs, where: Tensor, name: str = "logits") -> tuple[Tensor, Any]:
    """The logits (N, V) at the chosen tokens, and all outputs.

    Between body and head all other tokens are left out, if a trial shows that the head looks at each token by itself.

    Args:
        network: a PreTrainedModel whose output `name` is (B, T, V).
        inputs: its keyword arguments.
        where: (B, T) true at the chosen tokens.
        name: of the output.
    """
    if not _selects(network, name):
        outputs = network(**inputs)
        return outputs[name][where], outputs
    with _selected(network, where):
        outputs = network(**inputs)
    return outputs[name][0], outputs


@contextmanager
def _selected(network: Any, where: Tensor) -> Iterator[None]:
    """Within it the body hands only the chosen tokens on, as one row (1, N, H)."""

    def select(module: Any, arguments: Any, outputs: Any) -> Any:
        outputs.last_hidden_state = outputs.last_hidden_state[where][None]
        return outputs

    hook = network.base_model.register_forward_hook(select)
    try:
        yield
    finally:
        hook.remove()


def _selects(network: Any, name: str) -> bool:
    return remembered(network, ("selects", name), lambda: _try(network, name))


def _try(network: Any, name: str) -> bool:
    """Whether two of four tokens get the same logits alone as among the others."""
    if getattr(network, "base_model", network) is network:
        return False
    try:
        with trial(network):
            ids = torch.tensor([[1, 2], [2, 1]], device=network.device)
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            where = torch.tensor([[True, False], [False, True]], device=network.device)
            expected = network(**inputs)[name][where]
            with _selected(network, where):
                found = network(**inputs)[name]
        return found.shape[:2] == (1, 2) and torch.allclose(found[0], expected, atol=1e-4, rtol=1e-3)
    except REFUSES:
        return False
