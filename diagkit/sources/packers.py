"""What packs a file, how it is unpacked, and what stops one that grows without end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import warnings
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

from diagkit.errors import DiagkitWarning, MissingExtraError, SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

__all__ = ["ZSTD", "Limits", "Unpacked", "Window", "find_packer"]

# zstd makes up to 128 KiB of four bytes: fed in small steps, even a bomb is noticed
# before it fills the memory.
ZSTD_STEP = 4096
ZSTD = (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")


class _Packed(Protocol):
    """What is asked of something that unpacks."""

    def read1(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Limits:
    """How far a packed file may grow; a plain file is as large as it is.

    A log shrinks to a tenth or a hundredth; a decompression bomb to a thousandth and
    less.

    Attributes
    ----------
    max_ratio
        Times its packed size; only past `free_bytes`.
    max_bytes
        Unpacked bytes, whatever the ratio.
    free_bytes
        Up to here the ratio is not looked at.

    Examples
    --------
    >>> Limits(max_bytes=10 * 1024**3).allowed(1024)
    268435456
    """

    max_ratio: float = 300
    max_bytes: int = 256 * 1024**3
    free_bytes: int = 256 * 1024**2

    def allowed(self, packed: int) -> int:
        """Return how many bytes may come out of a packed file.

        Parameters
        ----------
        packed
            Its size, in bytes.

        Returns
        -------
        int
            Bytes.
        """
        return min(self.max_bytes, max(self.free_bytes, int(self.max_ratio * packed)))


class Window(io.RawIOBase):
    """The bytes that a file had when it was opened, whatever becomes of it meanwhile.

    Parameters
    ----------
    stream
        The file, at its beginning.
    name
        Its name, for the warning where it shrinks.
    size
        Its size when it was opened; None where that cannot be known (a pipe).
    tell
        Is told how many bytes were read, as they are.
    """

    def __init__(
        self,
        stream: IO[bytes],
        name: str,
        size: int | None,
        tell: Callable[[int], object] | None = None,
    ) -> None:
        self._stream, self._name, self._size, self._tell = stream, name, size, tell
        self.position = 0

    @property
    def size(self) -> int:
        """The size at opening, else what was read up to now; in bytes."""
        return self.position if self._size is None else self._size

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: ReadableBuffer) -> int:
        """Read on, as far as the file reached when it was opened."""
        view = memoryview(buffer).cast("B")
        left = len(view) if self._size is None else self._size - self.position
        count = 0
        if left and hasattr(self._stream, "readinto"):
            count = self._stream.readinto(view[:left]) or 0
        elif left:
            data = self._stream.read(min(len(view), left))
            count = len(data)
            view[:count] = data
        if left and not count and self._size is not None:
            warnings.warn(
                f"{self._name}: shrank while it was read; what was left is read",
                DiagkitWarning,
                stacklevel=2,
            )
            self._size = self.position
        self.position += count
        if self._tell is not None and count:
            self._tell(count)
        return count

    def close(self) -> None:
        """Close the file too."""
        self._stream.close()
        super().close()


class Unpacked(io.RawIOBase):
    """An unpacked stream that stops before it fills the memory.

    Damage of any kind is an `EOFError`: what was readable has come before it.

    Parameters
    ----------
    stream
        What unpacks it, as `find_packer` gives it for the packed stream.
    packed
        The packed stream.
    window
        Knows the packed size.
    name
        The file's name, for the error.
    limits
        How far it may grow.
    """

    def __init__(
        self,
        stream: _Packed,
        packed: IO[bytes],
        window: Window,
        name: str,
        limits: Limits,
    ) -> None:
        self._packed, self._window, self._name = packed, window, name
        self._limits, self._count = limits, 0
        self._stream = stream

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: ReadableBuffer) -> int:
        """Read on; at most what one step unpacks, so that damage costs nothing."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._stream.read1(len(view))
        except (zlib.error, lzma.LZMAError) as error:
            raise EOFError(error) from None
        except OSError as error:
            if error.errno is not None:  # the disk's, not the packer's
                raise
            raise EOFError(error) from None
        self._count += len(data)
        if self._count > self._limits.allowed(self._window.size):
            raise SourceFormatError(self._refusal())
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the packed file too."""
        self._stream.close()
        self._packed.close()
        super().close()

    def _refusal(self) -> str:
        limits = self._limits
        much = (
            f"{limits.max_bytes:,} bytes"
            if self._count > limits.max_bytes
            else f"{limits.max_ratio:g} times its size"
        )
        return (
            f"{self._name}: unpacks to more than {much}; where it is to be trusted, "
            "unpack it yourself or pass other limits"
        )


class _Zstd:
    """Unpacks zstd, frame after frame."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._new, self._errors = _find_zstd()
        self._decoder: Any = None
        self._ready = memoryview(b"")

    def read1(self, size: int, /) -> bytes:
        while not self._ready:
            data = b""
            if self._decoder is not None and self._decoder.eof:
                data, self._decoder = self._decoder.unused_data, None
            data = data or self._packed.read(ZSTD_STEP)
            if not data:
                if self._decoder is None:
                    return b""
                msg = "the packed data ends before its last frame does"
                raise EOFError(msg)
            self._decoder = self._decoder or self._new()
            try:
                self._ready = memoryview(self._decoder.decompress(data))
            except self._errors as error:
                raise EOFError(error) from None
        out, self._ready = bytes(self._ready[:size]), self._ready[size:]
        return out

    def close(self) -> None:
        self._ready = memoryview(b"")


def _find_zstd() -> tuple[Callable[[], Any], type[Exception]]:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdDecompressor, zstd.ZstdError
    try:
        import zstandard
    except ImportError:
        msg = 'a file packed with zstd needs zstandard: pip install "diagkit[zstd]"'
        raise MissingExtraError(msg) from None
    return zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError


def _open_gzip(packed: IO[bytes]) -> _Packed:
    return gzip.GzipFile(fileobj=packed)


# What unpacks a file, by its first bytes: names lie, content does not.
PACKERS: tuple[tuple[tuple[bytes, ...], Callable[[Any], _Packed]], ...] = (
    ((b"\x1f\x8b",), _open_gzip),
    ((b"BZh",), bz2.BZ2File),
    ((b"\xfd7zXZ\x00",), lzma.LZMAFile),
    (ZSTD, _Zstd),
)


def find_packer(head: bytes) -> Callable[[Any], _Packed] | None:
    r"""Return what unpacks a file, going by its first bytes.

    Parameters
    ----------
    head
        Its first bytes, eight or more.

    Returns
    -------
    callable or None
        Opens the packed stream; None for a file that is not packed.

    Examples
    --------
    >>> find_packer(b"BZh91AY&SY").__name__
    'BZ2File'
    >>> find_packer(b"2025-11-24 18:17:11 up")
    """
    return next((unpack for magic, unpack in PACKERS if head.startswith(magic)), None)
