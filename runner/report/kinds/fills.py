"""Blanks that were filled: the first candidate in its place, all of them below with their probabilities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from runner.report.kinds.kind import Kind, Line
from runner.report.lines import part
from runner.report.markup import Markup, clipped, is_number, join, language, tag
from runner.report.tables import probabilities
from runner.report.texts import TEXT, inputs, text_of

BLANK = re.compile(r"\[MASK\]|<mask>")
BLANKS = 12  # of a row that are shown


class Fills(Kind):
    """{text, fills: [[{token, score}, ...], ...]}."""

    def takes(self, line: Line) -> bool:
        """See Kind."""
        prediction = part(line, "prediction")
        return isinstance(prediction.get("text"), str) and isinstance(prediction.get("fills"), list)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        fills = [_candidates(blank) for blank in line["prediction"]["fills"]]
        text = next(iter(self.known.texts(line).values()), "")
        pieces = BLANK.split(text)
        whole = len(pieces) == len(fills) + 1 and all(fills) and len(text) <= TEXT
        filled = (
            _filled(pieces, fills) if whole else join([inputs({"text": text}), text_of("", line["prediction"]["text"])])
        )
        several = len(fills) > 1
        blanks = [
            tag("div", tag("small", f"blank {place}", class_="column") if several else None, probabilities(blank))
            for place, blank in enumerate(fills[:BLANKS], 1)
        ]
        more = tag("p", f"and {len(fills) - BLANKS:,} more blanks", class_="quiet") if len(fills) > BLANKS else None
        return join([filled, tag("div", *blanks, more, class_="blanks")])

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        return ()


def _filled(pieces: list[str], fills: list[dict[str, float]]) -> Markup:
    body: list[Any] = [pieces[0]]
    for blank, piece in zip(fills, pieces[1:], strict=True):
        best = max(blank, key=lambda token: blank[token])
        body += [tag("span", clipped(best, 60), class_="fill", title=f"{blank[best]:.3f}"), piece]
    return tag("p", *body, class_="prose", lang=language("".join(pieces)), dir="auto")


def _candidates(blank: Any) -> dict[str, float]:
    known = (
        [one for one in blank if isinstance(one, dict) and is_number(one.get("score"))]
        if isinstance(blank, list)
        else []
    )
    return {str(one.get("token")): float(one["score"]) for one in reversed(known)}
