"""The rows of csv and tsv files as text: "NA", "null" and empty cells stay what they are."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.data.lines import lines
from runner.errors import DataError

CELL = 1 << 26  # characters in the longest cell of a csv file; the library's default is 131,072


class Cells(NamedTuple):
    """A row as cells, or what is wrong with it."""

    line: int  # on which it begins, from 1
    cells: list[str]
    problem: str = ""


Cut = Callable[[Path], Iterator[Cells]]


def csv_cells(path: Path) -> Iterator[Cells]:
    """Rows of comma-separated cells; a quoted cell may hold line ends.

    Bytes that are not UTF-8 become surrogates (PEP 383), which `values` tells.

    Raises:
        DataError: when a quote opens on one line and goes wrong on another: how many rows it swallowed is not known.
    """
    csv.field_size_limit(max(CELL, csv.field_size_limit()))  # of the process: only ever raised
    reader = csv.reader((line.decode(errors="surrogateescape") + "\n" for _, line in lines(path)), strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > begin or "end of data" in str(error):
                raise DataError(f"{path.name}:{begin}: a quote opens here and is not closed ({error})") from error
            yield Cells(begin, [], f"has a quote out of place ({error})")
            continue
        if cells:
            yield Cells(begin, cells)


def tsv_cells(path: Path) -> Iterator[Cells]:
    """Rows of tab-separated cells, one per line; a cell that is quoted as a whole loses its quotes."""
    for number, line in lines(path):
        if line:
            yield Cells(number, [_unquoted(c) for c in line.decode(errors="surrogateescape").split("\t")])


def header(path: Path, cut: Cut) -> list[str]:
    """The column names; none for an empty file."""
    first = next(cut(path), Cells(1, []))
    problem = first.problem
    if not problem and len(set(first.cells)) != len(first.cells):
        twice = next(n for n in first.cells if first.cells.count(n) > 1)
        problem = f"column {twice!r} stands twice in the header: rename one of them"
    if problem or _not_utf8(first.cells):
        raise DataError(f"{path.name}:{first.line}: {problem or _not_utf8(first.cells)}")
    return first.cells


def values(path: Path, cut: Cut) -> Iterator[tuple[Cells, dict[str, str]]]:
    """Every row under its header, with what is wrong with it."""
    names = header(path, cut)
    rows = cut(path)
    next(rows, None)
    for row in rows:
        problem = row.problem or _not_utf8(row.cells)
        if not problem and len(row.cells) != len(names):
            problem = f"has {len(row.cells)} cells, but the header names {len(names)} columns"
        yield row._replace(problem=problem), dict(zip(names, row.cells, strict=False))


def _unquoted(cell: str) -> str:
    """Quotes that are part of a sentence stay; "" within a quoted cell is one quote."""
    if cell[:1] != '"' or cell[-1:] != '"' or len(cell) < 2:
        return cell
    inner = cell[1:-1]
    return cell if '"' in inner.replace('""', "") else inner.replace('""', '"')


def _not_utf8(cells: Sequence[str]) -> str:
    text = "".join(cells)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"is not UTF-8: byte 0x{ord(text[error.start]) - 0xDC00:02x}"
    return ""
