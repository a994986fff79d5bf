"""Types of columns: what three databases call them, as families to be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SqlType", "compare_types", "parse_type", "write_type"]

SHAPE = re.compile(
    r"^(?P<name>[a-z_][\w.\" ]*?)\s*(?:\(\s*(?P<size>\d+)(?:\s*,\s*\d+)?\s*\))?"
    r"(?P<zone>\s+with(?:out)?\s+time\s+zone)?(?:\s+unsigned)?$"
)
# Family -> its names. The size of an integer is its bytes.
NAMES = {
    "text": (
        "varchar",
        "character varying",
        "char",
        "character",
        "bpchar",
        "nvarchar",
        "nchar",
        "text",
        "tinytext",
        "mediumtext",
        "longtext",
        "clob",
        "string",
    ),
    "integer": (
        "integer",
        "int",
        "int2",
        "int4",
        "int8",
        "smallint",
        "bigint",
        "tinyint",
        "mediumint",
        "serial",
        "bigserial",
    ),
    "boolean": ("boolean", "bool"),
    "float": ("real", "float", "float4", "float8", "double", "double precision"),
    "decimal": ("numeric", "decimal"),
    "timestamp": ("timestamp", "timestamptz", "datetime"),
    "date": ("date",),
    "time": ("time", "timetz"),
    "json": ("json", "jsonb"),
    "uuid": ("uuid",),
    "bytes": ("bytea", "blob", "tinyblob", "mediumblob", "longblob", "varbinary"),
}
FAMILIES = {name: family for family, names in NAMES.items() for name in names}
SIZES = {
    **dict.fromkeys(("smallint", "int2"), 2),
    **dict.fromkeys(("bigint", "int8", "bigserial"), 8),
    **dict.fromkeys(("integer", "int", "int4", "serial"), 4),
    "tinyint": 1,
    "mediumint": 3,
    "tinytext": 255,
}
# How a type is written where its own name means something else, or nothing.
WRITTEN = {
    "postgresql": {
        "datetime": "timestamp",
        "double": "double precision",
        "tinyint": "smallint",
        "mediumint": "integer",
        "blob": "bytea",
        "longtext": "text",
        "mediumtext": "text",
        "tinytext": "text",
        "clob": "text",
    },
    "mysql": {
        # A DATETIME is what the clock shows, a TIMESTAMP an instant.
        "timestamp": "datetime(6)",
        "datetime": "datetime(6)",
        "timestamptz": "timestamp(6)",
        "boolean": "tinyint(1)",
        "bool": "tinyint(1)",
        "character varying": "varchar",
        "bytea": "longblob",
        "jsonb": "json",
        "uuid": "char(36)",
        "clob": "longtext",
        "real": "double",
        "float8": "double",
        "double precision": "double",
    },
    "sqlite": {"timestamptz": "timestamp", "bytea": "blob", "varbinary": "blob"},
}
# SQLite goes by the affinity that it reads out of a type's name; a time may be a text
# or a number there.
AFFINITIES = (
    ("INTEGER", ("int",)),
    ("TEXT", ("char", "clob", "text")),
    ("BLOB", ("blob",)),
    ("REAL", ("real", "floa", "doub")),
)
IN_SQLITE = {
    "timestamp": ("NUMERIC", "TEXT"),
    "date": ("NUMERIC", "TEXT"),
    "time": ("NUMERIC", "TEXT"),
    "boolean": ("NUMERIC", "INTEGER"),
    "json": ("NUMERIC", "TEXT", "BLOB"),
    "uuid": ("NUMERIC", "TEXT", "BLOB"),
    "decimal": ("NUMERIC", "REAL"),
}


@dataclass(frozen=True)
class SqlType:
    """A type of a column.

    Attributes
    ----------
    name
        As it is written, without size and zone, lower case.
    family
        What it is a kind of; of a type that is not known, its name.
    size
        The most characters, bytes (of an integer) or digits; None where no limit is
        said.
    zoned
        Of a timestamp, whether it means an instant; else None.
    """

    name: str
    family: str
    size: int | None = None
    zoned: bool | None = None


def parse_type(text: str, dialect: str = "postgresql") -> SqlType:
    """Read a type as a server, or a migration, says it.

    Parameters
    ----------
    text
        For example ``varchar(20)`` or ``timestamp without time zone``.
    dialect
        Whose word it is; a migration is written in PostgreSQL's.

    Returns
    -------
    SqlType
        What it says. An unknown type is a family of its own.

    Examples
    --------
    >>> parse_type("timestamp with time zone")
    SqlType(name='timestamp', family='timestamp', size=None, zoned=True)
    >>> parse_type("character varying(20)").size
    20
    >>> parse_type("timestamp(6)", "mysql").zoned, parse_type("datetime", "mysql").zoned
    (True, False)
    """
    low = " ".join(text.lower().split())
    found = SHAPE.match(low)
    if found is None:
        return SqlType(low, low)
    name = found["name"].strip()
    family = FAMILIES.get(name, name)
    size = int(found["size"]) if found["size"] else SIZES.get(name)
    if family == "integer":
        size = SIZES[name]
        if dialect == "mysql" and name == "tinyint" and found["size"] == "1":
            family, size = "boolean", None
    zoned = None
    if family == "timestamp":
        zoned = _is_zoned(name, found["zone"] or "", dialect)
        size = None
    elif family in ("date", "time", "float", "json", "uuid", "boolean"):
        size = None
    return SqlType(name, family, size, zoned)


def write_type(text: str, dialect: str) -> str:
    """Write a migration's type as a dialect spells it.

    Parameters
    ----------
    text
        A type as in PostgreSQL.
    dialect
        ``postgresql``, ``mysql`` or ``sqlite``.

    Returns
    -------
    str
        The type.

    Examples
    --------
    >>> write_type("timestamp", "mysql"), write_type("varchar(20)", "mysql")
    ('datetime(6)', 'varchar(20)')
    """
    kind = parse_type(text)
    name = "timestamptz" if kind.zoned else kind.name
    word = WRITTEN[dialect].get(name)
    if word is None:
        return "timestamptz" if kind.zoned and dialect == "postgresql" else text
    sized = kind.family == "text" and kind.size is not None and "(" not in word
    return f"{word}({kind.size})" if sized and word != "text" else word


def compare_types(expected: str, found: str, dialect: str) -> str:
    """Compare a migration's type with the one that a column has.

    Parameters
    ----------
    expected
        As the migration says it, in PostgreSQL's words.
    found
        As the server says it.
    dialect
        The server's.

    Returns
    -------
    str
        Empty: the same. ``other``: another kind. ``narrower`` or ``wider``: of another
        size. ``zone``: a timestamp that differs in having a time zone.

    Examples
    --------
    >>> compare_types("varchar(20)", "character varying(50)", "postgresql")
    'wider'
    >>> compare_types("timestamptz", "timestamp without time zone", "postgresql")
    'zone'
    >>> compare_types("timestamp", "DATETIME", "sqlite")
    ''
    """
    if dialect == "sqlite":
        affinity = _affinity(found)
        wanted = parse_type(expected)
        return (
            ""
            if affinity
            in IN_SQLITE.get(wanted.family, (_affinity(write_type(expected, dialect)),))
            else "other"
        )
    want = parse_type(write_type(expected, dialect), dialect)
    have = parse_type(found, dialect)
    if want.family != have.family:
        return "" if _alike(want, have, dialect) else "other"
    if want.zoned != have.zoned:
        return "zone"
    if want.size == have.size:
        return ""
    if have.size is None or (want.size is not None and have.size > want.size):
        return "wider"
    return "narrower"


def _is_zoned(name: str, zone: str, dialect: str) -> bool:
    if dialect == "mysql":
        return name == "timestamp"
    return name == "timestamptz" or zone.split()[:1] == ["with"]


def _alike(want: SqlType, have: SqlType, dialect: str) -> bool:
    """Tell what MariaDB keeps as something else: JSON as text, a UUID as itself."""
    pair = {want.family, have.family}
    if dialect != "mysql":
        return False
    return pair == {"json", "text"} or (pair == {"uuid", "text"} and want.size == 36)


def _affinity(declared: str) -> str:
    low = declared.lower()
    for affinity, signs in AFFINITIES:
        if any(sign in low for sign in signs):
            return affinity
    return "NUMERIC" if low.strip() else "BLOB"
