"""Files as they come: found by path, folder or glob, unpacked, decoded to lines."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import warnings
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from diagkit.errors import (
    DiagkitWarning,
    SourceAccessError,
    SourceError,
    SourceFormatError,
    SourceNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer

HEAD_BYTES = 8192
# What unpacks a file, by its first bytes: names lie, content does not.
PACKERS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)
# What is no text, by its first bytes.
BINARIES = (
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd, which is not read yet: unpack it first"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
)
BOMS = (
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
# A log shrinks to a tenth or a hundredth; a bomb to a thousandth and less.
MAX_RATIO = 300
FREE_BYTES = 256 * 1024**2


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, unpacked.

    Parameters
    ----------
    path
        A file, plain or packed with gz, bz2 or xz.

    Returns
    -------
    binary file
        Its unpacked bytes. It refuses to grow past `MAX_RATIO` times the file's size
        (and `FREE_BYTES`).

    Raises
    ------
    SourceNotFoundError, SourceAccessError
        If it is not there, or may not be read.
    """
    with file_errors(path):
        raw = path.open("rb")
        head = raw.read(8)
        raw.seek(0)
    for magic, unpack in PACKERS:
        if head.startswith(magic):
            most = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)
            return io.BufferedReader(_Bounded(unpack(raw), raw, path, most))
    return raw


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says of a file into one clear error.

    Parameters
    ----------
    path
        The file; named in the error as the caller named it.
    """
    try:
        yield
    except FileNotFoundError:
        msg = f"{path}: no such file or folder"
        raise SourceNotFoundError(msg) from None
    except PermissionError:
        msg = f"{path}: may not be read (permission denied)"
        raise SourceAccessError(msg) from None
    except IsADirectoryError:
        msg = f"{path}: is a folder, not a file"
        raise SourceFormatError(msg) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        msg = f"{path}: the packed file is damaged ({error})"
        raise SourceFormatError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise SourceAccessError(msg) from None


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    r"""Open a text file whose lines end with ``\n`` alone, as written anywhere.

    Parameters
    ----------
    path
        A file in UTF-8 or, with its mark, UTF-16; plain or packed. Bytes that are no
        text are kept, spelled out (``\xff``).

    Yields
    ------
    text file
        Iterate over it for its lines. ``\r`` before ``\n`` is still there.

    Raises
    ------
    SourceFormatError
        If it is no text at all.
    """
    with open_bytes(path) as stream, file_errors(path):
        head = _peek(stream, path)
        why = find_binary(head)
        if why:
            msg = f"{path}: is no text file ({why})"
            raise SourceFormatError(msg)
        encoding = next((e for mark, e in BOMS if head.startswith(mark)), "utf-8")
        with io.TextIOWrapper(
            stream, encoding=encoding, errors="backslashreplace", newline="\n"
        ) as text:
            yield text


def iterate_lines(path: Path) -> Iterator[str]:
    r"""Read a text file's lines, without their ends.

    Parameters
    ----------
    path
        As for `open_text`.

    Yields
    ------
    str
        A line, without ``\n`` or ``\r\n``. Where a packed file is cut off, the lines
        before the break come, and a warning says that it is.
    """
    with open_text(path) as text:
        count = 0
        try:
            for line in text:
                count += 1
                yield line.removesuffix("\n").removesuffix("\r")
        except (EOFError, zlib.error, lzma.LZMAError) as error:
            warnings.warn(
                f"{path.name}: damaged after line {count} ({error}); what stands "
                "before is read",
                DiagkitWarning,
                stacklevel=2,
            )


def read_head(path: Path) -> bytes:
    """Return a file's first bytes, unpacked; empty where it cannot be unpacked.

    Parameters
    ----------
    path
        A file.

    Returns
    -------
    bytes
        At most `HEAD_BYTES`.
    """
    with open_bytes(path) as stream:
        return _peek(stream, path)


def find_binary(head: bytes) -> str:
    r"""Say what kind of binary a file is, going by its first bytes.

    Parameters
    ----------
    head
        Its first bytes.

    Returns
    -------
    str
        The empty string for text.

    Examples
    --------
    >>> find_binary(b"%PDF-1.7")
    'a PDF document'
    >>> find_binary(b"2025-11-24 18:17:11 - root - INFO - up\n")
    ''
    """
    for magic, what in BINARIES:
        if head.startswith(magic):
            return what
    if head.startswith(tuple(mark for mark, _ in BOMS[:2])) or len(head) < 256:
        return ""
    text = head.decode("utf-8", errors="replace")
    odd = sum(
        c == "\ufffd" or (c < " " and c not in "\t\n\r\x0b\x0c\x1b") for c in text
    )
    return "binary data" if odd > 0.3 * len(text) else ""


class _Bounded(io.RawIOBase):
    """An unpacked stream that stops before it fills the memory."""

    def __init__(
        self, stream: IO[bytes], raw: IO[bytes], path: Path, most: int
    ) -> None:
        self._stream, self._raw, self._path, self._left = stream, raw, path, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: ReadableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            msg = (
                f"{self._path}: unpacks to more than {MAX_RATIO} times its size; "
                "unpack it yourself if it is to be trusted"
            )
            raise SourceFormatError(msg)
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        self._raw.close()
        super().close()


def _peek(stream: IO[bytes], path: Path) -> bytes:
    try:
        if isinstance(stream, io.BufferedReader):
            return stream.peek(HEAD_BYTES)[:HEAD_BYTES]
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        msg = f"{path}: the packed file is damaged ({error})"
        raise SourceFormatError(msg) from None
    return b""


def refuse_empty(path: Path) -> None:
    """Refuse a file without a single byte.

    Parameters
    ----------
    path
        A file.

    Raises
    ------
    SourceError
        If it is empty.
    """
    with file_errors(path):
        if path.stat().st_size == 0:
            msg = f"{path}: the file is empty"
            raise SourceError(msg)
