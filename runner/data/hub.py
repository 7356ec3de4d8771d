"""Datasets of the Hugging Face hub, or of its local cache; their code is never run."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from runner.client import client, token
from runner.config import DataConfig
from runner.data.read import Item
from runner.data.sources import Source
from runner.errors import DataError
from runner.quiet import quiet

ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")  # name or owner/name
ANSWER_S = 10  # seconds that the hub may take to answer
BATCH = 256  # rows decoded at a time
PLAIN = {"string", "large_string", "bool", "int8", "int16", "int32", "int64", "float32", "float64"}
COMMIT = re.compile(r"@([0-9a-f]{40})/")


@dataclass(frozen=True)
class HubSplit:
    """One split of a dataset, memory-mapped from the cache of `datasets`."""

    label: str  # owner/name/split
    key: str  # id@commit/split
    dataset: Any  # datasets.Dataset

    def columns(self) -> list[str]:
        """Those of its schema."""
        return list(self.dataset.column_names)

    def plain(self) -> list[str]:
        """Those that are texts and numbers: others (pictures, sounds) would have to be decoded."""
        return [name for name, kind in self.dataset.features.items() if getattr(kind, "dtype", "binary") in PLAIN]

    def items(self, wanted: Sequence[str]) -> Iterator[Item]:
        """The rows of the wanted columns, numbered from 1; classes by the names that the dataset gives them."""
        names = [name for name in wanted if name in self.dataset.column_names]
        classes = {name: found for name in names if (found := _classes(self.dataset.features[name]))}
        number = 0
        for batch in self.dataset.select_columns(names).iter(batch_size=BATCH):
            for cells in zip(*(batch[name] for name in names), strict=True):
                number += 1
                values = dict(zip(names, cells, strict=True))
                values |= {name: _named(values[name], known) for name, known in classes.items()}
                yield Item(f"{self.label}:{number}", values, "", values)

    def digests(self) -> Mapping[str, str]:
        """The fingerprint of `datasets`: it follows the commit, the configuration and the split."""
        return {self.key: str(self.dataset._fingerprint)}

    def stamp(self) -> Any:
        """A commit does not change."""
        return None


def _classes(feature: Any) -> list[str] | None:
    """The names of a column of class labels, or of lists of them."""
    names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
    return list(names) if names else None


def _named(value: Any, names: Sequence[str]) -> Any:
    """Class labels by name; -1, which stands for none, is none."""
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None


def hub_splits(data: DataConfig) -> dict[str, Source]:
    """Every split of the dataset `data.path` by its name.

    Raises:
        DataError: when neither the hub nor the cache gives it, or reading it would run code.
    """
    assert data.path is not None
    import datasets
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as readers

    if data.path in readers:  # load_dataset("csv") would read whatever lies in the working directory
        raise DataError(f"{data.path!r} is no dataset but a file format: give the file as data.path")
    try:
        with quiet(), _offline_if_unreachable(data):
            loaded = datasets.load_dataset(data.path, data.name, revision=data.revision, token=token())
    except Exception as error:  # whatever the library raises, told in one line; the cause stays attached
        raise DataError(_reason(data, error)) from error
    return {
        name: HubSplit(f"{data.path}/{name}", f"{data.path}@{_commit(dataset, data)}/{name}", dataset)
        for name, dataset in loaded.items()
    }


@contextmanager
def _offline_if_unreachable(data: DataConfig) -> Iterator[None]:
    """One request settles whether the hub is there; the library alone would ask for half a minute."""
    import datasets
    from httpx2 import TransportError
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    known = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    try:
        client().dataset_info(str(data.path), revision=data.revision, timeout=ANSWER_S)
    except TransportError:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    except (HfHubHTTPError, ConnectionError):
        pass  # the library tells it in its own way below
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = known


def _commit(dataset: Any, data: DataConfig) -> str:
    """The commit that its files came from, as their addresses say."""
    found = COMMIT.search(" ".join(map(str, dataset.info.download_checksums or {})))
    return found[1] if found else data.revision or "main"


def _reason(data: DataConfig, error: Exception) -> str:
    """What is wrong and what to do, by the type and words of the library's error."""
    said = " ".join(str(error).split()) or type(error).__name__
    if "Dataset scripts are no longer supported" in said:
        return (
            f"dataset {data.path!r} needs a loading script, and code from the hub is never run: "
            "give data.revision=refs/convert/parquet, or a file as data.path"
        )
    if isinstance(error, ConnectionError) or "offline" in said.lower():
        return (
            f"{data.path!r} is neither a file or folder here nor a dataset in the local cache, "
            f"and the hub cannot be reached ({said}): give a local path, or run once with network"
        )
    if isinstance(error, FileNotFoundError):
        return f"{data.path!r} is neither a file or folder here nor a dataset that the hub shows us: {said}"
    if "onfig" in said and isinstance(error, ValueError):
        return f"dataset {data.path!r}: {said}: choose with data.name=<configuration>"
    return f"dataset {data.path!r} cannot be loaded ({type(error).__name__}): {said}"
