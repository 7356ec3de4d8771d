"""Chinese verse: which texts are poems, and where their lines end."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

ENDS = "，。？！；"
LINE = re.compile(rf"[^{ENDS}]*[{ENDS}]+|[^{ENDS}]+$")
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
START = re.compile(r"^(\[[A-Z]+\]|<\|?\w+\|?>)")  # a start token spelled out: [CLS], <s>
METRES = (5, 7)  # characters in a line of regulated verse
REGULAR = 0.75  # of the complete lines: a poem with one slip is set as a poem, with the slip marked


@dataclass(frozen=True)
class Line:
    """A line of verse with its mark, its place in the text, and whether it keeps the metre."""

    text: str
    start: int
    regular: bool


def verse(text: str) -> list[Line] | None:
    """The lines of a text in five or seven characters a line; None when it is no verse.

    The last line may be unfinished, as generation stops where it must.
    """
    found = [(match.group(), match.start()) for match in LINE.finditer(text) if match.group().strip()]
    bodies = ["".join(line.split()).strip(ENDS) for line, _ in found]
    complete = [len(body) for body, (line, _) in zip(bodies, found, strict=True) if line[-1] in ENDS]
    if len(complete) < 2:
        return None
    metre, kept = Counter(complete).most_common(1)[0]
    chinese = all(HAN.fullmatch(body) for body in bodies if body)
    if metre not in METRES or kept < REGULAR * len(complete) or not chinese:
        return None
    return [
        Line(line, start, len(body) == metre or (line[-1] not in ENDS and len(body) < metre))
        for body, (line, start) in zip(bodies, found, strict=True)
    ]


def prompt_length(prompt: str, text: str) -> int:
    """How many characters of the text repeat the prompt, spaces aside; 0 when it does not start with all of it.

    A start token that the prompt spells out ([CLS], <s>) is not part of a text.
    """
    place = 0
    for character in START.sub("", prompt):
        if character.isspace():
            continue
        while place < len(text) and text[place].isspace():
            place += 1
        if place == len(text) or text[place] != character:
            return 0
        place += 1
    return place
