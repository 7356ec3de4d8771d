"""Scores over the vocabulary at masked tokens to the words that fill them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.cjk import join_cjk
from runner.errors import DataError
from runner.types import IGNORED, Features, Model, Row


@dataclass(frozen=True)
class Fills:
    """The most probable words for each blank, by itself, and the text with the first of them.

    Fields:
        top_k: candidates for each blank.
        targets: only these words are candidates; their probabilities stay what they are among all words.
        output: where the network's scores over the vocabulary lie.
    """

    top_k: int = 5
    targets: list[str] | None = None
    output: str = "logits"
    join_cjk: bool = True  # no spaces between Chinese, Japanese and Korean characters

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k >= 1 must hold, but got {self.top_k}")
        if self.targets is not None and not self.targets:
            raise ValueError("targets must be null or name a word, but is empty")

    def outputs(self, model: Model, inputs: Any) -> list[Any]:
        """For each text its blanks: token ids and probabilities of the candidates, the most probable first."""
        from runner.engine.masked import best_tokens

        return best_tokens(model, inputs, self.top_k, self._targets(model), self.output)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """text: the blanks filled; fills: for each blank [{token, score}, ...]."""
        blanks = outputs[0]
        tokenizer, filled = model.processor, iter([tokens[0] for tokens, _ in blanks])
        ids = [next(filled) if token == tokenizer.mask_token_id else token for token in features[0]["input_ids"]]
        text = tokenizer.decode(ids, skip_special_tokens=True)
        fills = [
            [{"token": tokenizer.decode([t]).strip(), "score": round(p, 6)} for t, p in zip(*blank, strict=True)]
            for blank in blanks
        ]
        return {"text": join_cjk(text) if self.join_cjk else text, "fills": fills}

    def _targets(self, model: Model) -> list[int] | None:
        if self.targets is None:
            return None
        ids = model.processor(self.targets, add_special_tokens=False)["input_ids"]
        wrong = [word for word, tokens in zip(self.targets, ids, strict=True) if len(tokens) != 1]
        if wrong:
            raise DataError(f"task.predict.interpret.targets: {wrong[0]!r} is not one token of {model.name}")
        return [tokens[0] for tokens in ids]


@dataclass(frozen=True)
class Recovered:
    """How well the hidden tokens of a text were found again."""

    output: str = "logits"  # where the network's scores over the vocabulary lie

    def outputs(self, model: Model, inputs: Any) -> list[list[dict[str, float]]]:
        """For each text its hidden tokens: nll in nats, whether the first guess or one of five was right."""
        from runner.engine.masked import recovered_tokens

        return recovered_tokens(model, inputs, self.output)

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """masked: [{token, top1, top5, nll}, ...] in the order of the text."""
        hidden = [label for feature in features for label in feature["labels"] if label != IGNORED]
        found = [one for output in outputs for one in output]
        decode = model.processor.decode
        return {
            "masked": [{"token": decode([t]).strip()} | one for t, one in zip(hidden, found, strict=True)],
        }
