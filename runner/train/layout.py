"""How the examples of one optimizer step lie in memory; the gradient is the same for every layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from runner.engine.forward import pad_rows
from runner.engine.unpadded import unpadded
from runner.types import Features

LIKE = 0.9  # texts share a micro-batch when none is shorter than this share of the longest
ENOUGH = 1 / 6  # of the budget: a micro-batch of fewer tokens takes shorter texts, too


@dataclass(frozen=True)
class Layout:
    """The collator: examples of one optimizer step to {"micro": [inputs, ...]}.

    Fields:
        batching: packed (texts go through the network side by side, no padding is computed), length (micro-batches of
            like lengths), padded (one batch, as long as the longest text; of questions with choices one for each
            number of choices).
        tokens: most tokens in a micro-batch (packed: without padding; length: with it); None: a step is one batch.
        pad: token id that fills rows.
    """

    batching: str
    tokens: int | None
    pad: int

    def __call__(self, features: Sequence[Features]) -> dict[str, Any]:
        """Inputs of each micro-batch, all (B, T) or (B, C, T): input_ids, labels; attention_mask where rows differ."""
        examples = sorted(features, key=_length, reverse=True)
        groups = _by_choices(examples)
        if self.tokens is not None and self.batching != "padded":
            share: Callable[..., list[list[Features]]] = _even if self.batching == "packed" else _alike
            groups = [part for group in groups for part in share(group, self.tokens)]
        return {"micro": [pad_rows(group, self.pad, labels=True) for group in groups]}

    def within(self, network: Any) -> AbstractContextManager[None]:
        """The context in which the network sees its micro-batches."""
        return unpadded(network) if self.batching == "packed" else nullcontext()


def _even(examples: list[Features], budget: int) -> list[list[Features]]:
    """As few groups as the budget allows, of about the same number of tokens."""
    total = sum(map(_tokens, examples))
    share = total / -(-total // budget)
    groups: list[list[Features]] = [[]]
    before, held = 0, 0  # tokens in finished groups, tokens in the last one
    for example in examples:
        tokens = _tokens(example)
        if held and (held + tokens > budget or before + held >= share * len(groups)):
            groups.append([])
            before, held = before + held, 0
        groups[-1].append(example)
        held += tokens
    return groups


def _alike(examples: list[Features], budget: int) -> list[list[Features]]:
    """Examples of like lengths, if they are many.

    Each micro-batch adds up all gradients once more, those of a whole vocabulary too, which costs as much as many
    tokens.
    """
    groups: list[list[Features]] = []
    held = 0  # tokens in the last group, padding included
    for example in examples:
        first = groups[-1][0] if groups else example
        size = _choices(first) * _length(first)
        alike = held < ENOUGH * budget or _length(example) >= LIKE * _length(first)
        if groups and alike and held + size <= budget:
            groups[-1].append(example)
            held += size
        else:
            groups.append([example])
            held = _choices(example) * _length(example)
    return groups


def _length(example: Features) -> int:
    """Tokens of the longest of its texts."""
    ids = example["input_ids"]
    return max(map(len, ids)) if isinstance(ids[0], list) else len(ids)


def _tokens(example: Features) -> int:
    """Tokens of all of its texts."""
    ids = example["input_ids"]
    return sum(map(len, ids)) if isinstance(ids[0], list) else len(ids)


def _by_choices(examples: list[Features]) -> list[list[Features]]:
    groups: dict[int, list[Features]] = {}
    for example in examples:
        groups.setdefault(_choices(example), []).append(example)
    return list(groups.values())


def _choices(example: Features) -> int:
    ids = example["input_ids"]
    return len(ids) if isinstance(ids[0], list) else 1
