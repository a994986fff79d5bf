"""Files cut into ranges of bytes, each read by itself.

A range owns the records that begin in it: it starts at its first line that begins a
record whatever stands before, and goes on past its end to the next such line. Where
these lines are depends on nothing but the bytes, so that two neighbours agree.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from diagkit.errors import DiagkitError
from diagkit.sources.decoding import find_encoding
from diagkit.sources.envelopes import HEAD_LINES, find_envelope
from diagkit.sources.files import HEAD_BYTES, file_errors, find_binary
from diagkit.sources.formats import load_registry
from diagkit.sources.packers import find_packer
from diagkit.sources.records import begins_record
from diagkit.sources.remote import RemoteFile, remote_errors

if TYPE_CHECKING:
    from pathlib import Path

    from diagkit.sources.formats import Registry
    from diagkit.sources.paths import SourceFile

__all__ = ["Part", "cut_file", "find_beginning", "is_plain", "read_own"]

# A larger file is cut into ranges of about this size.
RANGE_BYTES = 64 * 1000**2
# So much is asked for at once where it is not known how far to look: for the lines
# that tell an envelope, and past the end of a range, for the end of its last record.
LOOK_BYTES = 256 * 1024
# So much at most for the envelope.
MOST_HEAD_BYTES = 16 * 1024**2
# Where no record begins for longer than this past the end of a range, the file is no
# log that is worth cutting.
STRETCH_BYTES = 64 * 1000**2


@dataclass(frozen=True)
class Part:
    """A file, or a range of its bytes.

    Attributes
    ----------
    file
        The file.
    size
        Its size in bytes, as far as it is known.
    start, stop
        The range; `stop` is None for the whole file, however large it is.
    """

    file: SourceFile
    size: int
    start: int = 0
    stop: int | None = None

    def __str__(self) -> str:
        if self.stop is None:
            return str(self.file.path)
        return f"{self.file.path}, bytes {self.start:,} to {self.stop:,}"

    @property
    def count(self) -> int:
        """How many bytes it has."""
        return (self.size if self.stop is None else self.stop) - self.start

    @property
    def last(self) -> bool:
        """Whether no other part of the file follows."""
        return self.stop in (None, self.size)


def cut_file(file: SourceFile, *, whole: bool = False) -> list[Part]:
    """Cut a file into parts that can be read one without the other.

    Parameters
    ----------
    file
        The file.
    whole
        Leave it in one part.

    Returns
    -------
    list of Part
        Ranges of a plain log in UTF-8 without an envelope, if it is larger than
        `RANGE_BYTES`; else the file as one part.

    Examples
    --------
    >>> from pathlib import Path
    >>> from diagkit.sources.paths import SourceFile
    >>> [part.stop for part in cut_file(SourceFile(Path("no.log"), "no.log"))]
    [None]
    """
    try:
        with file_errors(file.path):
            status = file.path.stat()
        size = status.st_size
        count = -(-size // RANGE_BYTES)
        cut = stat.S_ISREG(status.st_mode) and count > 1 and not whole
        if not (cut and is_plain(file.path, size)):
            return [Part(file, size)]
    except DiagkitError:
        # Who reads it tells what is wrong with it.
        return [Part(file, 0)]
    bounds = [size * number // count for number in range(count + 1)]
    return [Part(file, size, start, stop) for start, stop in pairwise(bounds)]


def is_plain(path: Path, size: int) -> bool:
    """Say whether a file is plain UTF-8 without an envelope, going by its head.

    Parameters
    ----------
    path
        The file.
    size
        Its size in bytes.

    Returns
    -------
    bool
        False also where that cannot be told.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    count = max(LOOK_BYTES, HEAD_BYTES)
    head = read_bytes(path, 0, min(count, size))
    if (
        len(head) > count  # the server knows of no ranges
        or find_packer(head)
        or find_binary(head[:HEAD_BYTES])
        or find_encoding(head[:HEAD_BYTES]) != "utf-8"
    ):
        return False
    while head.count(b"\n") < HEAD_LINES and count < min(size, MOST_HEAD_BYTES):
        count *= 4
        head = read_bytes(path, 0, min(count, size))
    lines = head.split(b"\n", HEAD_LINES)
    if len(lines) <= HEAD_LINES and len(head) < size:
        return False
    try:
        texts = [line.decode("utf-8") for line in lines[:HEAD_LINES]]
    except UnicodeDecodeError:
        return False
    return find_envelope([text.removesuffix("\r") for text in texts]) is None


def read_own(part: Part) -> memoryview | None:
    """Read the records that begin in a range.

    Parameters
    ----------
    part
        The range.

    Returns
    -------
    memoryview or None
        Whole lines in UTF-8. None where they are not, where no record begins for too
        long, or where the file has become shorter: then only the whole of it tells.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    registry = load_registry()
    # Whether a line begins with the first byte, the one before it tells.
    first = max(part.start - 1, 0)
    stop = cast("int", part.stop)
    reach, look = stop, LOOK_BYTES
    data, end, ended = b"", None, False
    while end is None:
        if reach - stop >= STRETCH_BYTES:
            return None
        start, reach = first + len(data), min(stop + look, part.size)
        data += read_bytes(part.file.path, start, reach)
        if len(data) != reach - first:
            return None
        ended = reach == part.size
        end = find_beginning(data, stop - first, registry, ended=ended)
        look *= 4
    begin: int | None = 0
    if part.start:
        begin = find_beginning(data, part.start - first, registry, ended=ended)
    # Where it is None, none begins before the end.
    own = memoryview(data)[end if begin is None else begin : end]
    return own if data.isascii() or _is_utf8(own) else None


def _is_utf8(text: memoryview) -> bool:
    try:
        str(text, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_bytes(path: Path, start: int, stop: int) -> bytes:
    """Read a range of a file.

    Parameters
    ----------
    path
        The file; of a URL, one request asks for just the range.
    start, stop
        The range.

    Returns
    -------
    bytes
        As many as there are; more, where a server knows of no ranges.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    remote = cast("Path | RemoteFile", path)
    if isinstance(remote, RemoteFile):
        with remote_errors(remote):
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]

            system, where = url_to_fs(remote.url)
            return bytes(system.cat_file(where, start=start, end=stop))
    with file_errors(path), path.open("rb") as stream:
        stream.seek(start)
        return stream.read(stop - start)


def find_beginning(
    data: bytes, at: int, registry: Registry | None = None, *, ended: bool = False
) -> int | None:
    r"""Find the first line that begins a record, from a place on.

    Parameters
    ----------
    data
        Bytes of a log.
    at
        The place, 1 or more: the byte before it tells whether a line begins there.
    registry
        The formats; those of `load_registry` by default.
    ended
        Whether the log ends with these bytes.

    Returns
    -------
    int or None
        Where it starts. None where more bytes are needed to tell; the number of bytes,
        where none follows.

    Examples
    --------
    >>> log = b"up\n2025-11-24 18:17:11 - root - INFO - up\n"
    >>> find_beginning(log, 1), find_beginning(log, 3), find_beginning(log, 4)
    (3, 3, None)
    """
    registry = registry or load_registry()
    start = data.find(b"\n", at - 1) + 1
    while 0 < start < len(data):
        end = data.find(b"\n", start)
        if end < 0 and not ended:
            return None
        line = data[start : end if end >= 0 else len(data)]
        text = line.decode("utf-8", errors="backslashreplace")
        if begins_record(text.removesuffix("\r"), registry):
            return start
        start = end + 1
    return len(data) if ended else None
