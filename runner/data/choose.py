"""Which split of which source a run reads."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.config import DataConfig
from runner.data.assets import asset
from runner.data.held_out import HeldOut
from runner.data.hub import ID, hub_splits
from runner.data.read import FORMATS, format_of
from runner.data.sources import Files, Prompts, Source
from runner.errors import DataError, nearest

VALIDATION = ("validation", "valid", "val", "dev")
PART = re.compile(r"-\d{5}-of-\d{5}$")  # train-00000-of-00002.parquet, as the hub names them
ASIDE = ("license", "readme", "vocab")  # files that lie beside data


@dataclass(frozen=True)
class Choice:
    """A source, and which of its rows."""

    name: str
    source: Source
    part: HeldOut | None = None  # None: all rows


def choose(data: DataConfig, which: str) -> Choice:
    """The split for "rows", "train" or "validation".

    Raises:
        DataError: when there is no such file, folder, dataset or split; the message names the nearest.
    """
    if data.prompts is not None:
        source = Prompts(tuple(data.prompts))
        return Choice(source.label, source)
    assert data.path is not None  # config.problems
    label, splits = _splits(data.path, data)
    if which == "rows":
        name = _rows_split(data, label, splits)
        return Choice(_named(label, name), splits[name])
    validation = _validation_split(data, label, splits)
    if which == "validation" and validation is not None:
        return Choice(_named(label, validation), splits[validation])
    train = _train_split(data, label, splits)
    if validation is not None:
        return Choice(_named(label, train), splits[train])
    part = HeldOut(data.validation_share, inside=which == "validation")
    share = f"{100 * data.validation_share:.3g} %"
    name = f"{_named(label, train)} ({share} held out)" if which == "train" else f"{share} of {_named(label, train)}"
    return Choice(name, splits[train], part)


def _splits(path: str, data: DataConfig) -> tuple[str, Mapping[str, Source]]:
    """What the source is called, and its splits by name; a single file has one, named ""."""
    try:
        local = _local(path)
    except OSError as error:  # a part too long for the file system, or a folder that may not be read
        raise DataError(f"data.path={path[:200]} cannot be read: {error.strerror or error}") from error
    if local is not None:
        return local
    return path if data.name is None else f"{path}:{data.name}", hub_splits(data)


def _local(path: str) -> tuple[str, Mapping[str, Source]] | None:
    """A file or a folder; None: the path may be a hub id."""
    here = asset(path.removeprefix("asset:")) if path.startswith("asset:") else _at_home(path)
    if here.is_dir():
        return here.resolve().name, _folder(here)
    if here.is_file():
        if format_of(here) is None:
            raise DataError(f"{here} has a format that is not read here; known: {', '.join(FORMATS)}")
        return here.name, {"": Files((here,))}
    if here.exists():
        raise DataError(f"{here} is neither a file nor a folder: it is read more than once, so write it to a file")
    if _cannot_be_hub_id(path):
        raise DataError(_missing(here))
    return None


def _at_home(path: str) -> Path:
    """A leading ~ is the home directory."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"data.path={path} is in no known home directory: {path.partition('/')[0]} is no user"
        ) from error


def _cannot_be_hub_id(path: str) -> bool:
    named_like_a_file = format_of(Path(path)) is not None
    beside = "/" in path and Path(path).parent.is_dir()
    return named_like_a_file or beside or not ID.fullmatch(path)


def _missing(path: Path) -> str:
    parent = next(p for p in path.absolute().parents if p.is_dir())
    lost = path.absolute().relative_to(parent).parts[0]
    try:
        known = sorted(p.name for p in parent.iterdir())
    except PermissionError:
        known = []
    return f"{path} does not exist; in {parent}: {nearest(lost, known) if known else 'nothing'}"


def _folder(folder: Path) -> Mapping[str, Source]:
    """The data files of a folder by their stem; numbered parts of one split belong together."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and format_of(path) is not None and not path.name.lower().startswith(ASIDE):
            stem = path.name.removesuffix(".gz").removesuffix(".GZ").rpartition(".")[0]
            found.setdefault(PART.sub("", stem), []).append(path)
    for name, paths in found.items():
        if len(paths) > 1 and not all(PART.search(p.name.rpartition(".")[0]) for p in paths):
            raise DataError(f"{folder} holds {' and '.join(p.name for p in paths)} for {name}: give one as data.path")
    if not found:
        raise DataError(f"{folder} holds no data files; known formats: {', '.join(FORMATS)}")
    return {name: Files(tuple(paths)) for name, paths in found.items()}


def _rows_split(data: DataConfig, label: str, splits: Mapping[str, Source]) -> str:
    if data.split is not None:
        return _known("split", data.split, label, splits)
    name = _first(("test", *VALIDATION, "train"), splits) or _only(splits)
    if name is None:
        raise DataError(f"{label} has the splits {', '.join(sorted(splits))}: choose with data.split=<name>")
    return name


def _train_split(data: DataConfig, label: str, splits: Mapping[str, Source]) -> str:
    only = _only(splits)
    if data.train_split == "train" and only is not None and only not in ("test", *VALIDATION):
        return only
    return _known("train_split", data.train_split, label, splits)


def _validation_split(data: DataConfig, label: str, splits: Mapping[str, Source]) -> str | None:
    if data.validation_split is not None:
        return _known("validation_split", data.validation_split, label, splits)
    return _first(VALIDATION, splits)


def _known(key: str, name: str, label: str, splits: Mapping[str, Source]) -> str:
    if name in splits:
        return name
    if "" in splits:
        raise DataError(f"data.{key}={name}: {label} is one file without splits: leave data.{key} out")
    raise DataError(f"data.{key}={name}: {label} has no such split; known: {', '.join(sorted(splits))}")


def _first(names: Iterable[str], splits: Mapping[str, Source]) -> str | None:
    return next((name for name in names if name in splits), None)


def _only(splits: Mapping[str, Source]) -> str | None:
    return next(iter(splits)) if len(splits) == 1 else None


def _named(label: str, split: str) -> str:
    return f"{label}/{split}" if split else label
