"""How the texts of one optimizer step lie in memory; the gradient is the same for every layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.engine.packed import positions
from runner.types import IGNORED, Features

if TYPE_CHECKING:
    from torch import Tensor

LIKE = 0.9  # texts share a micro-batch when none is shorter than this share of the longest


@dataclass(frozen=True)
class Layout:
    """The collator: features of one optimizer step to {"micro": [inputs, ...]}.

    Fields:
        batching: packed (texts side by side in a row, no padding), length (micro-batches of like lengths), padded
            (one batch, as long as the longest text).
        tokens: most tokens in a micro-batch, padding included (packed, length).
        pad: token id that fills rows.
    """

    batching: str
    tokens: int
    pad: int

    def __call__(self, features: Sequence[Features]) -> dict[str, Any]:
        """Inputs of each micro-batch, all (B, T): input_ids, labels; where needed attention_mask or position_ids.

        Packed inputs are one row; `lengths` says where its texts end.
        """
        texts = sorted((feature["input_ids"] for feature in features), key=len, reverse=True)
        if self.batching == "packed":
            return {"micro": [self._side_by_side(group) for group in self._even(texts)]}
        groups = [texts] if self.batching == "padded" else self._alike(texts)
        return {"micro": [self._padded(group) for group in groups]}

    def _even(self, texts: list[list[int]]) -> list[list[list[int]]]:
        """As few groups as the budget allows, of about the same number of tokens."""
        total = sum(map(len, texts))
        share = total / -(-total // self.tokens)
        groups: list[list[list[int]]] = [[]]
        before, held = 0, 0  # tokens in finished groups, tokens in the last one
        for text in texts:
            if held and (held + len(text) > self.tokens or before + held >= share * len(groups)):
                groups.append([])
                before, held = before + held, 0
            groups[-1].append(text)
            held += len(text)
        return groups

    def _alike(self, texts: list[list[int]]) -> list[list[list[int]]]:
        groups: list[list[list[int]]] = []
        for text in texts:
            longest = len(groups[-1][0]) if groups else 0
            if groups and len(text) >= LIKE * longest and (len(groups[-1]) + 1) * longest <= self.tokens:
                groups[-1].append(text)
            else:
                groups.append([text])
        return groups

    def _side_by_side(self, texts: list[list[int]]) -> dict[str, Any]:
        import torch

        lengths = [len(text) for text in texts]
        rows = {
            "input_ids": [token for text in texts for token in text],
            "labels": [label for text in texts for label in (IGNORED, *text[1:])],
            "position_ids": positions(lengths),
        }
        return {name: torch.tensor([row]) for name, row in rows.items()} | {"lengths": lengths}

    def _padded(self, texts: list[list[int]]) -> dict[str, Tensor]:
        import torch

        longest = max(map(len, texts))
        ids = torch.tensor([text + [self.pad] * (longest - len(text)) for text in texts])
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
        inputs = {"input_ids": ids, "labels": ids.masked_fill(mask == 0, IGNORED)}
        if not bool(mask.all()):
            inputs["attention_mask"] = mask
        return inputs
