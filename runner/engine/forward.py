"""Features through the network in length-sorted batches of a token budget, order kept by index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from runner.engine.memory import out_of_memory
from runner.engine.unpadded import unpadded, why_padded
from runner.errors import RunFailed
from runner.types import IGNORED, Features, Inputs

NOWHERE = dict.fromkeys(("words", "branch", "before"), -1)
FILL = {"labels": IGNORED, "attention_mask": 0, "token_type_ids": 0, "position_ids": 0} | NOWHERE  # of padding
ASIDE = "aside"  # what is not for the network
LIKE = 0.9  # a batch whose texts are so nearly of one length is not mixed with shorter ones
FEW = 384  # tokens below which a batch takes shorter texts all the same: a small product costs more than its padding


def run_batches(
    model: Any,
    features: Sequence[Features],
    outputs: Callable[[Any, dict[str, Tensor]], Sequence[Any]],
    budget: int,
    say: Callable[[str], None],
) -> Iterator[list[tuple[int, Any]]]:
    """For each batch, longest first, the index of each feature with its output.

    Batches are as large as the budget allows where the network sees no padding; else of texts of nearly one length. A
    batch that does not fit into memory is halved, and so are those after it.

    Args:
        model: its network is what `outputs` runs.
        features: of texts; input_ids are lists of ints.
        outputs: an output for each feature of a batch.
        budget: tokens in a batch.
        say: told one line where memory runs out.

    Raises:
        RunFailed: when a single feature does not fit into memory.
    """
    order = sorted(range(len(features)), key=lambda i: -len(features[i]["input_ids"]))
    placed = bool(features) and "position_ids" in features[0]  # such texts are not laid out anew
    share = _alike if placed or why_padded(model.network) is not None else _fitting
    while order:
        lengths = [len(features[i]["input_ids"]) for i in order[: budget + 1]]
        batch = order[: share(lengths, budget)]
        try:
            with unpadded(model.network):
                found = outputs(model, collate(model, [features[i] for i in batch]))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(batch) == 1:
                raise RunFailed(f"memory runs out on a single text of {lengths[0]} tokens: {error}") from error
            budget = lengths[0] * (len(batch) // 2)
            say(f"memory ran out with {len(batch)} texts at a time: going on with {len(batch) // 2}")
            continue
        order = order[len(batch) :]
        yield list(zip(batch, found, strict=True))


def _fitting(lengths: Sequence[int], budget: int) -> int:
    """How many texts are in the budget without their padding; at least one."""
    fitting = sum(total <= budget for total in accumulate(lengths))
    return max(1, fitting)


def _alike(lengths: Sequence[int], budget: int) -> int:
    """How many texts, longest first, share the next batch: in the budget, and nearly of one length if that is many."""
    most = max(1, min(len(lengths), budget // max(lengths[0], 1)))
    for count in range(1, most):
        if lengths[count] < LIKE * lengths[0] and count * lengths[0] >= FEW:
            return count
    return most


def collate(model: Any, features: Sequence[Features]) -> Inputs:
    """Right-padded tensors (B, T) on the network's device, with an attention_mask where rows differ in length."""
    pad = getattr(model.processor, "pad_token_id", None) or 0
    return {name: tensor.to(model.network.device) for name, tensor in pad_rows(features, pad).items()}


def pad_rows(features: Sequence[Features], pad: int, labels: bool = False) -> dict[str, Tensor]:
    """Each key of the features as a tensor: (B,) of numbers, (B, T) of lists, (B, C, T) of lists of lists.

    Args:
        features: all with the same keys, and the same number C of choices where they have any.
        pad: fills input_ids and other keys without a filling of their own.
        labels: whether the input_ids are their labels where there are none.
    """
    made = {name: _tensor([f[name] for f in features], FILL.get(name, pad)) for name in features[0] if name != ASIDE}
    mask = _tensor([_ones(feature["input_ids"]) for feature in features], 0)
    if labels and "labels" not in made:
        made["labels"] = made["input_ids"].masked_fill(mask == 0, IGNORED)
    if not bool(mask.all()):
        made["attention_mask"] = mask
    return made


def _tensor(values: Sequence[Any], fill: int) -> Tensor:
    if not isinstance(values[0], list):
        return torch.tensor(values)
    if values[0] and isinstance(values[0][0], list):
        flat = _tensor([inner for value in values for inner in value], fill)
        return flat.view(len(values), len(values[0]), -1)
    longest = max(map(len, values))
    return torch.tensor([value + [fill] * (longest - len(value)) for value in values])


def _ones(ids: list[Any]) -> list[Any]:
    return [[1] * len(inner) for inner in ids] if ids and isinstance(ids[0], list) else [1] * len(ids)


def network_inputs(inputs: Mapping[str, Any]) -> Inputs:
    """What the network takes: everything but the labels."""
    return {name: value for name, value in inputs.items() if name != "labels"}
