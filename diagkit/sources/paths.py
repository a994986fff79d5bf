"""What a path, a folder, a glob or a list of these stands for."""

from __future__ import annotations

import glob
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagkit.errors import DiagkitWarning, SettingError, SourceNotFoundError
from diagkit.sources.files import file_errors

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

ROTATION = re.compile(
    r"(?P<base>.*?)(?:\.(?P<number>\d{1,4}))?(?:\.(?:gz|bz2|xz|zst))?"
)


@dataclass(frozen=True)
class SourceFile:
    """One file to read.

    Attributes
    ----------
    path
        Where it is.
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
        A folder stands for every file below it but hidden ones.

    Returns
    -------
    list of SourceFile
        Rotated sets in the order in which they were written (``api.log.2.gz``,
        ``api.log.1``, ``api.log``), else by name; a list keeps its order.

    Raises
    ------
    SourceNotFoundError
        If a path does not exist, or a glob or folder holds no file.
    """
    asked = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not asked:
        msg = "no path was given: name a file, a folder or a glob"
        raise SettingError(msg)
    found: list[Path] = []
    for one in asked:
        found += [p for p in _expand(os.fspath(one)) if p not in found]
    top = _common_folder(found, asked)
    return [SourceFile(path, _name(path, top)) for path in found]


def _expand(one: str) -> list[Path]:
    if "://" in one:
        msg = f"{one}: only local files are read; fetch it first"
        raise SettingError(msg)
    path = Path(one)
    with file_errors(path):
        if path.is_dir():
            return _walk(path)
        if path.exists():
            return [path]
        # pathlib's own glob takes no absolute pattern.
        matches = map(Path, glob.glob(one, recursive=True))  # noqa: PTH207
        files = sorted((p for p in matches if p.is_file()), key=_written_order)
    if not files:
        msg = f"{one}: no such file or folder"
        raise SourceNotFoundError(msg)
    return files


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


def _written_order(path: Path) -> tuple[str, str, int]:
    match = ROTATION.fullmatch(path.name)
    base, number = (match["base"], match["number"]) if match else (path.name, None)
    return (path.parent.as_posix(), base, -int(number or 0))


def _common_folder(found: list[Path], asked: list[Any]) -> Path:
    first = Path(os.fspath(asked[0]))
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
