"""The rows of a parquet file, by record batches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.errors import DataError

BATCH = 1024  # rows decoded at a time
BUFFER = 1 << 16  # bytes of a column that are read ahead


def columns(path: Path) -> list[str]:
    """The names of its top-level columns."""
    with _file(path) as file:
        return list(file.schema_arrow.names)


def plain(path: Path) -> list[str]:
    """The names of those that hold texts and numbers."""
    from pyarrow import types

    with _file(path) as file:
        kinds = (types.is_string, types.is_large_string, types.is_integer, types.is_floating, types.is_boolean)
        return [field.name for field in file.schema_arrow if any(kind(field.type) for kind in kinds)]


def rows(path: Path, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, Any], str]]:
    """(number from 1, values, problem) of every row, of the wanted columns only."""
    number = 0
    with _file(path) as file:
        known = [name for name in wanted if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=BATCH, columns=known, use_threads=False):
            for values, problem in _values(batch):
                number += 1
                yield number, values, problem


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        # without a buffer whole column chunks are read: memory would grow with the file
        with ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
            yield file
    except ArrowException as error:
        raise DataError(f"{path} is no whole parquet file: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or str(error).splitlines()[0]}") from error


def _values(batch: Any) -> Iterator[tuple[dict[str, Any], str]]:
    try:
        yield from ((values, "") for values in batch.to_pylist())
    except UnicodeDecodeError:  # raised before the first row is yielded; one bad cell must cost one row
        for at in range(batch.num_rows):
            try:
                yield batch.slice(at, 1).to_pylist()[0], ""
            except UnicodeDecodeError as error:
                yield {}, f"is not UTF-8: byte 0x{error.object[error.start]:02x}"
