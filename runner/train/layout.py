"""How the examples of one optimizer step lie in memory; the gradient is the same for every layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.engine.forward import pad_rows
from runner.engine.packed import positions
from runner.types import IGNORED, Features, Inputs

LIKE = 0.9  # texts share a micro-batch when none is shorter than this share of the longest
ENOUGH = 1 / 6  # of the budget: a micro-batch of fewer tokens takes shorter texts, too


@dataclass(frozen=True)
class Layout:
    """The collator: examples of one optimizer step to {"micro": [inputs, ...]}.

    Fields:
        batching: packed (texts side by side in a row, no padding), length (micro-batches of like lengths), padded
            (one batch, as long as the longest text; of questions with choices one for each number of choices).
        tokens: most tokens in a micro-batch, padding included (packed, length).
        pad: token id that fills rows.
    """

    batching: str
    tokens: int
    pad: int

    def __call__(self, features: Sequence[Features]) -> dict[str, Any]:
        """Inputs of each micro-batch, all (B, T) or (B, C, T): input_ids, labels; attention_mask where rows differ.

        Packed inputs are one row with position_ids; `lengths` says where its texts end.
        """
        examples = sorted(features, key=_length, reverse=True)
        if self.batching == "packed":
            return {"micro": [self._side_by_side(group) for group in self._even(examples)]}
        groups = _by_choices(examples) if self.batching == "padded" else self._alike(examples)
        return {"micro": [pad_rows(group, self.pad, labels=True) for group in groups]}

    def _even(self, examples: list[Features]) -> list[list[Features]]:
        """As few groups as the budget allows, of about the same number of tokens."""
        total = sum(map(_length, examples))
        share = total / -(-total // self.tokens)
        groups: list[list[Features]] = [[]]
        before, held = 0, 0  # tokens in finished groups, tokens in the last one
        for example in examples:
            length = _length(example)
            if held and (held + length > self.tokens or before + held >= share * len(groups)):
                groups.append([])
                before, held = before + held, 0
            groups[-1].append(example)
            held += length
        return groups

    def _alike(self, examples: list[Features]) -> list[list[Features]]:
        """Examples of the same number of choices, and of like lengths if they are many.

        Each micro-batch adds up all gradients once more, those of a whole vocabulary too, which costs as much as many
        tokens.
        """
        groups: list[list[Features]] = []
        held = 0  # tokens in the last group
        for example in examples:
            first = groups[-1][0] if groups else example
            size = _choices(first) * _length(first)
            alike = held < ENOUGH * self.tokens or _length(example) >= LIKE * _length(first)
            if groups and alike and held + size <= self.tokens and _choices(example) == _choices(first):
                groups[-1].append(example)
                held += size
            else:
                groups.append([example])
                held = _choices(example) * _length(example)
        return groups

    def _side_by_side(self, examples: list[Features]) -> Inputs:
        import torch

        lengths = [_length(example) for example in examples]
        rows = {name: [n for example in examples for n in example[name]] for name in examples[0]}
        if "labels" not in rows:
            rows["labels"] = [n for example in examples for n in (IGNORED, *example["input_ids"][1:])]
        rows["position_ids"] = positions(lengths)
        return {name: torch.tensor([row]) for name, row in rows.items()} | {"lengths": lengths}


def _length(example: Features) -> int:
    """Tokens of the longest of its texts."""
    ids = example["input_ids"]
    return max(map(len, ids)) if isinstance(ids[0], list) else len(ids)


def _by_choices(examples: list[Features]) -> list[list[Features]]:
    groups: dict[int, list[Features]] = {}
    for example in examples:
        groups.setdefault(_choices(example), []).append(example)
    return list(groups.values())


def _choices(example: Features) -> int:
    ids = example["input_ids"]
    return len(ids) if isinstance(ids[0], list) else 1
