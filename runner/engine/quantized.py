"""Linear layers in whole numbers of 8 bits: faster on a processor, and no longer the same network."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from runner.engine.trial import forget
from runner.errors import ConfigError


def int8(network: Any) -> Any:
    """A copy whose linear layers hold their weights in 8 bits and round what goes into them (dynamic quantization).

    Raises:
        ConfigError: the network has no linear layer, or this torch does not quantize.
    """
    if not any(isinstance(module, nn.Linear) for module in network.modules()):
        raise ConfigError(f"engine.quantize  {type(network).__name__} has no linear layer")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it will move to another package
            small = torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    except (AttributeError, RuntimeError) as error:
        raise ConfigError(f"engine.quantize  does not work here: {str(error).splitlines()[0]}") from error
    forget(small)
    return small
