"""The run directory: it tells all, survives anything, and is never overwritten by another run."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.config import Config, plain
from runner.errors import FAILED, REFUSED, Pruned, RecordError, RunFailed, RunnerError, Stopped
from runner.files import measures, read_json, write_json, write_text
from runner.fingerprint import fingerprint
from runner.manifest import read_manifest
from runner.naming import directory_name, safe
from runner.predictions import Predictions
from runner.secret import redacted

BEFORE = ".before"  # what a rerun is to replace, kept until the rerun is done
MOVING = ".before.moving"  # the same while it is being moved there
OUTPUTS = {  # what a done run must still hold, and what is done where it does not
    "predictions.jsonl": "missing rows are answered again",
    "metrics.json": "computed again",
}
FILES = (*OUTPUTS, "status.json", "manifest.json", "timing.json", "config.yaml", "overrides.txt", "log.txt",
         "training.jsonl", "rejected.jsonl", "report.html")  # fmt: skip
FOLDERS = ("training", "checkpoint")


class Record:
    """One run's directory, locked while it is open.

    States: running -> done | stopped | pruned | failed. `done` is written last and is what makes a run done.
    """

    def __init__(self, config: Config, overrides: Sequence[str] = ()):
        self.config = config
        self.id = fingerprint(config)
        folder = Path(config.output_dir) / (safe(config.task.name) or "task")
        known = sorted(folder.glob(f"*-{self.id}"))  # the same run, asked for in other words
        self.directory = known[0] if known else folder / directory_name(config, overrides, self.id)
        self.predictions = Predictions(self.directory, config.on_long_row)
        # rerun says what to do with a directory, not what the run is: the command that is kept deletes nothing
        self.overrides = [str(redacted(text)) for text in overrides if not text.lstrip("+").startswith("rerun=")]
        self.anew = config.rerun and not self.rerunning  # begin from nothing
        self.status: dict[str, Any] = {}
        self._expected: Any = None  # predictions.jsonl when the run was done, where it has been altered since
        self._lock: Any = None

    @property
    def done(self) -> bool:
        """Whether this run is finished and need not be run again."""
        return not self.config.rerun and self._finished and not self.predictions.stale

    @property
    def rerunning(self) -> bool:
        """Whether a rerun has begun here and is not done."""
        begun = any((self.directory / name).is_dir() for name in (BEFORE, MOVING))
        return begun and not self._lost and not self._finished

    @property
    def _finished(self) -> bool:
        status = self._read_status()
        return status.get("state") == "done" and not self._altered(status)

    @property
    def _lost(self) -> bool:
        """Whether a training has no checkpoint left to go on from."""
        training = self.directory / "training"
        return any(training.glob("damaged-checkpoint-*")) and not any(training.glob("checkpoint-*"))

    def _read_status(self) -> dict[str, Any]:
        """status.json; empty when it is missing or damaged."""
        status = read_json(self.directory / "status.json")
        return status if isinstance(status, dict) else {}

    def _altered(self, status: Mapping[str, Any]) -> list[str]:
        """Outputs that are not as they were when the run was done."""
        known = status.get("outputs")
        if known is None:  # done by a runner that did not write them down
            return [] if self.predictions.path.is_file() else [self.predictions.path.name]
        known = known if isinstance(known, dict) else {}
        paths = [self.directory / name for name in OUTPUTS]
        return [path.name for path in paths if known.get(path.name) != (measures(path) if path.is_file() else None)]

    @property
    def _worked(self) -> bool:
        """Whether a row has been answered or training has begun."""
        return self.predictions.begun or any((self.directory / name).is_dir() for name in FOLDERS)

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
            self._finish(say)
        except OSError as error:
            told = disk_error(error, self.directory)
            self._fail(told or error)
            if told is None:
                raise
            raise told from error
        except RecordError:
            raise
        except BaseException as error:
            if isinstance(error, RunnerError) and error.exit_code == REFUSED and self._worked:
                error.exit_code = FAILED
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
        before = self._read_status()
        attempt = before.get("attempt")
        if not isinstance(attempt, int):
            attempt = 0
            if (self.directory / "status.json").exists():
                say("status.json is damaged: the run is treated as unfinished")
        if before.get("state") == "done" and not self.anew:
            self._mend(before, say)
        self._tidy(say)
        self._check_names()
        if read_manifest(self.directory) is None:
            (self.directory / "manifest.json").unlink()
        self.status = {"state": "running", "attempt": attempt + 1, "started": now(), **_process()}
        write_json(self.directory / "status.json", self.status)
        config = _yaml(redacted(plain(self.config) | {"rerun": False}))
        write_text(self.directory / "config.yaml", config, named=False)  # as all others, by the status at the end
        write_text(self.directory / "overrides.txt", "".join(f"{text}\n" for text in self.overrides), named=False)
        self.log(f"attempt {attempt + 1}, pid {os.getpid()} on {socket.gethostname()}")

    def _mend(self, before: Mapping[str, Any], say: Callable[[str], None]) -> None:
        altered = self._altered(before)
        for name in altered:
            say(f"{name} is not as it was when the run was done: {OUTPUTS[name]}")
        if self.predictions.path.name in altered and isinstance(before.get("outputs"), dict):
            self._expected = before["outputs"].get(self.predictions.path.name)

    def _check_names(self) -> None:
        """Raises RecordError where something of another kind has the name of what is written here."""
        for kind, names in (("directory", FILES), ("file", FOLDERS)):
            for path in (self.directory / name for name in names):
                if path.is_dir() if kind == "directory" else path.exists() and not path.is_dir():
                    raise RecordError(f"{path} is a {kind}, and the run needs the name: move it away")

    def write(self, name: str, value: Any) -> None:
        """A JSON file of the run directory, as a whole."""
        write_json(self.directory / name, redacted(value), named=False)

    def log(self, line: str) -> None:
        """A line of log.txt with its time; nothing before the directory is locked."""
        if self._lock is None:
            return
        path = self.directory / "log.txt"
        # a full disk stops the run where rows are written, not here
        with suppress(OSError), path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{now()} {redacted(line)}\n")

    def _finish(self, say: Callable[[str], None]) -> None:
        outputs = {name: measures(self.directory / name) for name in OUTPUTS if (self.directory / name).is_file()}
        if self._expected not in (None, outputs.get(self.predictions.path.name)):
            say("predictions.jsonl is other than when the run was done before: rerun=true answers every row again")
        self._end("done", outputs=outputs)
        shutil.rmtree(self.directory / BEFORE, ignore_errors=True)
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
        told = {"error": _said(error)}
        if not stopped and not isinstance(error, RunnerError):
            told["traceback"] = "".join(traceback.format_exception(error))
        with suppress(OSError):  # a full disk has been told already
            self._end("pruned" if isinstance(error, Pruned) else "stopped" if stopped else "failed", **told)

    def _close(self) -> None:
        self.predictions.close()
        if self._lock is not None:
            with suppress(OSError):  # on a full disk it cannot even take the owner's name
                self._lock.close()
            self._lock = None

    def _acquire(self) -> None:
        self._lock = (self.directory / ".lock").open("a+", errors="replace")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "another process"
            self._lock.close()
            self._lock = None
            raise RecordError(f"{self.directory} is in use by {owner}", in_use=True) from error
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
        self._lock.flush()

    def _tidy(self, say: Callable[[str], None]) -> None:
        """Remove what a killed process had not finished writing; what is run again is set aside until that is done."""
        before, moving = self.directory / BEFORE, self.directory / MOVING
        if self.anew and (self.directory / "status.json").exists():
            if self._finished or not before.exists():
                shutil.rmtree(before, ignore_errors=True)
                moving.mkdir()
            else:  # a rerun that cannot go on, its inputs have changed
                self._remove(lambda path: True)
        if moving.exists():
            self._set_aside(moving)
            moving.rename(before)
        self._remove(lambda path: path.name.startswith("."))
        if before.exists():
            say(f"what was here is kept in {before} until this run is done")

    def _set_aside(self, aside: Path) -> None:
        """The status goes first: killed in between, the directory is not done, and the next start moves the rest."""
        for path in sorted(self.directory.iterdir(), key=lambda path: path.name != "status.json"):
            if not path.name.startswith("."):
                path.rename(aside / path.name)

    def _remove(self, unwanted: Callable[[Path], bool]) -> None:
        """The status first and the manifest last, so that no row is left without the hashes of what it came from."""
        order = {"status.json": 0, "manifest.json": 2}
        for path in sorted(self.directory.iterdir(), key=lambda path: order.get(path.name, 1)):
            if path.name not in (".lock", BEFORE) and unwanted(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _end(self, state: str, **facts: Any) -> None:
        self.status |= {"state": state, "ended": now(), **facts}
        write_json(self.directory / "status.json", redacted(self.status))
        self.log(": ".join([state, *([facts["error"]] if "error" in facts else [])]))


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def disk_error(error: OSError, directory: Path) -> RunFailed | None:
    """What is told of a disk that is full or read-only; None of any other error."""
    if error.errno not in (28, 30, 122, 27):  # ENOSPC, EROFS, EDQUOT, EFBIG
        return None
    where = error.filename or directory
    usage = shutil.disk_usage(directory)
    if error.errno == 30:
        return RunFailed(f"cannot write {where}: the disk is read-only")
    return RunFailed(f"no space left writing {where} ({usage.free // 1024} of {usage.total // 1024} KB free)")


def _said(error: BaseException) -> str:
    """In one line, unless it is an error of the runner's own."""
    if isinstance(error, RunnerError):
        return str(error)
    if isinstance(error, SystemExit):
        return f"process ended with code {error.code}"
    return f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")


def _process() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname()}


def _yaml(values: Any) -> str:
    """As OmegaConf writes it; by libyaml, in a third of the time, where that is there and escapes no character."""
    import yaml
    from omegaconf._utils import OmegaConfDumper

    escapes = max(repr(values)) > "\uffff"  # emoji
    kind = yaml.SafeDumper if escapes else getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    dumper: Any = type("Dumper", (kind,), {})
    dumper.add_representer(str, OmegaConfDumper.str_representer)
    text: str = yaml.dump(values, Dumper=dumper, allow_unicode=True, sort_keys=False)
    return text
