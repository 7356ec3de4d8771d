"""Texts to what BERT was first trained on: hidden tokens, and whether one text follows another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.teach.masked import Masked, encoded
from runner.types import IGNORED, Features, Inputs, Model, Row, Teach

if TYPE_CHECKING:
    from random import Random

    from torch import Generator, Tensor

CHUNK = 1000  # rows among which a second text that does not follow is looked for
SENTENCE = re.compile(r"[^。！？.!?]+[。！？.!?]*\s*")


@dataclass(frozen=True)
class Pretraining(Teach):
    """A text is cut between two of its sentences; half of the time another text's end stands in place of its own.

    The end of another text is one of the same length where there is one, so that its length tells nothing (Devlin 2019,
    3.1, with a harder second task). Some texts come whole, as all those do that have one sentence: they teach hidden
    tokens only.

    Fields:
        alone: the share of texts that come whole.
        hide: which tokens are hidden, and how.
        seed: of the cuts and of the other texts.
    """

    column: str = "text"
    alone: float = 0.3
    hide: Masked = field(default_factory=Masked)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.alone < 1:
            raise ValueError(f"0 <= alone < 1 must hold, but got {self.alone}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See Teach."""
        return (self.column,)

    def __call__(self, model: Model, rows: Iterable[Row]) -> Iterator[Features]:
        """input_ids, token_type_ids, words, and next_sentence_label: 0 follows, 1 does not."""
        from random import Random

        self.hide.check_words(model)
        remaining = iter(rows)
        for number in range(2**31):
            chunk = list(islice(remaining, CHUNK))
            if not chunk:
                return
            draw = Random(f"{self.seed}/{number}")
            whole: list[list[str]] = []
            cut: list[list[str]] = []
            for row in chunk:
                sentences = SENTENCE.findall(row[self.column])
                (whole if len(sentences) < 2 or draw.random() < self.alone else cut).append(sentences)
            for features in encoded(model, ["".join(sentences) for sentences in whole]):
                yield features | {"next_sentence_label": IGNORED}
            pairs = list(_pairs(cut, draw))
            features_of = encoded(model, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
            for features, (_, _, label) in zip(features_of, pairs, strict=True):
                yield features | {"next_sentence_label": label}

    def prepare(self, model: Model, inputs: Inputs, generator: Generator) -> Inputs:
        """Hides tokens."""
        return self.hide.prepare(model, inputs, generator)

    def loss(self, network: Any, inputs: Inputs) -> Tensor:
        """Nats of all hidden tokens, and of each verdict once for every token hidden in its pair.

        So both tasks have about the same say, and the loss of a step does not depend on its micro-batches.
        """
        from torch.nn import functional

        from runner.engine.losses import masked_token_loss

        inputs = dict(inputs)
        follows = inputs.pop("next_sentence_label")
        hidden, outputs = masked_token_loss(network, inputs, "prediction_logits")
        verdicts = functional.cross_entropy(outputs.seq_relationship_logits.float(), follows, reduction="none")
        tokens = (inputs["labels"] != IGNORED).sum(-1)
        both: Tensor = hidden + (verdicts * tokens).sum() / (1 - self.alone)
        return both

    def items(self, inputs: Inputs) -> int:
        """Hidden tokens."""
        return self.hide.items(inputs)


def _pairs(texts: Sequence[list[str]], draw: Random) -> Iterator[tuple[str, str, int]]:
    """(first, second, label) of each text, which comes as two sentences or more."""
    cut = []
    for sentences in texts:
        place = draw.randrange(1, len(sentences))
        cut.append(("".join(sentences[:place]), "".join(sentences[place:])))
    alike: dict[int, list[int]] = {}
    for index, (_, second) in enumerate(cut):
        alike.setdefault(len(second), []).append(index)
    for index, (first, second) in enumerate(cut):
        others = [other for other in draw.sample(alike[len(second)], min(3, len(alike[len(second)]))) if other != index]
        if others and draw.random() < 0.5:
            yield first, cut[others[0]][1], 1
        else:
            yield first, second, 0
