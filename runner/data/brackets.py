"""Tags as brackets around entities, as CoNLL-2012 writes them: (ORG* * *) and (PER)."""

import re
from collections.abc import Sequence

PART = r"(?:\([^()*|\s]+)+\*?\)*|\*\)*|[^()*|\s]+\)+"
CELL = re.compile(rf"-|(?:{PART})(?:\|(?:{PART}))*")
BRACKET = re.compile(r"\(([^()*|\s]+)|\)")


def is_bracketed(tags: Sequence[str]) -> bool:
    """Whether most tags of a file are written so."""
    likely = [tag for tag in tags if CELL.fullmatch(tag)]
    return 2 * len(likely) > len(tags) and any(tag == "*" or "(" in tag for tag in likely)


def opened_tags(cells: Sequence[str], lines: Sequence[int]) -> tuple[list[str], str]:
    """The tags of a sentence as B-, I- and O, of the outermost entities, and what is wrong with its brackets.

    Args:
        cells: the bracket notation of each token; - and * say nothing.
        lines: the line on which each stands, for messages.
    """
    tags: list[str] = []
    depth, entity, begin = 0, "", 0
    for at, cell in enumerate(cells):
        if not CELL.fullmatch(cell):
            return [], f"line {lines[at]} has the tag {cell!r} where others have brackets such as (ORG* and *)"
        inside = f"I-{entity}" if depth else ""
        for bracket in BRACKET.finditer(cell):
            if bracket[1] is None:
                depth -= 1
            else:
                if not depth:
                    entity, begin = bracket[1], at
                    inside = inside or f"B-{entity}"
                depth += 1
            if depth < 0:
                return [], f"line {lines[at]} closes a bracket that was never opened: {cell}"
        tags.append(inside or "O")
    if depth:
        return [], f"line {lines[begin]} opens a bracket that its sentence never closes: {cells[begin]}"
    return tags, ""
