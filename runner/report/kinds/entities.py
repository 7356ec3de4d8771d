"""Entities in their text: coloured by type, and whether each is right, invented, missed or taken for another type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from runner.metrics.entities import chunks
from runner.report.kinds.kind import EXTREMES, Kind, Line
from runner.report.kinds.labels import examples
from runner.report.lines import Known, Least, listed, part, whole
from runner.report.markup import Markup, clipped, is_number, join, language, tag
from runner.report.tables import found_table
from runner.report.texts import TEXT, inputs

COLOURS = 8
TYPES = 200  # that are told apart
SIGNS = {"right": "✓", "wrong": "≠", "invented": "+", "missed": "−"}
MEANING = {"right": "found", "wrong": "another type or other ends", "invented": "not there", "missed": "not found"}


@dataclass(frozen=True)
class Mark:
    """Characters of a text, their type, and how that compares with the gold."""

    start: int
    end: int
    kind: str
    state: str = ""  # of SIGNS; empty where the gold is not known
    told: str = ""
    gold: str = ""  # what is right, where this is wrong


class Entities(Kind):
    """{entities: [{type, text, start, end, ...}], tags}."""

    def __init__(self, known: Known):
        super().__init__(known)
        self.colours: dict[str, int] = {}  # by type
        self.counts: dict[str, list[int]] = {}  # type -> found, extra, missed
        self.worst = Least(EXTREMES)

    def takes(self, line: Line) -> bool:
        """See Kind."""
        return isinstance(part(line, "prediction").get("entities"), list)

    def add(self, line: Line) -> None:
        """See Kind."""
        for one in _entities(line):
            self._colour(one["type"])
        counts = part(line, "scores").get("entities")
        if not isinstance(counts, dict):
            return
        self.scored += 1
        off = 0
        for kind, triple in counts.items():
            if isinstance(triple, list) and len(triple) == 3 and all(map(whole, triple)):
                self._colour(kind)
                if kind in self.counts or len(self.counts) < TYPES:
                    sums = self.counts.setdefault(kind, [0, 0, 0])
                    self.counts[kind] = [a + b for a, b in zip(sums, triple, strict=True)]
                off += triple[1] + triple[2]
        if off:
            self.worst.add(-off, line)

    def shown(self, line: Line) -> Markup:
        """See Kind."""
        words = [str(word) for word in listed(part(line, "input").get("tokens"))]
        texts = self.known.texts(line)
        text = " ".join(words) or next(iter(texts.values()), "")
        marks = sorted(self._marks(line, words), key=lambda mark: (mark.start, mark.end))
        inside = [mark for mark in marks if mark.end <= len(text)]
        if not text or (marks and not inside):
            listed_ = [self._mark(mark, one["text"]) for mark, one in zip(marks, _entities(line), strict=False)]
            return join([inputs(texts), tag("p", *listed_, class_="prose")])
        pieces: list[Any] = []
        place = 0
        for mark in inside:
            if mark.start >= place and mark.start < TEXT:
                pieces += [text[place : mark.start], self._mark(mark, text[mark.start : mark.end])]
                place = mark.end
        cut = "" if isinstance(part(line, "input").get("tokens"), list | None) else " …"
        rest = clipped(text[place:], max(TEXT - place, 0)) + cut
        return tag("p", *pieces, rest, class_="prose tagged", lang=language(text), dir="auto")

    def drawn(self) -> Iterable[Markup]:
        """See Kind."""
        if not self.scored:
            return
        rows = sorted(self.counts.items(), key=lambda item: -(item[1][0] + item[1][2]))
        yield found_table("type", [(kind, *counts) for kind, counts in rows])  # type: ignore[misc]
        yield from examples(self, "Most entities wrong", self.worst)

    def key(self) -> Markup:
        """The types with their colours, and the signs where the gold is known."""
        types = [tag("span", kind, class_=f"entity t{colour}") for kind, colour in list(self.colours.items())[:24]]
        signs = (
            [tag("span", f"{SIGNS[state]} {told}", class_="sign") for state, told in MEANING.items()]
            if self.scored
            else []
        )
        return tag("p", join([*types, *signs], " "), class_="key") if types else Markup("")

    def _marks(self, line: Line, words: Sequence[str]) -> Iterable[Mark]:
        """The entities found, and those of the gold that they do not touch."""
        text, found, gold = " ".join(words), _entities(line), self._gold(line, words)
        if gold is None:
            return [Mark(one["start"], one["end"], one["type"], told=_score(one)) for one in found]
        known, entities = gold
        marks = []
        for one in found:
            here = (one["start"], one["end"], one["type"])
            others = [other for other in entities if other[0] < one["end"] and one["start"] < other[1]]
            state = "right" if here in entities else "wrong" if others else "invented"
            state = state if one["end"] <= known else ""
            told = f"{MEANING.get(state, '')} {_score(one)}".strip()
            marks.append(Mark(*here, state, told, _golds(here, others, text)))
        free = [g for g in entities if not any(g[0] < one["end"] and one["start"] < g[1] for one in found)]
        return [*marks, *(Mark(*one, "missed", MEANING["missed"]) for one in free)]

    def _gold(self, line: Line, words: Sequence[str]) -> tuple[int, list[tuple[int, int, str]]] | None:
        """How many characters the row's own tags are known for; first and last character and type of their entities."""
        tags = part(line, "prediction").get("gold") or listed(part(line, "input").get("tags"))
        if not isinstance(tags, list) or not (tags and words) or not all(isinstance(tag, str) for tag in tags):
            return None
        starts = [0]
        for word in words:
            starts.append(starts[-1] + len(word) + 1)
        spans = [(first, last, kind) for kind, first, last in chunks(tags) if last < len(words)]
        known = starts[min(len(tags), len(words))] - 1
        return known, [(starts[first], starts[last + 1] - 1, kind) for first, last, kind in spans]

    def _mark(self, mark: Mark, text: str) -> Markup:
        right = f" · gold {mark.gold}" if mark.state == "wrong" else ""
        small = tag("small", f"{SIGNS.get(mark.state, '')} {mark.kind}{right}".strip())
        short = "short" if len(text) + len(right) < 36 else ""
        look = " ".join(word for word in ("entity", f"t{self._colour(mark.kind)}", mark.state, short) if word)
        return tag(
            "span", clipped(text, 300), small, class_=look, title=f"{clipped(mark.kind, 40)} {mark.told}".strip()
        )

    def _colour(self, kind: str) -> int:
        if kind not in self.colours and len(self.colours) < TYPES:
            self.colours[kind] = len(self.colours) % COLOURS
        return self.colours.get(kind, COLOURS - 1)


def _entities(line: Line) -> list[dict[str, Any]]:
    """Those that have a type and a place."""
    return [
        one | {"type": str(one["type"]), "text": str(one.get("text", ""))}
        for one in line["prediction"]["entities"]
        if isinstance(one, dict) and "type" in one and whole(one.get("start")) and whole(one.get("end"))
    ]


def _golds(here: tuple[int, int, str], golds: list[tuple[int, int, str]], text: str) -> str:
    """The types of the gold entities, with their text where they end elsewhere."""
    shown = [kind if (start, end) == here[:2] else f"{kind} “{text[start:end]}”" for start, end, kind in golds]
    return clipped(", ".join(shown), 120)


def _score(one: dict[str, Any]) -> str:
    return f"{one['score']:.3f}" if is_number(one.get("score")) else ""
