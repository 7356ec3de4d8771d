"""Sentences of CoNLL files: a token a line, its tag in the last column, a blank line between sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from runner.data.brackets import is_bracketed, opened_tags
from runner.data.lines import decoded, lines

HEAD = 1000  # lines of tokens that tell what a file's columns are
BOUNDARY = ("-DOCSTART-", "#begin document", "#end document")  # lines between documents
TAG = re.compile(r"O|[BIOESLU]-.+")  # what tells the token "#" from a comment


@dataclass(frozen=True)
class Shape:
    """What the columns of a file are."""

    width: int  # columns of most lines
    tagged: bool  # whether they have a tag
    bracketed: bool  # whether tags are brackets around entities: (ORG* * *)


class Line(NamedTuple):
    """A line as it stands: no cells between sentences."""

    number: int
    cells: list[str]
    problem: str = ""
    hash: bool = False  # whether it begins with "# ": a comment, or the token # where spaces part the columns


@dataclass
class Sentence:
    """A sentence as its lines are read."""

    first: int  # its first line
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)  # the line of each token
    problem: str = ""

    def add(self, line: Line, tagged: bool) -> None:
        """One more token."""
        number, cells, problem, _ = line
        if not problem and not cells[0]:
            problem = f"has the tag {cells[-1]!r} but no token"
        if not problem and tagged and len(cells) == 1:
            problem = f"has the token {cells[0]!r} but no tag"
        if problem and not self.problem:
            self.problem = f"line {number} {problem}"
        self.numbers.append(number)
        self.tokens.append(cells[0])
        self.tags += cells[1:][-1:]

    def values(self, shape: Shape) -> tuple[dict[str, list[str]], str]:
        """The row and what is wrong with it."""
        if self.problem or not self.tags:
            return {"tokens": self.tokens}, self.problem
        tags, problem = opened_tags(self.tags, self.numbers) if shape.bracketed else (self.tags, "")
        return {"tokens": self.tokens, "tags": tags}, problem


def columns(path: Path) -> list[str]:
    """Tokens, and tags where the file has them; none for a file without sentences."""
    shape = _shape(path)
    return ["tokens", "tags"] if shape.tagged else ["tokens"] if shape.width else []


def sentences(path: Path) -> Iterator[tuple[int, dict[str, list[str]], str]]:
    """(first line, values, problem) of each sentence.

    Columns are parted by tabs, or by spaces in a line without a tab. Lines between documents are skipped, and so are
    lines that begin with "# " unless they can only be the token #.
    """
    shape = _shape(path)
    sentence: Sentence | None = None
    for line in chain(_lines(path), [Line(0, [])]):
        if not line.cells:
            if sentence is not None:
                yield sentence.first, *sentence.values(shape)
            sentence = None
        elif not line.hash or _is_token(line.cells, shape, begun=sentence is not None):
            sentence = sentence or Sentence(line.number)
            sentence.add(line, shape.tagged)


def _lines(path: Path) -> Iterator[Line]:
    for number, line in lines(path):
        text, problem = decoded(line)
        if problem:
            yield Line(number, [""], problem)
        elif not text.strip(" \t") or text.startswith(BOUNDARY):
            yield Line(number, [])
        else:
            yield Line(number, _cells(text), hash=text.startswith("# "))


def _cells(text: str) -> list[str]:
    """A token may be a space where tabs part the columns."""
    if "\t" not in text:
        return [cell for cell in text.split(" ") if cell]
    token, *cells = text.split("\t")
    cells = [cell.strip(" ") for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    return [token, *cells]


def _shape(path: Path) -> Shape:
    """Of the first lines that can be no comments."""
    head = list(islice((line.cells for line in _lines(path) if line.cells and not line.hash), HEAD))
    widths = Counter(map(len, head))
    if not widths:
        return Shape(0, tagged=False, bracketed=False)
    tags = [cells[-1] for cells in head if len(cells) > 1]
    return Shape(widths.most_common(1)[0][0], tagged=bool(tags), bracketed=is_bracketed(tags))


def _is_token(cells: list[str], shape: Shape, begun: bool) -> bool:
    return len(cells) == shape.width and (begun or bool(TAG.fullmatch(cells[-1])))
