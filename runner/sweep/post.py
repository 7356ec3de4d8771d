"""Messages between processes that share a directory, and perhaps no machine: lines of files that only grow."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLL_S = 0.1  # seconds between two looks
BEAT_S = 1.0  # seconds between two signs of life
LOST_S = 30.0  # seconds without one, after which whoever should write is taken for gone


@dataclass
class Outgoing:
    """A file that one process writes."""

    path: Path
    told: float = 0.0  # when, seconds, monotonic

    def send(self, *message: Any) -> None:
        """One message, as JSON; the file is closed each time, for only then do other machines see it (NFS)."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
        self.told = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time for a sign of life."""
        return time.monotonic() - self.told > BEAT_S


@dataclass
class Incoming:
    """The same file, as another process reads it."""

    path: Path
    read: int = 0  # bytes
    heard: float = field(default_factory=time.monotonic)  # when something had been written, seconds, monotonic

    def new(self) -> Iterator[Sequence[Any]]:
        """What has come since; a line that is not whole yet comes the next time."""
        with self.path.open("rb") as file:
            file.seek(self.read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.read += len(line)
                self.heard = time.monotonic()
                yield json.loads(line)

    @property
    def lost(self) -> bool:
        """Whether nothing has come for so long that nothing will."""
        return time.monotonic() - self.heard > LOST_S


@contextmanager
def held(path: Path) -> Iterator[None]:
    """As long as this process lives, the file says so to others on the same machine."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Whether the process that held the file lives; to be asked on its machine only."""
    try:
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # the folder is gone
        return False
    return False
