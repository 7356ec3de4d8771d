"""Features through the network in length-sorted batches of a token budget, order kept by index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from runner.engine.memory import out_of_memory
from runner.errors import RunFailed
from runner.types import Features

FILL = {"labels": -100, "attention_mask": 0}  # what padding is made of; input_ids take the tokenizer's pad token


def run_batches(
    model: Any,
    features: Sequence[Features],
    outputs: Callable[[Any, dict[str, Tensor]], Sequence[Any]],
    budget: int,
    say: Callable[[str], None],
) -> Iterator[list[tuple[int, Any]]]:
    """For each batch, longest first, the index of each feature with its output.

    A batch that does not fit into memory is halved, and so are those after it.

    Raises:
        RunFailed: when a single feature does not fit into memory.
    """
    order = sorted(range(len(features)), key=lambda i: -len(features[i]["input_ids"]))
    while order:
        longest = len(features[order[0]]["input_ids"])
        count = max(1, budget // max(longest, 1))
        batch = order[:count]
        try:
            found = outputs(model, collate(model, [features[i] for i in batch]))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(batch) == 1:
                raise RunFailed(f"memory runs out on a single text of {longest} tokens: {error}") from error
            budget = longest * (len(batch) // 2)
            say(f"memory ran out with {len(batch)} texts at a time: going on with {len(batch) // 2}")
            continue
        order = order[len(batch) :]
        yield list(zip(batch, found, strict=True))


def collate(model: Any, features: Sequence[Features]) -> dict[str, Tensor]:
    """Right-padded tensors (B, T), with an attention_mask where rows differ in length."""
    longest = max(len(feature["input_ids"]) for feature in features)
    pad = getattr(model.processor, "pad_token_id", None) or 0
    inputs = {}
    for name in features[0]:
        fill = FILL.get(name, pad)
        rows = [list(feature[name]) + [fill] * (longest - len(feature[name])) for feature in features]
        inputs[name] = torch.tensor(rows, device=model.network.device)
    if any(len(feature["input_ids"]) < longest for feature in features):
        mask = [[1] * len(f["input_ids"]) + [0] * (longest - len(f["input_ids"])) for f in features]
        inputs["attention_mask"] = torch.tensor(mask, device=model.network.device)
    return inputs
