"""The files of a checkpoint: which ones matter, what they hold, their sha256."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from runner.errors import CheckpointError
from runner.files import sha256_of_input

CONFIG = ("config.json", "generation_config.json")
VOCABULARY = (  # any of them can hold a tokenizer's vocabulary
    "tokenizer.json",
    "*vocab*.txt",
    "*vocab*.json",
    "merges.txt",
    "*.model",
    "*.spm",
    "*.tiktoken",
    "tekken.json",
    "bpe.codes",
    "dict.txt",
)
PROCESSOR = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "normalizer.json",
    "chat_template.*",
    "*processor_config.json",
)
CODE = ("*.py",)  # only of checkpoints that are trusted to run code

LFS_POINTER = b"version https://git-lfs"
BLOB = re.compile(r"[0-9a-f]{64}")


def matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files of a folder, not of its subfolders, whose names match; sorted."""
    with _told(folder):
        return sorted(f for f in folder.iterdir() if any(fnmatch(f.name, p) for p in patterns) and f.is_file())


def holds(folder: Path) -> str:
    """What a folder holds, as the end of a message."""
    with _told(folder):
        names = sorted(f.name for f in folder.iterdir())
    if not names:
        return "it is empty"
    return f"it holds {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}"


def read_object(path: Path, where: str) -> dict[str, Any]:
    """A JSON object; `where` begins the message.

    Raises:
        CheckpointError: when the file cannot be read, or does not hold a JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{where}: {path.name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        reason = lfs_problem(path) or f"is damaged: {str(error) or 'nested too deeply'}"
        raise CheckpointError(f"{where}: {path.name} {reason}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: {path.name} is damaged: an object is expected, not {type(value).__name__}")
    return value


def lfs_problem(path: Path) -> str | None:
    """Told when a file is only the pointer that git leaves in place of a large file."""
    with _told(path), path.open("rb") as file:
        pointer = file.read(len(LFS_POINTER)) == LFS_POINTER
    return "is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`" if pointer else None


def digests(files: Iterable[Path]) -> dict[str, str]:
    """File name -> sha256."""
    return {file.name: _digest(file) for file in files}


def _digest(path: Path) -> str:
    """The sha256; the hub's cache names large files by theirs, which spares reading them."""
    target = path.resolve()
    if path.is_symlink() and target.parent.name == "blobs" and BLOB.fullmatch(target.name):
        return target.name
    with _told(path):
        return sha256_of_input(path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
