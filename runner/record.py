"""The run directory: it tells all, survives anything, and is never overwritten by another run."""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import re
import shutil
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.config import Config, fingerprint, plain, redacted
from runner.errors import RecordError, RunFailed, RunnerError, Stopped
from runner.files import naming, read_json, replacing, write_json, write_text

SAFE = re.compile(r"[^\w.=,+-]+")
HUMAN = 60  # most characters of a directory's name that tell what was overridden
LONGEST = 100  # most bytes of each part of a directory's name: file systems take 255 for the whole


class Record:
    """One run's directory, locked while it is open.

    States: running -> done | stopped | failed. `done` is written last and is what makes a run done.
    """

    def __init__(self, config: Config, overrides: Sequence[str] = ()):
        self.config = config
        self.id = fingerprint(config)
        folder = Path(config.output_dir) / (_safe(config.task.name) or "task")
        known = sorted(folder.glob(f"*-{self.id}"))  # the same run, asked for in other words
        self.directory = known[0] if known else folder / self._name(overrides)
        self.overrides = [str(redacted(text)) for text in overrides]
        self.status: dict[str, Any] = {}
        self._predictions: Any = None
        self._lock: Any = None

    @property
    def done(self) -> bool:
        """Whether this run is finished and need not be run again."""
        if self.config.rerun or not (self.directory / "predictions.jsonl").is_file():
            return False
        status = read_json(self.directory / "status.json")
        return isinstance(status, dict) and status.get("state") == "done"

    @contextmanager
    def open(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the directory while the run works in it; however that ends is written to status.json.

        Raises:
            RecordError: the directory cannot be written or is in use.
            RunFailed: the disk is full or read-only, told as such.
        """
        try:
            self._begin(say)
            yield
            self._finish()
        except OSError as error:
            told = _told_as_disk_error(error, self.directory)
            self._fail(told or error)
            if told is None:
                raise
            raise told from error
        except RecordError:
            raise
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._close()

    def _begin(self, say: Callable[[str], None]) -> None:
        """Lock the directory and say that the run is running; where nothing can be written, nothing is left behind."""
        made = [folder for folder in (self.directory, *self.directory.parents) if not folder.exists()]
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._acquire()
            self._start(say)
        except OSError as error:
            self._close()
            if made:
                shutil.rmtree(self.directory, ignore_errors=True)
            with suppress(OSError):  # not made either, or another run has begun beside this one
                for folder in made[1:]:
                    folder.rmdir()
            raise RecordError(f"cannot write to {self.directory}: {(error.strerror or str(error)).lower()}") from error

    def _start(self, say: Callable[[str], None]) -> None:
        before = read_json(self.directory / "status.json")
        attempt = before.get("attempt") if isinstance(before, dict) else None
        if not isinstance(attempt, int):
            attempt = 0
            if (self.directory / "status.json").exists():
                say("status.json is damaged: the run is treated as unfinished")
        self._clear(everything=self.config.rerun)
        self.status = {"state": "running", "attempt": attempt + 1, "started": now(), **_process()}
        write_json(self.directory / "status.json", self.status)
        write_text(self.directory / "config.yaml", _yaml(redacted(plain(self.config))))
        write_text(self.directory / "overrides.txt", "".join(f"{text}\n" for text in self.overrides))
        self.log(f"attempt {attempt + 1}, pid {os.getpid()} on {socket.gethostname()}")

    def kept(self) -> set[int]:
        """Rows already answered; a torn last line is cut off so that its row is answered again."""
        path = self.directory / "predictions.jsonl"
        rows: set[int] = set()
        if not path.exists():
            return rows
        whole = 0
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    rows.add(json.loads(line)["row"])
                except (ValueError, KeyError, TypeError):
                    break
                whole += len(line)
        os.truncate(path, whole)
        return rows

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add finished rows, whole lines only, and sync them to the disk once."""
        path = self.directory / "predictions.jsonl"
        if self._predictions is None:
            self._predictions = path.open("ab")
        lines = b"".join(json.dumps(r, ensure_ascii=False).encode(errors="replace") + b"\n" for r in records)
        if lines:
            start = self._predictions.tell()
            try:
                with naming(path):
                    self._predictions.write(lines)
                    self._predictions.flush()
                    os.fsync(self._predictions.fileno())
            except OSError:
                self._predictions = None
                os.truncate(path, start)
                raise

    def order(self) -> None:
        """Put predictions.jsonl into the order of the rows; memory is bounded by how far they are out of order."""
        path = self.directory / "predictions.jsonl"
        if self._predictions is not None:
            self._predictions.close()
            self._predictions = None
        if not path.exists():
            return
        with path.open(encoding="utf-8") as file, replacing(path) as ordered:
            for line in in_order(file):
                ordered.write(line)

    def predictions(self) -> Iterator[dict[str, Any]]:
        """What has been answered, in the file's order."""
        path = self.directory / "predictions.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)

    def write(self, name: str, value: Any) -> None:
        """A JSON file of the run directory, as a whole."""
        write_json(self.directory / name, redacted(value))

    def log(self, line: str) -> None:
        """A line of log.txt with its time; nothing before the directory is locked."""
        if self._lock is None:
            return
        path = self.directory / "log.txt"
        # a full disk stops the run where rows are written, not here
        with suppress(OSError), path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{now()} {redacted(line)}\n")

    def _finish(self) -> None:
        self._end("done")
        latest = Path(self.config.output_dir) / "latest"
        temporary = latest.with_name(f".latest-{os.getpid()}")
        with suppress(OSError):  # a convenience: not every file system has links, and something else may have the name
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(os.path.relpath(self.directory, latest.parent))
            os.replace(temporary, latest)

    def _fail(self, error: BaseException) -> None:
        if not self.status:
            return
        stopped = isinstance(error, Stopped | KeyboardInterrupt)
        told = {"error": str(error) or type(error).__name__}
        if not stopped and not isinstance(error, RunnerError):
            told["traceback"] = "".join(traceback.format_exception(error))
        with suppress(OSError):  # a full disk has been told already
            self._end("stopped" if stopped else "failed", **told)

    def _close(self) -> None:
        if self._predictions is not None:
            self._predictions.close()
            self._predictions = None
        if self._lock is not None:
            with suppress(OSError):  # on a full disk it cannot even take the owner's name
                self._lock.close()
            self._lock = None

    def _name(self, overrides: Sequence[str]) -> str:
        checkpoint = self.config.checkpoint
        source = checkpoint.name_or_path or (checkpoint.architecture or {}).get("model_type", "random")
        unsaid = ("task=", "checkpoint", "output_dir=", "rerun=", "seed=0")
        said = [text for text in overrides if not text.startswith(unsaid)]
        human = _safe(",".join(text.rpartition("/")[2] for text in said)[:HUMAN])
        parts = [_safe(str(source).rstrip("/").rpartition("/")[2][:40]) or "checkpoint", human, self.id]
        return "-".join(part for part in parts if part)

    def _acquire(self) -> None:
        self._lock = (self.directory / ".lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "another process"
            self._lock.close()
            self._lock = None
            raise RecordError(f"{self.directory} is in use by {owner}") from error
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
        self._lock.flush()

    def _clear(self, everything: bool) -> None:
        """Remove what a killed process had not finished writing, or everything.

        The status goes first and the manifest last: killed in between, the directory is neither done nor without the
        hashes of the inputs that its rows came from.
        """
        order = {"status.json": 0, "manifest.json": 2}
        for path in sorted(self.directory.iterdir(), key=lambda path: order.get(path.name, 1)):
            if path.name != ".lock" and (everything or path.name.startswith(".")):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _end(self, state: str, **facts: Any) -> None:
        self.status |= {"state": state, "ended": now(), **facts}
        write_json(self.directory / "status.json", redacted(self.status))
        self.log(": ".join([state, *([facts["error"]] if "error" in facts else [])]))


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


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _safe(text: str) -> str:
    """What a directory may be named after: no separators, no dots at the ends, not too long."""
    return SAFE.sub("_", text).encode(errors="ignore")[:LONGEST].decode(errors="ignore").strip("_.,-")


def _told_as_disk_error(error: OSError, directory: Path) -> RunFailed | None:
    if error.errno not in (28, 30, 122, 27):  # ENOSPC, EROFS, EDQUOT, EFBIG
        return None
    where = error.filename or directory
    usage = shutil.disk_usage(directory)
    if error.errno == 30:
        return RunFailed(f"cannot write {where}: the disk is read-only")
    return RunFailed(f"no space left writing {where} ({usage.free // 1024} of {usage.total // 1024} KB free)")


def _process() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname()}


def _yaml(values: Any) -> str:
    from omegaconf import OmegaConf

    text: str = OmegaConf.to_yaml(OmegaConf.create(values))
    return text
