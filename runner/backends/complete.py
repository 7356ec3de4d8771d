"""Whether every weight of a network came from its checkpoint, and which may be new."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from runner.errors import CheckpointError

LABELS = ("num_labels", "id2label")  # options that decide the shape of a head


def replaceable(options: Mapping[str, Any]) -> str:
    """Which weights of another shape training replaces by new ones, by checkpoint.options: none, head or all."""
    if options.get("ignore_mismatched_sizes"):
        return "all"
    return "head" if any(name in options for name in LABELS) else "none"


def check_complete(where: str, network: Any, found: Mapping[str, Any], new: bool, other: str) -> None:
    """Compare what from_pretrained found with what the network has; `found` is its loading info.

    Args:
        where: begins the messages.
        network: a PreTrainedModel.
        found: missing_keys, mismatched_keys (name, stored shape, built shape) and unexpected_keys.
        new: weights may be missing, for training will make them; but not all of them. Else only a head or a pooler may.
        other: which weights of another shape are replaced by new ones: none, head or all.

    Raises:
        CheckpointError: naming both shapes, or the missing weights.
    """
    mismatched = sorted(found["mismatched_keys"])
    if other != "none":
        kept = set() if other == "all" else _body(network)
        mismatched = [entry for entry in mismatched if entry[0] in kept]
    if mismatched:
        name, stored, built = mismatched[0]
        more = f", and {len(mismatched) - 1} more" if len(mismatched) > 1 else ""
        raise CheckpointError(
            f"{where}: {name} is {_shape(stored)} in the checkpoint, but {_shape(built)} in its configuration{more}"
        )
    weights = _distinct(network)
    missing, count = sorted(weights & set(found["missing_keys"])), len(weights)
    if missing and (len(missing) >= count or not (new or part(network, missing) != "weights")):
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise CheckpointError(
            f"{where}: {len(missing)} of {count} weights of this model are not in the checkpoint: {shown}"
        )


def part(network: Any, names: Collection[str]) -> str:
    """What these weights make up: the pooler, the head (with a pooler, if there is one), or just weights.

    A head over the vocabulary is no head here: without it a language model is none.
    """
    others = [name for name in names if "pooler" not in name.split(".")]
    if not others:
        return "pooler"
    return "weights" if _speaks(network) or _body(network) & set(others) else "head"


def _speaks(network: Any) -> bool:
    """Whether the network has output embeddings over a vocabulary."""
    try:
        return network.get_output_embeddings() is not None
    except (NotImplementedError, AttributeError):
        return False


def _body(network: Any) -> set[str]:
    """The names of the weights of the base model, which is the network itself where there is no other."""
    base = network.base_model
    prefix = next((f"{name}." for name, module in network.named_modules() if module is base and name), "")
    return {name for name in network.state_dict() if name.startswith(prefix)}


def _distinct(network: Any) -> set[str]:
    """The names of a network's weights; of weights that are tied, the first."""
    first: dict[Any, str] = {}
    for name, tensor in network.state_dict().items():
        first.setdefault((tensor.data_ptr(), tensor.shape) if tensor.data_ptr() else name, name)
    return set(first.values())


def _shape(shape: Any) -> str:
    return " x ".join(str(size) for size in shape) or "a single number"
