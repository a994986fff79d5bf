"""Files as they come: opened, unpacked, decoded."""

from __future__ import annotations

import io
import stat
import warnings
from contextlib import closing, contextmanager
from itertools import chain
from typing import IO, TYPE_CHECKING

from diagkit.errors import (
    DiagkitWarning,
    MissingExtraError,
    SourceAccessError,
    SourceError,
    SourceFormatError,
    SourceNotFoundError,
)
from diagkit.sources.decoding import BOMS as BOMS, Decoder, cut_lines, find_encoding
from diagkit.sources.packers import Limits, Unpacked, Window, find_packer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

HEAD_BYTES = 8192
BLOCK_BYTES = 1024**2
PIECE_BYTES = 8 * 1024**2
# What is no text, by its first bytes.
BINARIES = (
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
)
FREE_BYTES = Limits.free_bytes


def open_bytes(
    path: Path,
    limits: Limits | None = None,
    tell: Callable[[int], object] | None = None,
) -> IO[bytes]:
    """Open a file, unpacked.

    What is read is the file as it was when it was opened: what is appended meanwhile
    is left for the next time, and where it is cut meanwhile, a warning says so.

    Parameters
    ----------
    path
        A file, plain or packed with gz, bz2, xz or zstd.
    limits
        How far a packed file may grow; None for the usual limits.
    tell
        Is told how many bytes were read from the disk, as they are.

    Returns
    -------
    binary file
        Its unpacked bytes.

    Raises
    ------
    SourceNotFoundError, SourceAccessError
        If it is not there, or may not be read.
    MissingExtraError
        If what unpacks it is not installed.
    """
    with file_errors(path):
        raw = path.open("rb", buffering=0)
        try:
            window = Window(raw, path.name, _find_size(path), tell)
            stream = io.BufferedReader(window, BLOCK_BYTES)
            # A peek, for a pipe cannot be wound back.
            unpack = find_packer(stream.peek(8))
            if unpack is None:
                return stream
            limits = limits or Limits(free_bytes=FREE_BYTES)
            unpacked = Unpacked(unpack(stream), stream, window, str(path), limits)
            return io.BufferedReader(unpacked, BLOCK_BYTES)
        except BaseException as error:
            raw.close()
            if isinstance(error, MissingExtraError):
                msg = f"{path}: {error}"
                raise MissingExtraError(msg) from None
            raise


def _find_size(path: Path) -> int | None:
    """Return the size of a file; None for a pipe, or what else has none."""
    status = path.stat()
    return (status.st_size or None) if stat.S_ISREG(status.st_mode) else None


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
    except EOFError as error:
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
        A file in UTF-8 or UTF-16 (see `find_encoding`); plain or packed. Bytes that
        are no text are kept, spelled out (``\xff``).

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
        encoding = find_encoding(_text_head(stream, path))
        with io.TextIOWrapper(
            stream, encoding=encoding, errors="backslashreplace", newline="\n"
        ) as text:
            yield text


def iterate_lines(
    path: Path,
    limits: Limits | None = None,
    tell: Callable[[int], object] | None = None,
) -> Generator[str]:
    r"""Read a text file's lines, without their ends.

    Parameters
    ----------
    path
        As for `open_text`.
    limits, tell
        As for `open_bytes`.

    Yields
    ------
    str
        A line, without ``\n`` or ``\r\n``. Bytes that are no text come spelled out
        (``\xff``), and a warning counts them. Where a packed file is cut off, the lines
        before the break come, and a warning says where it is.

    Raises
    ------
    SourceFormatError
        If it is no text at all, or grows past its limits.
    """
    pieces = iterate_pieces(path, limits, tell)
    with closing(pieces):
        yield from chain.from_iterable(cut_lines(piece.decode() for piece in pieces))


def iterate_pieces(
    path: Path,
    limits: Limits | None = None,
    tell: Callable[[int], object] | None = None,
) -> Generator[bytes]:
    """Read a text file as UTF-8, whatever it is written in.

    Parameters
    ----------
    path
        As for `open_text`.
    limits, tell
        As for `open_bytes`.

    Yields
    ------
    bytes
        A piece that does not end within a character. Otherwise as `iterate_lines`.

    Raises
    ------
    SourceFormatError
        If it is no text at all, or grows past its limits.
    """
    with open_bytes(path, limits, tell) as stream, file_errors(path):
        assert isinstance(stream, io.BufferedReader)
        decoder = Decoder(find_encoding(_text_head(stream, path)))
        packed = isinstance(stream.raw, Unpacked)
        damage: EOFError | None = None
        whole = 0
        try:
            # One step of the packer at a time: what comes before damage is not lost.
            while data := stream.read1(PIECE_BYTES):
                piece = decoder.to_utf8(data)
                whole += piece.count(b"\n") if packed else 0
                yield piece
        except EOFError as error:
            damage = error
        yield decoder.to_utf8(b"", final=True)
    if damage is not None:
        said = f"damaged after line {whole} ({damage}); what stands before is read"
        warn_of(path, said)
    if decoder.odd_bytes:
        warn_of_odd(path, decoder.odd_bytes, decoder.encoding)


def warn_of_odd(path: Path, count: int, encoding: str) -> None:
    """Warn of bytes that are no text.

    Parameters
    ----------
    path
        The file.
    count
        How many they are.
    encoding
        What the file is written in.
    """
    warn_of(
        path,
        f"{count:,} bytes are no {encoding.upper()}; they are kept, spelled out as "
        r"\xff",
    )


def warn_of(path: Path, what: str) -> None:
    """Warn of a file.

    Parameters
    ----------
    path
        The file.
    what
        What is to say of it.
    """
    warnings.warn(f"{path.name}: {what}", DiagkitWarning, stacklevel=3)


def _text_head(stream: IO[bytes], path: Path) -> bytes:
    head = _peek(stream)
    why = find_binary(head)
    if why:
        msg = f"{path}: is no text file ({why})"
        raise SourceFormatError(msg)
    return head


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

    Raises
    ------
    SourceError
        If it cannot be read, or what unpacks it is not installed.
    """
    try:
        with open_bytes(path) as stream, file_errors(path):
            return _peek(stream)
    except MissingExtraError as error:
        raise SourceAccessError(str(error)) from None


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
    # A file that was cut under its writer begins with a hole.
    head = head.lstrip(b"\x00")
    if find_encoding(head).startswith("utf-16") or len(head) < 256:
        return ""
    text = head.decode("utf-8", errors="replace")
    odd = sum(
        c == "\ufffd" or (c < " " and c not in "\t\n\r\x0b\x0c\x1b") for c in text
    )
    return "binary data" if odd > 0.3 * len(text) else ""


def _peek(stream: IO[bytes]) -> bytes:
    """Return the first bytes without taking them."""
    assert isinstance(stream, io.BufferedReader)
    return stream.peek(HEAD_BYTES)[:HEAD_BYTES]


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
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size == 0:
            msg = f"{path}: the file is empty"
            raise SourceError(msg)
