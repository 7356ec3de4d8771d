"""A class for each sub-token to a tag for each word, and to the entities that the tags describe."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from runner.types import Features, Model, Row

OUTSIDE = "O"  # the tag of what is no part of an entity
DIGITS = 8  # of a probability
PREFIX = re.compile(r"([BIMESLU])-(.+)", re.DOTALL)
SCHEMES = {"BIO": "BI", "BIOES": "BIMES", "BILOU": "BILU", "IO": "I"}  # the letters before a type; M as I (BMES)
ENDS = "ESLU"  # letters after which an entity does not go on
STARTS = "BSU"  # letters with which a new one begins
HOW = ("simple", "first", "average", "max", "none")


@dataclass(frozen=True)
class Piece:
    """A sub-token, or a whole word."""

    word: int
    start: int
    end: int
    tag: str
    score: float
    probabilities: Any = None  # (C,), where words are averages


@dataclass(frozen=True)
class Entities:
    """Entities with their type and place; of a list of words its tags, too.

    Fields:
        aggregation: what decides a word's tag: its first sub-token, the most certain one (max), the mean of all
            (average). simple: in plain text sub-tokens keep tags of their own, and neighbours of a type make an entity;
            none: neither words nor entities are made of them. In lists of words these two are as first.
        scheme: BIO, BIOES, BILOU or IO; None: as the names of the checkpoint's classes look.
        column: of lists of words.
        text: of plain texts.
        target: of a row's own tags.
    """

    aggregation: str = "first"
    scheme: str | None = None
    column: str = "tokens"
    text: str = "text"
    target: str = "tags"

    def __post_init__(self) -> None:
        if self.aggregation not in HOW:
            raise ValueError(f"aggregation must be one of {', '.join(HOW)}, but got {self.aggregation}")
        if self.scheme not in (None, *SCHEMES):
            raise ValueError(f"scheme must be null or one of {', '.join(SCHEMES)}, but got {self.scheme}")

    def outputs(self, model: Model, inputs: Any) -> list[Any]:
        """For each window its sub-tokens' most probable classes and their probabilities, or all (T, C)."""
        from runner.engine.tokens import token_classes

        return token_classes(model, inputs, self.aggregation == "average")

    def __call__(self, model: Model, row: Row, features: Sequence[Features], outputs: Sequence[Any]) -> dict[str, Any]:
        """entities: [{type, score, text, start, end}, ...], characters of the text, or of the words joined by spaces.

        Of a list of words also `first` and `last`, the words of an entity, and tags: one for each word; and where the
        row's own tags are numbers, gold: their names.
        """
        names = {int(at): str(name) for at, name in model.config.id2label.items()}
        pieces = list(self._pieces(names, features, outputs))
        given = row.get(self.column)
        if given is None:
            text = str(row[self.text])
            units = pieces if self.aggregation in ("simple", "none") else list(self._words(names, pieces))
            return {"entities": [self._entity(units, span, text) for span in self._spans(names, units)]}
        text = " ".join(map(str, given))
        units = _every_word(given, self._words(names, pieces))
        found = [
            self._entity(units, span, text) | {"first": span[0], "last": span[1]} for span in self._spans(names, units)
        ]
        tags, gold = [unit.tag for unit in units], row.get(self.target)
        if gold and all(type(tag) is int for tag in gold):
            return {"entities": found, "tags": tags, "gold": [names.get(tag, str(tag)) for tag in gold]}
        return {"entities": found, "tags": tags}

    def _pieces(self, names: dict[int, str], features: Sequence[Features], outputs: Sequence[Any]) -> Iterator[Piece]:
        """The sub-tokens of all windows, each once, in the order of the text."""
        for feature, output in zip(features, outputs, strict=True):
            aside = feature["aside"]
            for at, (word, (start, end)) in enumerate(
                zip(aside["words"], aside["offsets"], strict=True), aside["first"]
            ):
                if self.aggregation == "average":
                    best = int(output[at].argmax())
                    yield Piece(word, start, end, names[best], float(output[at][best]), output[at])
                else:
                    yield Piece(word, start, end, names[output[0][at]], output[1][at])

    def _words(self, names: dict[int, str], pieces: Iterable[Piece]) -> Iterator[Piece]:
        """One piece for each word that has a sub-token."""
        for word, group in groupby(pieces, key=lambda piece: piece.word):
            parts = list(group)
            start, end = parts[0].start, parts[-1].end
            if self.aggregation == "average":
                mean = sum(part.probabilities for part in parts) / len(parts)
                best = int(mean.argmax())
                yield Piece(word, start, end, names[best], float(mean[best]))
                continue
            decides = max(parts, key=lambda part: part.score) if self.aggregation == "max" else parts[0]
            yield Piece(word, start, end, decides.tag, decides.score)

    def _spans(self, names: dict[int, str], units: Sequence[Piece]) -> list[tuple[int, int, str]]:
        tags = [unit.tag for unit in units]
        if self.aggregation == "none":
            return [(at, at, tag) for at, tag in enumerate(tags) if tag != OUTSIDE]
        return spans(tags, self.scheme or scheme_of(names.values()))

    def _entity(self, units: Sequence[Piece], span: tuple[int, int, str], text: str) -> dict[str, Any]:
        first, last, kind = span
        start, end = units[first].start, units[last].end
        score = sum(unit.score for unit in units[first : last + 1]) / (last + 1 - first)
        return {"type": kind, "score": round(score, DIGITS), "text": text[start:end], "start": start, "end": end}


def spans(tags: Sequence[str], scheme: str) -> list[tuple[int, int, str]]:
    """First and last place, and type, of each entity; a tag that continues nothing begins one."""
    found: list[tuple[int, int, str]] = []
    going = False  # whether the last entity may go on
    for at, tag in enumerate(tags):
        if tag == OUTSIDE:
            going = False
            continue
        match = PREFIX.fullmatch(tag)
        letter, kind = match.groups() if match and match[1] in SCHEMES[scheme] else ("I", tag)
        if going and letter not in STARTS and found[-1][2] == kind:
            found[-1] = (found[-1][0], at, kind)
        else:
            found.append((at, at, kind))
        going = letter not in ENDS
    return found


def scheme_of(names: Iterable[str]) -> str:
    """The scheme that names of classes follow: by the letters before their types; without any, IO."""
    letters = {match[1] for match in map(PREFIX.fullmatch, names) if match}
    if not letters & set("BI"):
        return "IO"
    if letters & set("LU"):
        return "BILOU"
    return "BIOES" if letters & set("MES") else "BIO"


def _every_word(words: Sequence[Any], found: Iterable[Piece]) -> list[Piece]:
    """A piece for each word, at its place among all of them; a word without sub-tokens is outside."""
    known = {piece.word: piece for piece in found}
    units, start = [], 0
    for at, word in enumerate(words):
        end = start + len(str(word))
        piece = known.get(at)
        units.append(Piece(at, start, end, piece.tag if piece else OUTSIDE, piece.score if piece else 1.0))
        start = end + 1
    return units
