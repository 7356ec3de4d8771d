"""Where rows come from: files, prompts in the configuration, a dataset of the hub."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runner.data.read import Format, Item, format_of
from runner.errors import DataError
from runner.files import sha256_of_input


class Source(Protocol):
    """Rows that can be read more than once, always in the same order."""

    @property
    def label(self) -> str:
        """As messages name it."""

    def columns(self) -> list[str] | None:
        """The names of its columns; None: every row names its own."""

    def plain(self) -> list[str]:
        """Those of its columns that hold texts and numbers, as far as it is known before rows are read."""

    def items(self, wanted: Sequence[str]) -> Iterator[Item]:
        """Every row, good or bad; columns that are not wanted may be left out."""

    def digests(self) -> Mapping[str, str]:
        """What tells whether the content is the same as in another run."""

    def stamp(self) -> Any:
        """Changes when the content is written to while we read it."""


@dataclass(frozen=True)
class Files:
    """One file, or the numbered parts of one split."""

    paths: tuple[Path, ...]

    @property
    def label(self) -> str:
        """The first file's name."""
        return self.paths[0].name

    def columns(self) -> list[str] | None:
        """Those of the first file."""
        return _format(self.paths[0]).columns(self.paths[0])

    def plain(self) -> list[str]:
        """Those of the first file."""
        return _format(self.paths[0]).plain(self.paths[0])

    def items(self, wanted: Sequence[str]) -> Iterator[Item]:
        """The rows of one file after the other."""
        for path in self.paths:
            yield from _format(path).items(path, wanted)

    def digests(self) -> Mapping[str, str]:
        """File name -> sha256 of the bytes on disk; the files of a split lie in one folder."""
        return {path.name: _sha256(path) for path in self.paths}

    def stamp(self) -> Any:
        """Sizes and times of the last writes."""
        try:
            return [(s.st_size, s.st_mtime_ns) for s in (path.stat() for path in self.paths)]
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror or error}") from error


@dataclass(frozen=True)
class Prompts:
    """Rows given in the configuration itself."""

    prompts: tuple[str, ...]
    label: str = "data.prompts"

    def columns(self) -> list[str]:
        """A prompt is a text."""
        return ["text"]

    def plain(self) -> list[str]:
        """The same."""
        return self.columns()

    def items(self, wanted: Sequence[str]) -> Iterator[Item]:
        """A row per prompt."""
        for number, prompt in enumerate(self.prompts, 1):
            yield Item(f"{self.label}:{number}", {"text": prompt}, "", prompt)

    def digests(self) -> Mapping[str, str]:
        """Of their JSON."""
        text = json.dumps(list(self.prompts))
        return {"inline": hashlib.sha256(text.encode()).hexdigest()}

    def stamp(self) -> Any:
        """A configuration is frozen."""
        return None


def _format(path: Path) -> Format:
    known = format_of(path)
    assert known is not None, path  # only files of a known format are chosen
    return known


def _sha256(path: Path) -> str:
    try:
        return sha256_of_input(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
