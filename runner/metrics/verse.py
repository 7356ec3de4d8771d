"""Whether a text is a well-formed classical Chinese poem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from runner.metrics.estimate import known, share
from runner.types import Estimate, Row, Scores

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True)
class WellFormed:
    """2 or 4 couplets of lines of 5 or 7 characters, all equal; a comma inside a couplet, a full stop at its end.

    Prompt and answer are judged together, as the text that they make: a prompt of prose spoils it.
    """

    parts: ClassVar[Mapping[str, Any]] = {"well_formed": "well_formed"}
    perfect: ClassVar[Mapping[str, float]] = {"well_formed": 1.0}

    def numbers(self) -> Mapping[str, bool]:
        """See Metric."""
        return {"well_formed": True}

    def score(self, row: Row, prediction: Any) -> Scores:
        """1 or 0, the share for several texts; nothing for texts that are not Chinese."""
        texts = [prediction] if isinstance(prediction, str) else prediction
        if not all(isinstance(text, str) and HAN.search(text) for text in texts):
            return {}
        return {"well_formed": sum(map(is_well_formed, texts)) / len(texts)}

    def summarise(self, scores: Iterable[Scores]) -> Mapping[str, Estimate]:
        """The share of well-formed texts."""
        hits, n = 0.0, 0
        for one in scores:
            if "well_formed" in one:
                hits, n = hits + one["well_formed"], n + 1
        return {"well_formed": known(share(hits, n), passed="well_formed")} if n else {}


def is_well_formed(text: str) -> bool:
    """Whether the whole text is one quatrain or one regulated octave."""
    for length in (5, 7):
        line = rf"[\u3400-\u4dbf\u4e00-\u9fff]{{{length}}}"
        couplet = rf"{line}[，？！；、]{line}[。？！；]"
        if re.fullmatch(rf"({couplet}){{2}}|({couplet}){{4}}", text):
            return True
    return False
