"""Weight files, checked before a model is built: complete, undamaged, every shard there."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from runner.backends.files import holds, lfs_problem, read_object
from runner.errors import CheckpointError

SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors")
BIN = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin")
WHOLE_OR_INDEX = (SAFETENSORS[:2], BIN[:2])  # in the order of from_pretrained: safetensors before .bin
MOST_HEADER = 100_000_000  # bytes; the safetensors format allows no more


def weight_files(folder: Path) -> list[Path]:
    """The files that from_pretrained reads the weights from.

    Raises:
        CheckpointError: when there are none, a shard is missing, or one is damaged.
    """
    for whole, index in WHOLE_OR_INDEX:
        if (folder / whole).is_file():
            found = [folder / whole]
        elif (folder / index).is_file():
            found = [folder / index, *_shards(folder, index)]
        else:
            continue
        for file in found:
            check_weights(folder, file)
        return found
    raise CheckpointError(
        f"checkpoint {folder} has no weights: expected model.safetensors or pytorch_model.bin (or their shards and "
        f"index); {holds(folder)}"
    )


def has_safetensors(folder: Path) -> bool:
    """Whether the weights lie there as safetensors."""
    return any((folder / name).is_file() for name in SAFETENSORS[:2])


def _shards(folder: Path, index: str) -> list[Path]:
    where = f"checkpoint {folder}"
    names = read_object(folder / index, where).get("weight_map")
    if not isinstance(names, dict) or not names or not all(_plain(name) for name in names.values()):
        raise CheckpointError(f"{where}: {index} is damaged: its weight_map must give a file name for every weight")
    shards = sorted(set(names.values()))
    missing = [name for name in shards if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(
            f"{where}: shard {', '.join(missing)} is missing ({index} names {len(shards)}): copy the folder again"
        )
    return [folder / name for name in shards]


def _plain(name: object) -> bool:
    """An index is data from elsewhere: it may name files beside it and nothing else."""
    return isinstance(name, str) and name == Path(name).name and "\0" not in name and "\\" not in name


def check_weights(folder: Path, file: Path) -> None:
    """Whether a file of weights is whole; an index is checked with its shards.

    Raises:
        CheckpointError: when it is not.
    """
    if file.suffix == ".json":
        return
    try:
        problem = lfs_problem(file) or (
            _safetensors_problem(file) if file.suffix == ".safetensors" else _bin_problem(file)
        )
    except OSError as error:
        raise CheckpointError(f"checkpoint {folder}: {file.name} cannot be read: {error.strerror}") from error
    if problem:
        raise CheckpointError(f"checkpoint {folder}: {file.name} {problem}")


def _safetensors_problem(file: Path) -> str | None:
    """Eight bytes give the header's length, the header gives where the last tensor ends."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if size < 8:
            return f"is damaged ({size} bytes, its header alone needs 8): copy it again"
        if length > MOST_HEADER:
            return f"is damaged ({size} bytes, no safetensors header): copy it again"
        if size < 8 + length:
            return f"is damaged ({size} bytes, its header asks for {8 + length}): copy it again"
        try:
            header = json.loads(opened.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return f"is damaged ({size} bytes, its header cannot be read): copy it again"
    asked = 8 + length + max(ends, default=0)
    return None if size == asked else f"is damaged ({size} bytes, its header asks for {asked}): copy it again"


def _bin_problem(file: Path) -> str | None:
    """torch.save writes a zip archive; before torch 1.6 a pickle, which begins with its protocol."""
    with file.open("rb") as opened:
        start = opened.read(2)
    if start == b"PK" and zipfile.is_zipfile(file):
        return None
    if start[:1] == b"\x80":
        return None
    return f"is damaged ({file.stat().st_size} bytes, not a whole torch file): copy it again"
