"""How a file becomes rows, by its suffix; everything but .json is streamed, and nothing is executed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from runner.data import conll, parquet, tables
from runner.data.lines import decoded, lines
from runner.data.squad import is_article, questions
from runner.data.strict_json import as_object, elements, parsed


class Item(NamedTuple):
    """A row as it stands in its file: its values, or what is wrong with it."""

    place: str  # file:line, counted from 1; the row's number in a parquet file
    values: dict[str, Any]
    problem: str  # empty: none
    content: Any  # what is shown of a bad row: bytes, text or values


@dataclass(frozen=True)
class Format:
    """A file format: its column names, and its rows."""

    columns: Callable[[Path], list[str] | None]  # None: every row names its own
    items: Callable[[Path, Sequence[str]], Iterator[Item]]  # of the wanted columns; a reader may give more
    plain: Callable[[Path], list[str]] = lambda path: []  # what must be wanted to be given: columns of texts, numbers


def format_of(path: Path) -> Format | None:
    """The format that the file's suffix names, None when it names none; .gz may follow all but .parquet."""
    name = path.name.lower()
    if name.endswith(".gz"):
        name = name.removesuffix(".gz")
        return None if name.endswith(".parquet") else FORMATS.get(Path(name).suffix)
    return FORMATS.get(Path(name).suffix)


def txt_items(path: Path, wanted: Sequence[str]) -> Iterator[Item]:
    """A row per line under `text`; blank lines separate rows and are none."""
    for number, line in lines(path):
        text, problem = decoded(line)
        if problem or (text and not text.isspace()):
            yield Item(f"{path.name}:{number}", {"text": text}, problem, line)


def jsonl_items(path: Path, wanted: Sequence[str]) -> Iterator[Item]:
    """An object per line; blank lines are skipped."""
    for number, line in lines(path):
        if not line or line.isspace():
            continue
        text, problem = decoded(line)
        values: dict[str, Any] = {}
        if not problem:
            values, problem = parsed(text)
        yield Item(f"{path.name}:{number}", values, problem, line)


def json_items(path: Path, wanted: Sequence[str]) -> Iterator[Item]:
    """A list of objects, {"data": [...]}, an object per line, as many a .json file holds, or the articles of SQuAD."""
    if _is_jsonl(path):
        yield from jsonl_items(path, wanted)
        return
    numbers = count(1)
    for number, element, doubled in elements(path):
        if is_article(element) and not doubled:
            for where, values, problem in questions(element, numbers):
                yield Item(f"{path.name}:{number} {where}", values, problem, values)
            continue
        values, problem = as_object(element)
        yield Item(f"{path.name}:{number}", values, doubled or problem, element)


def table_items(path: Path, wanted: Sequence[str], cut: tables.Cut) -> Iterator[Item]:
    """A row of cells under the names of the header."""
    for row, values in tables.values(path, cut):
        yield Item(f"{path.name}:{row.line}", values, row.problem, values or row.cells)


def conll_items(path: Path, wanted: Sequence[str]) -> Iterator[Item]:
    """A row per sentence."""
    for number, values, problem in conll.sentences(path):
        yield Item(f"{path.name}:{number}", dict(values), problem, values)


def parquet_items(path: Path, wanted: Sequence[str]) -> Iterator[Item]:
    """The rows of record batches."""
    for number, values, problem in parquet.rows(path, wanted):
        yield Item(f"{path.name}:{number}", values, problem, values)


def _is_jsonl(path: Path) -> bool:
    """Whether the first line is a whole object by itself that holds no "data" list."""
    for _, line in lines(path):
        if line and not line.isspace():
            values, problem = parsed(decoded(line)[0])
            return not problem and not isinstance(values.get("data"), list)
    return False


FORMATS = {
    ".txt": Format(lambda path: ["text"], txt_items),
    ".jsonl": Format(lambda path: None, jsonl_items),
    ".json": Format(lambda path: None, json_items),
    ".csv": Format(partial(tables.header, cut=tables.csv_cells), partial(table_items, cut=tables.csv_cells)),
    ".tsv": Format(partial(tables.header, cut=tables.tsv_cells), partial(table_items, cut=tables.tsv_cells)),
    ".parquet": Format(parquet.columns, parquet_items, parquet.plain),
    ".conll": Format(conll.columns, conll_items),
    ".bio": Format(conll.columns, conll_items),
    ".iob": Format(conll.columns, conll_items),
}
