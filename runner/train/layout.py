"""How the texts of one optimizer step lie in memory; the gradient is the same for every layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.types import Features

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100  # label that takes no part in the loss (torch.nn.CrossEntropyLoss)
SHORT_ROW = 256  # tokens: attention over a shared row costs the square of its length
LIKE = 0.9  # texts share a micro-batch when none is shorter than this share of the longest


@dataclass(frozen=True)
class Layout:
    """The collator: features of one optimizer step to {"micro": [inputs, ...]}.

    Fields:
        batching: length (micro-batches of like lengths), packed (texts share rows, attention stays inside each
            text), padded (one batch, as long as the longest text).
        tokens: most padded tokens in a micro-batch (length, packed).
        block: most tokens in a shared row (packed).
        pad: token id that fills rows.
    """

    batching: str
    tokens: int
    block: int
    pad: int

    def __call__(self, features: Sequence[Features]) -> dict[str, Any]:
        """Inputs of each micro-batch, all (B, T): input_ids, labels; where needed attention_mask or position_ids."""
        texts = sorted((feature["input_ids"] for feature in features), key=len, reverse=True)
        if self.batching == "packed":
            return {"micro": self._packed(texts)}
        groups = [texts] if self.batching == "padded" else self._alike(texts)
        return {"micro": [self._padded(group) for group in groups]}

    def _alike(self, texts: list[list[int]]) -> list[list[list[int]]]:
        groups: list[list[list[int]]] = []
        for text in texts:
            longest = len(groups[-1][0]) if groups else 0
            if groups and len(text) >= LIKE * longest and (len(groups[-1]) + 1) * longest <= self.tokens:
                groups[-1].append(text)
            else:
                groups.append([text])
        return groups

    def _padded(self, texts: list[list[int]]) -> dict[str, Tensor]:
        import torch

        longest = max(map(len, texts))
        ids = torch.tensor([text + [self.pad] * (longest - len(text)) for text in texts])
        mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
        inputs = {"input_ids": ids, "labels": ids.masked_fill(mask == 0, IGNORED)}
        if not bool(mask.all()):
            inputs["attention_mask"] = mask
        return inputs

    def _packed(self, texts: list[list[int]]) -> list[dict[str, Tensor]]:
        """First-fit decreasing; position ids that start again at 0 keep attention inside each text."""
        import torch

        rows: list[list[list[int]]] = []
        free: list[int] = []
        block = min(self.block, max(len(texts[0]), SHORT_ROW))
        for text in texts:
            fit = next((i for i, room in enumerate(free) if room >= len(text)), None)
            if fit is None:
                rows.append([text])
                free.append(block - len(text))
            else:
                rows[fit].append(text)
                free[fit] -= len(text)
        per_batch = max(1, self.tokens // block)
        return [
            {name: torch.tensor(values) for name, values in self._rows(rows[start : start + per_batch]).items()}
            for start in range(0, len(rows), per_batch)
        ]

    def _rows(self, rows: list[list[list[int]]]) -> dict[str, list[list[int]]]:
        longest = max(sum(map(len, row)) for row in rows)
        inputs: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "position_ids": []}
        for row in rows:
            room = longest - sum(map(len, row))
            inputs["input_ids"].append([token for text in row for token in text] + [self.pad] * room)
            inputs["labels"].append([label for text in row for label in [IGNORED, *text[1:]]] + [IGNORED] * room)
            inputs["position_ids"].append([place for text in row for place in range(len(text))] + list(range(room)))
        return inputs
