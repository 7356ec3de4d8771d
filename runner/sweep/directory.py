"""The directory of a sweep: its plan, what it was asked for, and a lock while it is worked off."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from runner.errors import RecordError
from runner.files import read_json, write_json
from runner.manifest import code
from runner.naming import HUMAN, safe
from runner.record import now
from runner.usage import config_dir

FOLDER = "sweeps"  # below output_dir
FILE = "sweep.json"
ALIVE = "alive"  # when a sweep gave its last sign of life, seconds since 1970; there as long as it works
ENDING = ("counts", "refused", "total", "ended")  # what an attempt says at its end


def place(output_dir: str, name: str, told: Sequence[str], asked: Mapping[str, Any]) -> Path:
    """Where the sweep of a command is; the same command, the same place.

    Args:
        output_dir: of its jobs.
        name: a human name, or that of the task.
        told: the keys that vary.
        asked: what determines which jobs there are.
    """
    digest = hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()[:8]
    said = safe("-".join([name, *(key.rpartition(".")[2] for key in told)])[:HUMAN])
    return Path(output_dir) / FOLDER / f"{said}-{digest}"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Only one process plans a sweep and works it off.

    Raises:
        RecordError: the directory cannot be made, or another process is at it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / ".lock").open("a+", errors="replace")
    except OSError as error:
        raise RecordError(f"cannot write to {directory}: {(error.strerror or str(error)).lower()}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise RecordError(f"{directory} is in use by {owner}", in_use=True) from error
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def read(directory: Path) -> dict[str, Any]:
    """What sweep.json says.

    Raises:
        RecordError: there is none.
    """
    known = read_json(directory / FILE)
    if not isinstance(known, dict) or not isinstance(known.get("asked"), dict):
        raise RecordError(f"{directory} holds no sweep: its {FILE} is missing or damaged")
    return known


def begin(
    directory: Path, asked: Mapping[str, Any], once: Mapping[str, Any], this: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """What sweep.json says, with this attempt; and what is other than when the sweep was planned, a line each.

    Args:
        directory: of the sweep.
        asked: what determines which jobs there are.
        once: what stays as it was when the sweep was planned.
        this: what is said of this attempt alone.

    Raises:
        RecordError: the directory holds another sweep, or was planned in another working directory.
    """
    for left in directory.glob(".*.*"):  # what an attempt that was killed had not quite written
        left.unlink(missing_ok=True)
    path = directory / FILE
    known = read_json(path)
    known = known if isinstance(known, dict) else {}
    if known and known.get("asked") != asked:
        raise RecordError(
            f"{directory} holds a different sweep: its command was {' '.join(known['asked'].get('command', []))}"
        )
    commit = (code() or {}).get("commit")
    made: dict[str, Any] = {
        "asked": dict(asked), "planned": known.get("began", now()), "commit": commit,
        "configurations": _hash(config_dir()), "working_directory": os.getcwd(), **once,
    }  # fmt: skip
    told = []
    if known and known.get("configurations") != made["configurations"]:
        told.append("YAML files have changed since the sweep was planned: jobs in its plan stay as they are")
    if known and known.get("working_directory") != made["working_directory"]:
        raise RecordError(
            f"{directory} was planned in {known.get('working_directory')}: its paths mean something there"
        )
    kept = {name: value for name, value in known.items() if name not in ENDING}
    facts = made | kept | {**this} | {"attempt": known.get("attempt", 0) + 1, "state": "running", "error": ""}
    facts |= {"used_s": _used(directory, known), "since": time.time(), "began": began(known, this["done"])}
    write_json(path, facts)
    return facts, told


def began(known: Mapping[str, Any], done: str) -> str:
    """Since when attempts go on with one another: one that has ended, or another word on what is done, begins anew."""
    if known.get("state") in ("done", "failed", None) or known.get("done") != done:
        return now()
    return str(known["began"])


def end(directory: Path, facts: Mapping[str, Any], **more: Any) -> None:
    """How an attempt ended."""
    used = facts["used_s"] + time.time() - facts["since"]
    write_json(directory / FILE, {**facts, **more, "used_s": used, "since": None, "ended": now()})
    (directory / ALIVE).unlink(missing_ok=True)


def _used(directory: Path, known: Mapping[str, Any]) -> float:
    """Seconds that the attempts so far have taken; one that was killed as long as it gave signs of life."""
    used, since = float(known.get("used_s", 0.0)), known.get("since")
    try:
        last = float((directory / ALIVE).read_text())
    except (OSError, ValueError):
        return used
    return used if since is None else used + max(0.0, last - float(since))


def alive(directory: Path) -> None:
    """A sign of life: after a kill the time until the last one has been used."""
    with suppress(OSError):
        (directory / ALIVE).write_text(f"{time.time()}\n")


def texts(found: Any) -> dict[str, str]:
    """What sweep.json says by the numbers of jobs."""
    return {str(key): str(text) for key, text in found.items()} if isinstance(found, dict) else {}


def _hash(folder: Path) -> str:
    """Of all YAML files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.yaml")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
