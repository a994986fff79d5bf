"""Prove on a database itself that a session of diagkit's cannot write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from diagkit.frames.readonly import PROOF, VERDICTS
from diagkit.redaction.text import hide_line
from diagkit.sources.databases import open_readonly
from diagkit.sources.writes import ATTEMPTS, PASSED, REFUSED, Attempt

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["prove_readonly"]

# In one pass: what is filled in may hold a brace of its own.
PLACE = re.compile(r"\{(table|column)\}")
NO_TABLE = "the database has no table to try it on"


def prove_readonly(where: str | Path) -> pd.DataFrame:
    """Try every kind of write on a database, and tell what it did with each.

    It is harmless on a database in use: what is tried has no effect even where it is
    not refused, and what would have one is listed and not tried. Each is tried in a
    session of its own, opened as for reading.

    Parameters
    ----------
    where
        As for `open_readonly`: a URL or a SQLite file.

    Returns
    -------
    pandas.DataFrame
        PROOF, a row a kind of write. ``refused``: by the read-only session, or for want
        of a right. ``allowed``: the server did it, or was about to. ``unclear``: it
        answered something else.

    Raises
    ------
    SourceError
        If the database cannot be read.
    SettingError
        If the URL has no meaning.
    MissingExtraError
        If the driver is not installed.

    Examples
    --------
    >>> import pathlib, sqlite3, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "x.sqlite"
    >>> with sqlite3.connect(path) as link:
    ...     _ = link.execute("CREATE TABLE t (a)")
    >>> link.close()
    >>> proof = prove_readonly(path).set_index("write")
    >>> proof.loc["DELETE", ["verdict", "answer"]].tolist()
    ['refused', 'attempt to write a readonly database']
    """
    with open_readonly(where) as connection:
        dialect = connection.dialect.name
        names = _some_table(connection)
    rows = [
        (
            attempt.write,
            _say(attempt, names),
            *_verdict(where, attempt, names, dialect),
            attempt.relied_on,
            attempt.note,
        )
        for attempt in ATTEMPTS[dialect]
    ]
    columns = ("write", "statement", "verdict", "answer", "relied_on", "note")
    proof = PROOF.build(dict(zip(columns, zip(*rows, strict=True), strict=True)))
    proof["verdict"] = proof["verdict"].cat.set_categories(list(VERDICTS))
    return proof


def _some_table(connection: sa.Connection) -> dict[str, str]:
    """Return a table and a column of it that can be written, quoted; or nothing."""
    look = sa.inspect(connection)
    quote = connection.dialect.identifier_preparer.quote
    for table in sorted(look.get_table_names()):
        for column in look.get_columns(table):
            if not column.get("computed") and not column.get("identity"):
                return {"table": quote(table), "column": quote(str(column["name"]))}
    return {}


def _say(attempt: Attempt, names: dict[str, str]) -> str:
    return " | ".join(_fill(call, names) for call in attempt.calls)


def _fill(call: str, names: dict[str, str]) -> str:
    return PLACE.sub(lambda found: names.get(found[1], "…"), call)


def _verdict(
    where: str | Path, attempt: Attempt, names: dict[str, str], dialect: str
) -> tuple[str, str]:
    if attempt.untried:
        return "not tried", attempt.untried
    calls = [_fill(call, names) for call in attempt.calls]
    if not names and any(map(PLACE.search, attempt.calls)):
        return "not tried", NO_TABLE
    with open_readonly(where) as connection:
        try:
            for call in calls:
                connection.exec_driver_sql(call)
        except DBAPIError as error:
            return _read_answer(error, dialect)
    return "allowed", "done, without an effect or rolled back"


def _read_answer(error: DBAPIError, dialect: str) -> tuple[str, str]:
    """Tell a refusal from an answer that means that it would have been done."""
    cause = error.orig
    words = str(cause)
    code: object
    if dialect == "postgresql":
        code = getattr(cause, "sqlstate", None)
        words = words.partition("\n")[0]
    elif dialect == "mysql" and cause is not None:
        code, words = cause.args[0], str(cause.args[-1])
    else:
        code = getattr(cause, "sqlite_errorname", None) or type(cause).__name__
        if words.startswith("not authorized"):
            code = "SQLITE_AUTH"  # of a function it is told as a plain error
    answer = hide_line(words)
    if code in REFUSED[dialect]:
        return "refused", answer
    return ("allowed" if code in PASSED[dialect] else "unclear"), answer
