"""predictions.jsonl: whole lines only, appended as rows finish, in the order of the rows at the end."""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.files import naming, replacing

TREATED = {"skip": "skipped", "truncate": "truncated"}  # data.on_long_row: how the note of such a row begins
NOTE = b'"note": "'  # within a text its quotes would be escaped


class Predictions:
    """The answered rows of one run directory."""

    def __init__(self, directory: Path, on_long_row: str):
        self.path = directory / "predictions.jsonl"
        self.treated = TREATED.get(on_long_row, "")  # what a row longer than the context is now; "": refused
        self._file: Any = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """What has been answered, in the file's order."""
        if self.path.exists():
            with self.path.open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)

    @property
    def begun(self) -> bool:
        """Whether any row has been answered."""
        return self.path.is_file() and self.path.stat().st_size > 0

    @property
    def stale(self) -> bool:
        """Whether a row was left out or cut that data.on_long_row now wants otherwise."""
        with self.path.open("rb") as file:
            return any(self._otherwise(line) for line in file)

    def kept(self) -> set[int]:
        """Rows already answered; a torn last line, and rows now wanted otherwise, are taken out of the file."""
        rows: set[int] = set()
        if not self.path.exists():
            return rows
        whole, stale = 0, False
        with self.path.open("rb") as file:
            for line in file:
                row = _row(line)
                if row is None:
                    break
                whole += len(line)
                if self._otherwise(line):
                    stale = True
                else:
                    rows.add(row)
        os.truncate(self.path, whole)
        if stale:
            with self.path.open("rb") as file, replacing(self.path) as left:
                left.writelines(line.decode() for line in file if not self._otherwise(line))
        return rows

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add finished rows, whole lines only, and sync them to the disk once."""
        if self._file is None:
            self._file = self.path.open("ab")
        lines = b"".join(json.dumps(r, ensure_ascii=False).encode(errors="replace") + b"\n" for r in records)
        if lines:
            start = self._file.tell()
            try:
                with naming(self.path):
                    self._file.write(lines)
                    self._file.flush()
                    os.fsync(self._file.fileno())
            except OSError:
                self._file = None
                os.truncate(self.path, start)
                raise

    def order(self) -> None:
        """Put the rows in order; memory is bounded by how far they are out of order."""
        self.close()
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as file, replacing(self.path) as ordered:
            for line in in_order(file):
                ordered.write(line)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _otherwise(self, line: bytes) -> bool:
        """Whether the row of this line was treated otherwise than data.on_long_row now says."""
        if NOTE not in line:
            return False
        note = str(json.loads(line).get("note", "")).partition(":")[0]
        return note in TREATED.values() and note != self.treated


def in_order(lines: Iterable[str]) -> Iterator[str]:
    """JSON lines sorted by `row`; each row once."""
    waiting: list[tuple[int, str]] = []
    expected = 0
    for line in lines:
        heapq.heappush(waiting, (json.loads(line)["row"], line))
        while waiting and waiting[0][0] <= expected:
            row, first = heapq.heappop(waiting)
            if row == expected:
                yield first
                expected += 1
    last = expected - 1
    while waiting:
        row, first = heapq.heappop(waiting)
        if row > last:
            yield first
            last = row


def _row(line: bytes) -> int | None:
    """The row of a whole line; None for a torn one."""
    try:
        row = json.loads(line)["row"] if line.endswith(b"\n") else None
    except (ValueError, KeyError, TypeError):
        return None
    return row if isinstance(row, int) else None
