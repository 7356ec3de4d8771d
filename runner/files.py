"""Files that are whole or not there: written aside, synced, renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

SETTLED_S = 2.0  # seconds after which a further write cannot have the same time as the last one
# what torch (inline_container.cc) and safetensors say instead; os error 27 and 28 are EFBIG and ENOSPC
DISK_IS_FULL = ("PytorchStreamWriter failed writing file", "unexpected pos", "os error 27", "os error 28")


@contextmanager
def replacing(path: Path, binary: bool = False, named: bool = True) -> Iterator[IO[Any]]:
    """Write a file, of text unless it is binary, that replaces `path` only when it is complete and on the disk.

    Its name is, too, unless `named` says that another file of the folder is written after it.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        how: dict[str, Any] = {"mode": "wb"} if binary else {"mode": "w", "encoding": "utf-8", "newline": "\n"}
        with naming(path), os.fdopen(handle, **how) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if named:
        sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let the error of a full disk say so and name `path`: write() names no file, torch and safetensors no disk.

    Raises:
        OSError: with a file name.
    """
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    except Exception as error:
        if not any(words in str(error) for words in DISK_IS_FULL):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


def write_text(path: Path, text: str, named: bool = True) -> None:
    """Replace a text file as a whole; see replacing."""
    with replacing(path, named=named) as file:
        file.write(text)


def write_json(path: Path, value: Any, named: bool = True) -> None:
    """Replace a JSON file as a whole; see replacing."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n", named)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, RecursionError):
        return None


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_input(path: Path) -> str:
    """The same of a file that is read: once, as long as nobody touches it."""
    with path.open("rb") as file:  # over a network, opening it asks for what it is now
        stat = os.fstat(file.fileno())
    if time.time() - max(stat.st_mtime, stat.st_ctime) < SETTLED_S:
        return sha256(path)
    return _settled(path.absolute(), (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))


@lru_cache(maxsize=4096)
def _settled(path: Path, stamp: tuple[int, ...]) -> str:
    return sha256(path)


def measures(path: Path) -> dict[str, Any]:
    """Size and sha256 of a file: what tells later whether it is as it was."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def sync_files(folder: Path) -> list[Path]:
    """Make all files below a folder survive a loss of power, readable for whom the umask allows; returns them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        os.chmod(path, 0o666 & ~_umask())
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return files


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
