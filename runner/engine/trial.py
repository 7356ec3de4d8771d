"""A few tokens through a network, to see what it can do instead of keeping a list of names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")
KNOWN = "_runner_tried"  # where outcomes are remembered, on the network
REFUSES = (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, AssertionError)  # in its forward


def remembered(network: Any, what: Hashable, find: Callable[[], T]) -> T:
    """What a trial of this network has found before in the same precision, else what it finds now."""
    known: dict[Hashable, Any] = network.__dict__.setdefault(KNOWN, {})
    key = (what, network.dtype)
    if key not in known:
        known[key] = find()
    found: T = known[key]
    return found


def forget(network: Any) -> None:
    """What was found out about a network does not hold for a copy whose layers are others."""
    network.__dict__.pop(KNOWN, None)


@contextmanager
def trial(network: Any) -> Iterator[None]:
    """Within it the network is in evaluation mode, without gradients and in the precision of its weights."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad(), torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        network.train(training)
