"""Files that are not on this machine: any file system that fsspec knows."""

from __future__ import annotations

import io
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from diagkit.errors import (
    MissingExtraError,
    SettingError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
)
from diagkit.redaction.text import hide_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

__all__ = ["RemoteFile", "find_remote"]


@dataclass(frozen=True)
class RemoteFile:
    """A file behind a URL, with as much of `pathlib.Path` as readers ask for.

    Attributes
    ----------
    url
        ``s3://bucket/api.log``, ``memory://api.log`` ...

    Examples
    --------
    >>> file = RemoteFile("https://me:secret@host/logs/api.log.gz?sig=1")
    >>> str(file), file.name, file.suffix
    ('https://host/logs/api.log.gz', 'api.log.gz', '.gz')
    """

    url: str

    def __str__(self) -> str:
        # A URL may carry a password, or a signature in its query.
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return str(self).rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The last suffix, with its dot."""
        return os.path.splitext(self.name)[1]  # noqa: PTH122 - a URL is no path

    @property
    def parent(self) -> RemoteFile:
        """The folder."""
        return RemoteFile(str(self).rpartition("/")[0])

    def stat(self) -> os.stat_result:
        """Return the status, as far as it is known: the size, in bytes."""
        with remote_errors(self):
            system, path = _open_system(self.url)
            size = system.info(path).get("size")
        mode = stat.S_IFIFO if size is None else stat.S_IFREG
        return os.stat_result((mode, 0, 0, 0, 0, 0, size or 0, 0, 0, 0))

    def is_file(self) -> bool:
        """Say whether it is a file."""
        with remote_errors(self):
            system, path = _open_system(self.url)
            return bool(system.isfile(path))

    def open(self, mode: str = "rb", buffering: int = -1) -> IO[bytes]:
        """Open it for reading bytes."""
        with remote_errors(self):
            system, path = _open_system(self.url)
            stream: IO[bytes] = _Stream(self, system.open(path, mode))  # type: ignore[assignment]
        return stream


class _Stream(io.RawIOBase):
    """A remote file that is open; what its system raises becomes one clear error."""

    def __init__(self, file: RemoteFile, stream: IO[bytes]) -> None:
        self._file, self._stream = file, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: ReadableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        with remote_errors(self._file):
            data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def find_remote(url: str) -> dict[RemoteFile, str]:
    """List the files that a URL stands for.

    Parameters
    ----------
    url
        A file, a folder or a glob.

    Returns
    -------
    dict of RemoteFile to str
        The files, and their names relative to what was asked for. Hidden ones below a
        folder are left out.

    Raises
    ------
    MissingExtraError
        If fsspec, or what it needs for such URLs, is not installed.
    SettingError
        If there is no such kind of URL.
    SourceNotFoundError, SourceAccessError
        If nothing is there, or it may not be read.
    """
    asked = RemoteFile(url)
    with remote_errors(asked):
        system, path = _open_system(url)
        if "*" in path:
            found = [p for p in system.glob(path) if system.isfile(p)]
            top = path.partition("*")[0].rpartition("/")[0]
        elif system.isdir(path):
            top = path.rstrip("/")
            found = [p for p in system.find(path) if "/." not in p[len(top) :]]
        elif system.exists(path):
            return {asked: asked.name}
        else:
            found, top = [], ""
        files = {
            RemoteFile(system.unstrip_protocol(p)): p[len(top) :].lstrip("/")
            for p in found
        }
    if not files:
        msg = f"{asked}: no such file or folder, or no file in it"
        raise SourceNotFoundError(msg)
    return files


@contextmanager
def remote_errors(file: RemoteFile) -> Iterator[None]:
    """Turn what a remote file system raises into one clear error.

    Parameters
    ----------
    file
        What is looked at; named without its password.
    """
    try:
        yield
    except (SourceError, SettingError, MissingExtraError):
        raise
    except ImportError as error:
        scheme = urlsplit(file.url).scheme
        text = hide_line(str(error))
        msg = f"{file}: {scheme}:// needs a package that is not installed ({text})"
        raise MissingExtraError(msg) from None
    except FileNotFoundError:
        msg = f"{file}: no such file or folder"
        raise SourceNotFoundError(msg) from None
    # Each file system has errors of its own, of no common root.
    except Exception as error:  # noqa: BLE001
        # Before it is cut: half a secret is not known for one.
        text = hide_line(str(error))[:200]
        text = text or type(error).__name__
        msg = f"{file}: cannot be read ({text})"
        raise SourceAccessError(msg) from None


def _open_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]
    except ImportError:
        msg = f'{RemoteFile(url)}: URLs need fsspec: pip install "diagkit[remote]"'
        raise MissingExtraError(msg) from None
    try:
        return url_to_fs(url)  # type: ignore[no-any-return]
    except ValueError as error:
        msg = f"{RemoteFile(url)}: is no URL of a file system that is known ({error})"
        raise SettingError(msg) from None
