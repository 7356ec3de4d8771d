"""The contract of a kind of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from runner.report.lines import Known
from runner.report.markup import Markup

Line = Mapping[str, Any]  # of predictions.jsonl
EXTREMES = 8  # rows that are kept at either end


class Kind(Protocol):
    """Lines of one form, folded into bounded memory.

    Fields:
        title: of the section that `drawn` makes.
        numbers_first: whether numbers and figures are the answer, not single rows, where there are some.
        known: what the other files of the run say.
        scored: rows that could be scored.
    """

    title: str = "Right and wrong"
    numbers_first: bool = False
    known: Known
    scored: int

    def __init__(self, known: Known):
        self.known = known
        self.scored = 0

    def takes(self, line: Line) -> bool:
        """Whether the line is of this form; lines are what files hold, perhaps damaged."""

    def add(self, line: Line) -> None:
        """Take one line into account."""
        return None

    def shown(self, line: Line) -> Markup:
        """The input of one line and its answer."""

    def told(self, line: Line) -> dict[str, float]:
        """Numbers that are told beside a row, besides whether it is right."""
        return {}

    def drawn(self) -> Iterable[Markup]:
        """Figures and tables of all lines; none where nothing was scored."""

    def key(self) -> Markup:
        """What marks and colours of the rows mean."""
        return Markup("")
