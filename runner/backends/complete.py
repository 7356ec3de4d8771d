"""Whether every weight of a network came from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.errors import CheckpointError


def check_complete(where: str, network: Any, found: Mapping[str, Any], new: bool, resized: bool) -> None:
    """Compare what from_pretrained found with what the network has; `found` is its loading info.

    Args:
        where: begins the messages.
        network: a PreTrainedModel.
        found: missing_keys, mismatched_keys (name, stored shape, built shape) and unexpected_keys.
        new: weights may be missing, for training will make them; but not all of them.
        resized: with `new`, weights of another shape are replaced by new ones.

    Raises:
        CheckpointError: naming both shapes, or the missing weights.
    """
    mismatched = sorted(found["mismatched_keys"])
    if mismatched and not (new and resized):
        name, stored, built = mismatched[0]
        more = f", and {len(mismatched) - 1} more" if len(mismatched) > 1 else ""
        raise CheckpointError(
            f"{where}: {name} is {_shape(stored)} in the checkpoint, but {_shape(built)} in its configuration{more}"
        )
    weights = _distinct(network)
    missing, count = sorted(weights & set(found["missing_keys"])), len(weights)
    if missing and (not new or len(missing) >= count):
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise CheckpointError(
            f"{where}: {len(missing)} of {count} weights of this model are not in the checkpoint: {shown}"
        )


def _distinct(network: Any) -> set[str]:
    """The names of a network's weights; of weights that are tied, the first."""
    first: dict[Any, str] = {}
    for name, tensor in network.state_dict().items():
        first.setdefault((tensor.data_ptr(), tensor.shape) if tensor.data_ptr() else name, name)
    return set(first.values())


def _shape(shape: Any) -> str:
    return " x ".join(str(size) for size in shape) or "a single number"
