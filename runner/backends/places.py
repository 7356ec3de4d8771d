"""A name as people write it -> where its files lie: embedded, a local folder, or the hub."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from runner.backends import hub
from runner.errors import CheckpointError, nearest

ASSETS = Path(__file__).parents[1] / "assets"
HUB_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
LONGEST = 1024  # characters; a longer name is a mistake, and no file system takes it


@dataclass(frozen=True)
class Place:
    """Where a checkpoint or a tokenizer lies; `repository` is set for hub ids."""

    name: str
    path: Path  # a folder, or a file where a file was given
    repository: hub.Repository | None = None

    @property
    def commit(self) -> str | None:
        """The commit of a hub id."""
        return self.repository.commit if self.repository else None

    def fetch(self, patterns: Sequence[str]) -> None:
        """Make sure that the files are here; a local folder has what it has."""
        if self.repository is not None:
            self.repository.fetch(patterns)


def place(name: str, revision: str | None, patterns: Sequence[str], key: str) -> Place:
    """Embedded names before local paths before hub ids, of which the files that match are fetched.

    Raises:
        CheckpointError: when it is none of them; `key` is the option that gave the name.
    """
    if not name or len(name) > LONGEST or any(ord(c) < 32 for c in name):
        raise CheckpointError(f"{key}={name[:80]!r} is neither an embedded name, a folder nor a hub id")
    if name in embedded_names():
        return _local(name, ASSETS / name, revision, key)
    path = Path(name).expanduser() if name.startswith("~/") else Path(name)
    if _exists(path, name, key):
        return _local(path.resolve().name, path, revision, key)
    if not HUB_NAME.fullmatch(name) or ".." in name:
        what = "checkpoint path" if key.endswith("path") else f"{key} path"
        raise CheckpointError(f"{what} {name} does not exist{_near(path)}")
    repository = hub.resolve(name, revision, also=_near(path) if "/" in name else _near_embedded(name))
    return Place(name, repository.fetch(patterns), repository)


def written(name: str) -> str:
    """The name of a place as it is kept in a file: of a local folder the absolute path."""
    path = Path(name).expanduser()
    return name if name in embedded_names() or not path.exists() else str(path.resolve())


def embedded_names() -> list[str]:
    """The checkpoints that come with the product."""
    return sorted(config.parent.name for config in ASSETS.glob("*/config.json"))


def _local(name: str, path: Path, revision: str | None, key: str) -> Place:
    if not path.is_dir() and not path.is_file():
        raise CheckpointError(f"{key}={path} is neither a folder nor a file")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise CheckpointError(f"{key}={path} cannot be read: Permission denied")
    if revision is not None:
        raise CheckpointError(f"checkpoint.revision={revision} is for hub ids, but {key}={path} is a folder here")
    return Place(name, path)


def _exists(path: Path, name: str, key: str) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a part too long for the file system, or a folder that may not be read
        raise CheckpointError(f"{key}={name[:80]}: {error.strerror}") from error


def _near(path: Path) -> str:
    """What lies beside a path that does not exist, as the end of a message."""
    folder = path.parent
    try:
        if not folder.is_dir():
            return f"; nor does {folder}" if folder.is_absolute() or ".." in folder.parts else ""
        beside = sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith((".", "_")))
    except OSError as error:
        return f"; {folder} cannot be read: {error.strerror}"
    return f"; in {folder} {nearest(path.name, beside)}" if beside else ""


def _near_embedded(name: str) -> str:
    """Embedded names are told when one of them may have been meant."""
    close = get_close_matches(name, embedded_names(), n=3, cutoff=0.5)
    return f"; embedded: {', '.join(close)}" if close else ""
