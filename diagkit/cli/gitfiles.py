"""What a repository needs so that notebooks and decisions can be reviewed in it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from diagkit.errors import SettingError, SourceAccessError
from diagkit.report.files import write_whole
from diagkit.report.sidecar import ask_git

NAMES = (".gitattributes", ".pre-commit-config.yaml", "nbdime_config.json")
NEXT = "turn them on: pre-commit install && nbdime config-git --enable"


class GitFile(NamedTuple):
    """What was done with one file.

    Attributes
    ----------
    file
        Its name.
    done
        ``written``, ``lines added``, ``as it is to be``, or ``differs: left as it is``.
    """

    file: str
    done: str


def add_git_files(folder: Path) -> list[GitFile]:
    """Write the settings of git, pre-commit and nbdime at the root of a repository.

    Parameters
    ----------
    folder
        Any folder of it.

    Returns
    -------
    list of GitFile
        What was done. Lines that are missing are added to ``.gitattributes``; other
        files that are there stay as they are.

    Raises
    ------
    SettingError
        If the folder is in no repository.
    SourceAccessError
        If a file cannot be read or written.
    """
    root = find_repository(folder)
    return [GitFile(name, _add(root / name)) for name in NAMES]


def find_repository(folder: Path) -> Path:
    """Return the root of the repository that a folder is in, or will be in.

    Parameters
    ----------
    folder
        It need not be there yet.

    Returns
    -------
    pathlib.Path
        The root.

    Raises
    ------
    SettingError
        If it is in none.
    """
    here = folder.absolute()
    there = next(one for one in (here, *here.parents) if one.is_dir())
    root = ask_git("rev-parse", "--show-toplevel", folder=there)
    if not root:
        msg = f"{folder}: is in no git repository (git init makes one)"
        raise SettingError(msg)
    return Path(root)


def _add(path: Path) -> str:
    wanted = (files("diagkit.report") / "templates" / "git" / path.name).read_bytes()
    try:
        there = path.read_bytes() if path.exists() else b""
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise SourceAccessError(msg) from None
    if not there:
        write_whole(path, wanted)
        return "written"
    known = there.splitlines()
    missing = [line for line in wanted.splitlines() if line not in known]
    if not missing:
        return "as it is to be"
    if path.name != ".gitattributes":
        return "differs: left as it is"
    # As its lines end already.
    end = b"\r\n" if b"\r\n" in there else b"\n"
    write_whole(path, end.join([*known, *missing, b""]))
    return "lines added"
