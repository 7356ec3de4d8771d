"""Which training checkpoints are whole: a seal with the size and sha256 of each file is written last."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from runner.errors import RunFailed
from runner.files import measures, read_json, sync_files, write_json

SEAL = "SEAL.json"
DAMAGED = "damaged-"  # how the name of what was set aside begins
NAMED = re.compile(r"checkpoint-\d+")
NEEDED = ("trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth")


def seal(folder: Path) -> None:
    """Sync every file of a checkpoint to the disk, then say that it is whole."""
    files = {str(path.relative_to(folder)): measures(path) for path in sync_files(folder) if path.name != SEAL}
    write_json(folder / SEAL, files)


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint; None when it is as it was sealed."""
    if not folder.is_dir():
        return "is no folder"
    if not (folder / SEAL).exists():
        return "is unfinished"
    files = read_json(folder / SEAL)
    if not isinstance(files, dict):
        return f"{SEAL} is damaged"
    for name in NEEDED:
        if name not in files:
            return f"lacks {name}"
    for name, known in files.items():
        path = folder / name
        if not path.is_file():
            return f"lacks {name}"
        if known != measures(path):
            return f"{name} does not match its seal"
    return None


def newest_sealed(folder: Path, say: Callable[[str], None]) -> Path | None:
    """The newest whole checkpoint; None when none was ever sealed.

    Newer ones that are not whole are told of. Unfinished ones are removed, damaged ones set aside.

    Raises:
        RunFailed: all that were sealed are damaged.
    """
    for path in sorted((p for p in folder.glob("checkpoint-*") if NAMED.fullmatch(p.name)), key=_step, reverse=True):
        problem = damage(path) or _damage_of_best(path)
        if problem is None:
            return path
        say(f"skipping {path.name}: {problem}")
        if path.is_dir() and not (path / SEAL).exists():
            shutil.rmtree(path)
        else:
            _set_aside(path)
    damaged = sorted(path.name for path in folder.glob(f"{DAMAGED}checkpoint-*") if path.is_dir())
    if damaged:
        told = f"no whole checkpoint is left in {folder} ({', '.join(damaged)})"
        raise RunFailed(f"{told}: rerun=true trains from the start")
    return None


def _damage_of_best(folder: Path) -> str | None:
    """What is wrong with the checkpoint whose weights are so far the best: they may become the result."""
    state = read_json(folder / "trainer_state.json")
    best = state.get("best_model_checkpoint") if isinstance(state, dict) else None
    name = Path(str(best or folder)).name
    found = damage(folder.parent / name) if name != folder.name else None
    return found and f"of the best so far, {name}: {found}"


def _set_aside(path: Path) -> None:
    """Under a name that is never taken for a checkpoint."""
    aside = path.with_name(f"{DAMAGED}{path.name}")
    if aside.is_dir():
        shutil.rmtree(aside)
    else:
        aside.unlink(missing_ok=True)
    path.rename(aside)


def _step(path: Path) -> int:
    return int(path.name.partition("-")[2])
