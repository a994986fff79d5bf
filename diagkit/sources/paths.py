"""What a path, a folder, a glob or a list of these stands for."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from diagkit.errors import DiagkitWarning, SettingError, SourceNotFoundError
from diagkit.sources.files import file_errors
from diagkit.sources.remote import RemoteFile, find_remote

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

PACKED = re.compile(r"\.(?:gz|bz2|xz|zst|zstd)$")
# api.log.2: the higher, the older.
NUMBERED = re.compile(r"(?P<base>.+?)\.(?P<number>\d{1,4})")
# api.log-20251124, api.log.2025-11-24_13, api.2025-11-24.3.log, api.log-1763942400: the
# later, the newer; a number after the date counts up.
DATED = re.compile(
    r"(?P<base>.+?)[-._]"
    r"(?P<date>(?:19|20)\d\d(?P<dash>[-_.]?)(?:0[1-9]|1[0-2])(?P=dash)(?:0[1-9]|[12]\d|3[01])"
    r"(?:[-_.T]?\d\d(?:[-_:.]?\d\d(?:[-_:.]?\d\d(?:[._]\d+)?)?)?Z?)?|1\d{9})"
    r"(?:[.-](?P<index>\d{1,4}))?(?P<end>\.[A-Za-z]\w*)?"
)


@dataclass(frozen=True)
class SourceFile:
    """One file to read.

    Attributes
    ----------
    path
        Where it is; of a URL a `RemoteFile`, which has what readers ask of a path.
    name
        How it is called in frames: relative to what was asked for, with ``/``, so
        that no frame holds a path of the machine that made it.
    """

    path: Path
    name: str


def find_files(paths: Paths) -> list[SourceFile]:
    """List the files that a path, folder, glob, or list of these stands for.

    Parameters
    ----------
    paths
        A folder stands for every file below it but hidden ones. A URL may stand for a
        file, a folder or a glob of any file system that fsspec knows (``s3://``,
        ``https://``, ``memory://`` ...).

    Returns
    -------
    list of SourceFile
        Rotated sets in the order in which they were written (``api.log.2.gz``,
        ``api.log.1``, ``api.log``; ``api.log-20251124.gz``, ``api.log``), else by name;
        a list keeps its order.

    Raises
    ------
    SourceNotFoundError
        If a path does not exist, or a glob or folder holds no file.
    MissingExtraError
        If a URL comes, and fsspec or what it needs for it is not installed.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("api.log", "api.log.1", "api.log.2.gz", "b-20251124.log"):
    ...     (folder / name).touch()
    >>> [file.name for file in find_files(folder)]
    ['api.log.2.gz', 'api.log.1', 'api.log', 'b-20251124.log']
    """
    asked = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not asked:
        msg = "no path was given: name a file, a folder or a glob"
        raise SettingError(msg)
    found: dict[Path, SourceFile | None] = {}
    for one in [os.fspath(path) for path in asked]:
        if "://" in one and not one.lower().startswith("file://"):
            remote = _expand_url(one, alone=len(asked) == 1)
            found |= {file.path: file for file in remote}
        else:
            found |= dict.fromkeys(p for p in _expand(one) if p not in found)
    local = [path for path, file in found.items() if file is None]
    top = _common_folder(local, asked) if local else Path()
    return [file or SourceFile(path, _name(path, top)) for path, file in found.items()]


def _expand(one: str) -> list[Path]:
    path = Path(_local(one))
    with file_errors(path):
        if path.is_dir():
            return _walk(path)
        if path.exists():
            return [path]
        # pathlib's own glob takes no absolute pattern.
        matches = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207
        files = sorted((p for p in matches if p.is_file()), key=_written_order)
    if not files:
        msg = f"{one}: no such file or folder"
        raise SourceNotFoundError(msg)
    return files


def _local(one: str) -> str:
    """Return the path of a file:// URL; a path is returned as it is."""
    if not one.lower().startswith("file://"):
        return one
    parts = urlsplit(one)
    if parts.netloc not in ("", "localhost"):
        msg = f"{one}: a file URL names a file of this machine: file:///..."
        raise SettingError(msg)
    return url2pathname(parts.path)


def _expand_url(one: str, *, alone: bool) -> list[SourceFile]:
    names = find_remote(one)
    return [
        # Readers ask no more of a path than a RemoteFile has.
        SourceFile(cast("Path", file), names[file] if alone else str(file))
        for file in sorted(names, key=_written_order)
    ]


def _walk(top: Path) -> list[Path]:
    """List the files below a folder; hidden ones are no part of it."""
    next(top.iterdir(), None)  # raises where the folder itself may not be read
    found: list[Path] = []
    for folder, folders, names in os.walk(top, onerror=_tell_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder, n) for n in names if not n.startswith(".")]
    files = [path for path in found if path.is_file()]
    if not files:
        msg = f"{top}: the folder holds no file"
        raise SourceNotFoundError(msg)
    return sorted(files, key=_written_order)


def _tell_unreadable(error: OSError) -> None:
    warnings.warn(
        f"{error.filename}: left out, for it may not be read ({error.strerror})",
        DiagkitWarning,
        stacklevel=2,
    )


def _written_order(path: Path | RemoteFile) -> tuple[str, str, int, str, int, str]:
    """Sort a rotated set by time: those with a date, those with a number, the live one.

    Other files keep the order of their names.
    """
    name = PACKED.sub("", path.name)
    folder = str(path.parent).replace("\\", "/")
    if dated := DATED.fullmatch(name):
        stamp = re.sub(r"\D", "", dated["date"])
        base = dated["base"] + (dated["end"] or "")
        return folder, base, 0, stamp, int(dated["index"] or 0), name
    if numbered := NUMBERED.fullmatch(name):
        return folder, numbered["base"], 1, "", -int(numbered["number"]), name
    return folder, name, 2, "", 0, path.name


def _common_folder(found: list[Path], asked: list[Any]) -> Path:
    first = Path(_local(os.fspath(asked[0])))
    if len(asked) == 1 and first.is_dir():
        return first
    if len(found) == 1:
        return found[0].parent
    return Path(os.path.commonpath([p.absolute().parent for p in found]))


def _name(path: Path, top: Path) -> str:
    try:
        return path.relative_to(top).as_posix()
    except ValueError:
        return path.absolute().relative_to(top.absolute()).as_posix()
