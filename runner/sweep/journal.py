"""A journal of trials in the sweep's directory, for file systems on which SQLite cannot lock."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RecordError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def journal(path: Path) -> BaseStorage:
    """The journal of a file; the sweep's lock says that nobody else writes to it.

    Raises:
        RecordError: a line before the last is damaged.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    Path(f"{path}.lock").unlink(missing_ok=True)  # of a process that was killed: Optuna would wait for half a minute
    _mend(path)
    return JournalStorage(JournalFileBackend(str(path)))


def _mend(path: Path) -> None:
    """Cut off what a kill or a full disk has left of a line at the end; Optuna would not read on behind it."""
    end, number, size = 0, 0, path.stat().st_size if path.exists() else 0
    if not size:
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):  # noqa: B007
            if not _whole(line):
                break
            end += len(line)
        rest = file.read()
    if rest:
        raise RecordError(f"{path} is damaged at line {number}: move it away, and the same command makes it anew")
    if end < size:
        os.truncate(path, end)


def _whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False
