"""What the linter ``squawk`` says of a migration's SQL file, to LINT."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import MissingExtraError, SourceError, SourceFormatError
from diagkit.frames.lints import LINT
from diagkit.redaction.text import hide_line
from diagkit.sources.files import file_errors

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["find_squawk", "read_lint"]

TIMEOUT_S = 60
# A file of SQL beyond this is no migration.
MOST_BYTES = 10_000_000


def find_squawk() -> str | None:
    """Find the linter.

    Returns
    -------
    str or None
        Its path; None where it is not installed.

    Examples
    --------
    >>> find_squawk() == shutil.which("squawk")
    True
    """
    return shutil.which("squawk")


def read_lint(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Let ``squawk`` lint a migration's SQL file.

    Parameters
    ----------
    path
        The file; PostgreSQL's SQL, which is what squawk knows. A ``.squawk.toml`` in
        the current folder or above counts, as it always does for squawk.

    Returns
    -------
    pandas.DataFrame
        LINT, in order of lines.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    MissingExtraError
        If squawk is not installed.
    SourceFormatError
        If the file is no text, or squawk answers something else.

    Examples
    --------
    >>> read_lint("nowhere.sql")
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceNotFoundError: nowhere.sql: no such file or folder
    """
    path = Path(path)
    with file_errors(path):
        text = _read(path)
    squawk = find_squawk()
    if squawk is None:
        msg = "squawk is not installed; it lints SQL files: pip install squawk-cli"
        raise MissingExtraError(msg)
    # Through a pipe: squawk would take the signs of a pattern in a path for one.
    command = [squawk, "--reporter", "json", "--stdin-filepath", path.name or "x.sql"]
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"squawk cannot be run ({type(error).__name__}); try: squawk --version"
        raise SourceError(msg) from None
    return _shape(_parse(done, path), path)


def _read(path: Path) -> str:
    size = path.stat().st_size
    if size > MOST_BYTES:
        msg = f"{path}: {size} bytes are no migration; squawk takes SQL files"
        raise SourceFormatError(msg)
    try:
        # A mark of order, and Windows' ends of lines, are nothing to a linter.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        msg = f"{path}: is no text in UTF-8; squawk takes SQL files"
        raise SourceFormatError(msg) from None


def _parse(done: subprocess.CompletedProcess[bytes], path: Path) -> list[Any]:
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if not isinstance(found, list):
        said = done.stderr.decode("utf-8", "replace").strip()[:200] or "nothing"
        line = hide_line(said)
        msg = f"{path}: squawk answers with {done.returncode} and says: {line}"
        raise SourceFormatError(msg)
    return found


def _shape(found: list[Any], path: Path) -> pd.DataFrame:
    try:
        data: dict[str, list[object]] = {
            "file": [path.name] * len(found),
            # It counts lines from 0.
            "line": [int(row["line"]) + 1 for row in found],
            "level": [str(row["level"]) for row in found],
            "rule": [str(row["rule_name"]) for row in found],
            "message": [str(row["message"]) for row in found],
            "help": [str(row["help"] or "") for row in found],
        }
    except (KeyError, TypeError, ValueError):
        msg = f"{path}: squawk's JSON is not as squawk 2 writes it; update squawk"
        raise SourceFormatError(msg) from None
    frame = LINT.build(data)
    return frame.sort_values(["line", "rule"], kind="stable", ignore_index=True)
