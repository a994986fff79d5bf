"""How names, texts and comments are written in the SQL of three databases.

What the data hold stands in a script as ASCII: it means the same in every encoding that
a client may assume, and a reviewer sees what is there. No text relies on a setting of
the server (``standard_conforming_strings``, ``NO_BACKSLASH_ESCAPES``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagkit.errors import SettingError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DIALECTS",
    "check_dialect",
    "quote_name",
    "quote_table",
    "quote_text",
    "write_comment",
]

DIALECTS = ("postgresql", "mysql", "sqlite")
QUOTES = {"postgresql": '"', "mysql": "`", "sqlite": '"'}
# Of these a quoted text needs only its quotes doubled, in every dialect and setting.
PLAIN = re.compile(r"[\x20-\x5b\x5d-\x7e]*")
NOT_PLAIN = re.compile(r"[^\x20-\x5b\x5d-\x7e]+")
UNSAFE = re.compile(r"[^\x20-\x7e]+")
COMMENT_LENGTH = 400


def check_dialect(dialect: str) -> str:
    """Return a dialect's name, where it is one.

    Parameters
    ----------
    dialect
        One of `DIALECTS`; ``mariadb`` and ``postgres`` are understood.

    Returns
    -------
    str
        The name as in `DIALECTS`.

    Raises
    ------
    SettingError
        If it is none.

    Examples
    --------
    >>> check_dialect("mariadb")
    'mysql'
    """
    name = {"mariadb": "mysql", "postgres": "postgresql"}.get(dialect, dialect)
    if name not in DIALECTS:
        msg = (
            f"dialect={dialect!r} is none of {', '.join(map(repr, DIALECTS))}"
            f"{suggest(dialect, DIALECTS)}"
        )
        raise SettingError(msg)
    return name


def quote_name(name: str, dialect: str) -> str:
    """Quote the name of a column or table.

    Parameters
    ----------
    name
        The name, as the database shows it.
    dialect
        One of `DIALECTS`.

    Returns
    -------
    str
        The name in quotes.

    Examples
    --------
    >>> quote_name("run begin", "postgresql"), quote_name("a`b", "mysql")
    ('"run begin"', '`a``b`')
    """
    quote = QUOTES[dialect]
    return quote + name.replace(quote, quote * 2) + quote


def quote_table(table: str, dialect: str) -> str:
    """Quote ``table`` or ``schema.table``.

    Examples
    --------
    >>> quote_table("other.jobs", "sqlite")
    '"other"."jobs"'
    """
    schema, _, bare = table.rpartition(".")
    return ".".join(quote_name(part, dialect) for part in (schema, bare) if part)


def quote_text(text: str, dialect: str) -> str:
    r"""Write a text as SQL that stands for exactly it.

    Parameters
    ----------
    text
        Any text, from anywhere.
    dialect
        One of `DIALECTS`.

    Returns
    -------
    str
        Plain text in quotes. Text with a backslash, a control or anything beyond ASCII
        is spelled out: escapes in PostgreSQL, UTF-8 in hexadecimal in MySQL, code
        points in SQLite.

    Examples
    --------
    >>> print(quote_text("it's", "mysql"))
    'it''s'
    >>> print(quote_text("a\nb", "postgresql"))
    E'a\nb'
    >>> print(quote_text("café", "sqlite"))
    'caf' || char(233)
    """
    if PLAIN.fullmatch(text):
        return _quoted(text)
    return WRITERS[dialect](text)


def write_comment(text: str, limit: int = COMMENT_LENGTH) -> str:
    r"""Make text safe to stand in a comment to the end of a line.

    Parameters
    ----------
    text
        Any text, from anywhere.
    limit
        How many characters to keep.

    Returns
    -------
    str
        One line of ASCII; what ends a line or is beyond ASCII is spelled out.

    Examples
    --------
    >>> print(write_comment("a\n; DROP TABLE b"))
    a\n; DROP TABLE b
    """
    line = UNSAFE.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _postgresql(text: str) -> str:
    # E'' reads escapes whatever standard_conforming_strings says.
    return "E'" + NOT_PLAIN.sub(_escape, text).replace("'", "''") + "'"


def _escape(match: re.Match[str]) -> str:
    return "".join(
        {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c)
        or (f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}")
        for c in match[0]
    )


def _mysql(text: str) -> str:
    return f"_utf8mb4 X'{text.encode('utf-8', 'surrogatepass').hex()}'"


def _sqlite(text: str) -> str:
    # Not CAST(X'...' AS TEXT): its bytes are in the database's encoding, UTF-16 maybe.
    parts, at = [], 0
    for odd in NOT_PLAIN.finditer(text):
        if odd.start() > at:
            parts.append(_quoted(text[at : odd.start()]))
        parts.append(f"char({', '.join(str(ord(c)) for c in odd[0])})")
        at = odd.end()
    if at < len(text):
        parts.append(_quoted(text[at:]))
    return " || ".join(parts)


WRITERS: dict[str, Callable[[str], str]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "sqlite": _sqlite,
}
