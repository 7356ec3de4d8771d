"""Token log-likelihoods from the last hidden states, logits only where something is scored."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runner.engine.trial import remembered, trial
from runner.errors import RunFailed
from runner.types import IGNORED

CHUNK = 128  # positions whose logits (CHUNK, V) are held at a time: they stay in the processor's cache


def token_scores(model: Any, inputs: dict[str, Any]) -> list[dict[str, float]]:
    """For each row of a batch the summed nll (nats), the tokens scored and the correct guesses.

    Args:
        inputs: input_ids (B, T), labels (B, T) with -100 where nothing is scored, attention_mask (B, T).

    Raises:
        RunFailed: a log-likelihood is NaN or infinite.
    """
    labels = inputs["labels"]
    network_inputs = {name: value for name, value in inputs.items() if name != "labels"}
    targets, kept = labels[:, 1:], labels[:, 1:] != IGNORED
    with torch.inference_mode():
        if has_plain_head(model.network):
            hidden = model.network.base_model(**network_inputs, use_cache=False).last_hidden_state[:, :-1][kept]
            head = model.network.get_output_embeddings()
            parts = [_scores(head(h), t) for h, t in zip(hidden.split(CHUNK), targets[kept].split(CHUNK), strict=True)]
        else:
            logits = model.network(**network_inputs, use_cache=False).logits[:, :-1][kept]
            parts = [_scores(part, t) for part, t in zip(logits.split(CHUNK), targets[kept].split(CHUNK), strict=True)]
    nll = torch.zeros(kept.shape, dtype=torch.float64)
    right = torch.zeros(kept.shape, dtype=torch.float64)
    where = kept.cpu()
    nll[where] = torch.cat([part[0] for part in parts]) if parts else nll[where]
    right[where] = torch.cat([part[1] for part in parts]) if parts else right[where]
    if not bool(nll.isfinite().all()):
        cause = "the weights hold NaN or the dtype overflows"
        raise RunFailed(f"non-finite logits while scoring: {cause}; try engine.dtype=float32")
    counts = where.sum(1).tolist()
    columns = zip(nll.sum(1).tolist(), counts, right.sum(1).tolist(), strict=True)
    return [{"nll": a, "tokens": b, "correct": int(c)} for a, b, c in columns]


def _scores(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    nll = functional.cross_entropy(logits.float(), targets, reduction="none")
    return nll.double().cpu(), (logits.argmax(-1) == targets).double().cpu()


def has_plain_head(network: Any) -> bool:
    """Whether logits are the output embedding applied to the last hidden states and nothing more.

    Some architectures scale or cap their logits; it is tried out on three tokens once and remembered on the network.
    """
    return remembered(network, "plain head", lambda: _try_head(network))


def _try_head(network: Any) -> bool:
    head = network.get_output_embeddings()
    base = getattr(network, "base_model", network)
    if head is None or base is network:
        return False
    with trial(network):
        ids = torch.tensor([[0, 1, 2]], device=network.device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}  # 0 may be padding
        full = network(**inputs).logits
        hidden = getattr(base(**inputs), "last_hidden_state", None)
        return hidden is not None and full.shape[1] == 3 and torch.allclose(head(hidden), full, atol=1e-5, rtol=1e-4)
