"""Log-likelihoods of several continuations of one text, which goes through the network once; B batch, T tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.engine.classes import check_finite
from runner.engine.likelihood import CHUNK, has_plain_head
from runner.engine.trial import REFUSES, remembered, trial
from runner.types import Inputs

AGREE = 1e-3  # nats, in float32
Scores = list[tuple[float, int]]


@torch.inference_mode()
def branch_scores(model: Any, inputs: Inputs) -> list[Scores]:
    """For each row the log-likelihood (nats) and the number of tokens of each of its branches.

    A token sees the text and what stands before it in its own branch. Where a trial shows that a network does not take
    such a mask, each branch goes through it behind its own copy of the text.

    Args:
        model: a causal network.
        inputs: input_ids, position_ids, branch and before (B, T), as `runner.encode.continuations` makes them.
    """
    network = model.network
    together = remembered(network, "branches", lambda: _agree(network))
    return _together(network, inputs) if together else _apart(network, inputs)


def _together(network: Any, inputs: Inputs) -> list[Scores]:
    branch, before = inputs["branch"], inputs["before"]
    order = torch.arange(branch.shape[1], device=branch.device)
    seen = (branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None])
    seen = seen & (
        order[None, None, :] <= order[None, :, None]
    )  # (B, T, T); padding sees the text, and nothing sees it
    mask = torch.zeros(seen.shape, dtype=network.dtype, device=seen.device)
    mask = mask.masked_fill(~seen, torch.finfo(network.dtype).min)[:, None]
    kept = before >= 0
    rows = torch.arange(len(branch), device=branch.device)[:, None].expand_as(before)[kept]
    call = {"input_ids": inputs["input_ids"], "position_ids": inputs["position_ids"], "attention_mask": mask}
    if has_plain_head(network):
        hidden = network.base_model(**call, use_cache=False).last_hidden_state[rows, before[kept]]
        head = network.get_output_embeddings()
        logits = (head(part) for part in hidden.split(CHUNK))
    else:
        logits = iter(network(**call, use_cache=False).logits[rows, before[kept]].split(CHUNK))
    found = _likelihoods(logits, inputs["input_ids"][kept])
    table = torch.zeros(before.shape, dtype=torch.float64)
    table[kept.cpu()] = found
    return [_by_branch(line, row) for line, row in zip(table, branch.cpu(), strict=True)]


def _apart(network: Any, inputs: Inputs) -> list[Scores]:
    made = []
    for ids, branch in zip(inputs["input_ids"], inputs["branch"], strict=True):
        scores = []
        for number in range(1, int(branch.max()) + 1):
            text, end = ids[branch == 0], ids[branch == number]
            row = torch.cat([text, end])[None]
            logits = network(input_ids=row, use_cache=False).logits[0, len(text) - 1 : -1]
            scores.append((float(_likelihoods(iter(logits.split(CHUNK)), end).sum()), len(end)))
        made.append(scores)
    return made


def _likelihoods(logits: Any, tokens: Tensor) -> Tensor:
    """(N,) in float64, from the logits in pieces."""
    parts = []
    for part, wanted in zip(logits, torch.split(tokens, CHUNK), strict=True):
        check_finite(part)
        parts.append(-functional.cross_entropy(part.float(), wanted, reduction="none").double().cpu())
    return torch.cat(parts)


def _by_branch(line: Tensor, branch: Tensor) -> Scores:
    numbers = range(1, int(branch.max()) + 1)
    return [(float(line[branch == number].sum()), int((branch == number).sum())) for number in numbers]


def _agree(network: Any) -> bool:
    """Whether three branches get the same scores together as each alone."""
    row = {
        "input_ids": [1, 2, 3, 2, 1, 3, 3],
        "position_ids": [0, 1, 2, 3, 2, 2, 3],
        "branch": [0, 0, 1, 1, 2, 3, 3],
        "before": [-1, -1, 1, 2, 1, 1, 5],
    }
    inputs = {name: torch.tensor([values], device=network.device) for name, values in row.items()}
    try:
        with trial(network):
            pairs = zip(_together(network, inputs)[0], _apart(network, inputs)[0], strict=True)
        tolerance = AGREE if network.dtype == torch.float32 else 50 * AGREE
        return all(abs(together - alone) <= tolerance * max(1.0, abs(alone)) for (together, _), (alone, _) in pairs)
    except REFUSES:
        return False
