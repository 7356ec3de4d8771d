"""A few tokens through a network, to see what it can do instead of keeping a list of names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

REFUSES = (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, AssertionError)  # in its forward


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
