"""The bytes of a text file, line by line, in constant memory."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from runner.errors import DataError

HEAD = 4096  # bytes that are looked at to tell UTF-16 and binary files
MARKS = {  # byte order marks, the longest first
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
BOM = b"\xef\xbb\xbf"


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""(number from 1, bytes without their line end); \n and \r\n end a line, a UTF-8 mark at the start is dropped.

    Raises:
        DataError: when the file cannot be read, is not UTF-8 text or its compression is damaged.
    """
    try:
        with opened(path) as file:
            head = file.peek(HEAD)[:HEAD]
            _refuse_other_encodings(path, head)
            if head.startswith(BOM):
                file.read(len(BOM))
            for number, line in enumerate(file, 1):
                yield number, line.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is cut off or damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def opened(path: Path) -> io.BufferedReader:
    """The file's bytes, decompressed when its name ends in .gz."""
    if path.suffix.lower() != ".gz":
        return path.open("rb")
    # GzipFile reads lines in Python, BufferedReader in C; it closes what it wraps
    return io.BufferedReader(gzip.GzipFile(path, "rb"))


def decoded(line: bytes) -> tuple[str, str]:
    """The line as text and what is wrong with it; an empty problem means none."""
    try:
        return line.decode(), ""
    except UnicodeDecodeError as error:
        return "", f"is not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}"


def _refuse_other_encodings(path: Path, head: bytes) -> None:
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            raise DataError(
                f"{path} is {encoding}, not UTF-8: iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}"
            )
    if b"\0" in head:
        line = head.count(b"\n", 0, head.index(b"\0")) + 1
        raise DataError(
            f"{path.name}:{line}: holds a NUL byte: {path} is not UTF-8 text (UTF-16 without its mark, or binary)"
        )
