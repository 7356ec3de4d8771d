"""Which training checkpoints are whole: a seal with the size and sha256 of each file is written last."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from runner.files import read_json, sha256, sync_files, write_json

SEAL = "SEAL.json"
NEEDED = ("trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth")


def seal(folder: Path) -> None:
    """Sync every file of a checkpoint to the disk, then say that it is whole."""
    files = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sync_files(folder)
        if path.name != SEAL
    }
    write_json(folder / SEAL, files)


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint; None when it is as it was sealed."""
    files = read_json(folder / SEAL)
    if not isinstance(files, dict):
        return "is unfinished"
    for name in NEEDED:
        if name not in files:
            return f"lacks {name}"
    for name, facts in files.items():
        path = folder / name
        if not path.is_file():
            return f"lacks {name}"
        if path.stat().st_size != facts["bytes"] or sha256(path) != facts["sha256"]:
            return f"{name} does not match its seal"
    return None


def newest_sealed(folder: Path, say: Callable[[str], None]) -> Path | None:
    """The newest whole checkpoint; newer ones that are not whole are told of and removed."""
    checkpoints = [p for p in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", p.name)]
    for path in sorted(checkpoints, key=_step, reverse=True):
        problem = damage(path)
        if problem is None:
            return path
        say(f"skipping {path.name}: {problem}")
        shutil.rmtree(path)
    return None


def _step(path: Path) -> int:
    return int(path.name.partition("-")[2])
