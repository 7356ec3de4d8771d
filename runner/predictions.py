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
        self.count: int | None = None  # rows that there are, once the data are open
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
            return any(NOTE in line and self._otherwise(_record(line)) for line in file)

    def kept(self) -> set[int]:
        """Rows already answered; lines that are no record, come twice or are now wanted otherwise are taken out."""
        rows: set[int] = set()
        if not self.path.exists():
            return rows
        with self.path.open("rb") as file:
            position = end = 0  # of the lines read, and of those to keep
            for line in file:
                if self._keeps(line, rows):
                    end = position + len(line) if end == position else -1  # -1: a line before this one goes
                position += len(line)
        if end >= 0:
            os.truncate(self.path, end)
            return rows
        seen: set[int] = set()
        with self.path.open("rb") as file, replacing(self.path) as left:
            left.writelines(line.decode() for line in file if self._keeps(line, seen))
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
        with self.path.open(encoding="utf-8") as file, replacing(self.path, named=False) as ordered:
            for line in in_order(file):
                ordered.write(line)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keeps(self, line: bytes, rows: set[int]) -> bool:
        """Whether a line stays; its row is added to those that have one."""
        record = _record(line)
        if record is None or record["row"] in rows or self._otherwise(record):
            return False
        if self.count is not None and record["row"] >= self.count:
            return False
        rows.add(record["row"])
        return True

    def _otherwise(self, record: Mapping[str, Any] | None) -> bool:
        """Whether a row was treated otherwise than data.on_long_row now says."""
        note = str((record or {}).get("note", "")).partition(":")[0]
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


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a whole line; None for a torn one and for what is no record."""
    try:
        record = json.loads(line.decode()) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or "prediction" not in record:
        return None
    row, scores = record.get("row"), record.get("scores")
    if not isinstance(row, int) or isinstance(row, bool) or row < 0 or not isinstance(scores, dict):
        return None
    return record if None not in scores.values() else None
