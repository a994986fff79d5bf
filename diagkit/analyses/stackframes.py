"""Tracebacks to frames: which places of the code a log's errors passed through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.frames.logs import LOGS
from diagkit.frames.stackframes import STACKFRAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

# How Python and how Java write a frame.
FRAME = re.compile(
    r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<function>[^\n]+)'
    r"|\bat (?P<method>[\w.$<>/@-]+)\((?P<java>[\w$-]+\.\w+):(?P<at>\d+)\)"
)
# What is no application's: installed packages, the standard library, code that has no
# file, and the packages that every Java trace passes through.
LIBRARY = re.compile(
    r"(?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d|[/\\]Lib[/\\]|^<"
    r"|^(?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|scala|org\.(?:springframework|"
    r"apache|hibernate|postgresql|eclipse|jboss|junit)|com\.zaxxer|io\.netty)\."
)


def find_frames(logs: pd.DataFrame) -> pd.DataFrame:
    r"""List the frames of all tracebacks of a log.

    Parameters
    ----------
    logs
        LOGS.

    Returns
    -------
    pandas.DataFrame
        STACKFRAMES, in the order of the logs and of their tracebacks; ``source`` and
        ``line`` lead back to the record. The application's own are those with
        ``application``: grouped by file, line and function they say where errors come
        from.

    Raises
    ------
    ContractError
        If `logs` is no LOGS frame.

    Examples
    --------
    >>> from diagkit.frames.logs import LOGS
    >>> text = 'Traceback (most recent call last):\n  File "db.py", line 7, in get'
    >>> logs = LOGS.build({"message": ["failed"], "traceback": [text],
    ...                    "source": ["a.log"], "line": [1], "lines": [3]})
    >>> find_frames(logs)[["file", "file_line", "function"]].values.tolist()
    [['db.py', 7, 'get']]
    """
    held = LOGS.check(logs)[logs["traceback"].notna()]
    rows = [
        (source, line, position, *frame)
        for source, line, text in zip(
            held["source"], held["line"], held["traceback"], strict=True
        )
        for position, frame in enumerate(_frames(text))
    ]
    return STACKFRAMES.conform(pd.DataFrame(rows, columns=STACKFRAMES.names))


def _frames(text: str) -> Iterator[tuple[str, int, str, bool]]:
    for match in FRAME.finditer(text):
        if match["file"] is not None:
            file, line, function = match["file"], match["line"], match["function"]
            yield file, int(line), function, LIBRARY.search(file) is None
        else:
            method = match["method"].rpartition("/")[2]
            own = LIBRARY.search(method) is None
            yield match["java"], int(match["at"]), method, own
