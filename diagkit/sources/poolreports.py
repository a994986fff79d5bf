"""What pools report of themselves: in a log, as JSON lines, on PgBouncer's console."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Under which names people and tools note when something was seen.
TIME_NAMES = ("timestamp", "sampled_at", "time", "@timestamp", "ts")
POOL_NAMES = ("pool", "pool_name", "name")

# --- in a log: SQLAlchemy's pool.status(), HikariCP ------------------------------
STATUS = re.compile(
    r"Pool size: (?P<size>\d+) +Connections in pool: (?P<checked_in>\d+) +"
    r"Current Overflow: (?P<overflow>-?\d+) +"
    r"Current Checked out connections: (?P<checked_out>\d+)"
)
HIKARI = re.compile(
    r"(?:(?P<pool>\S+) - )?.{0,60}?[Ss]tats (?P<old>[\w-]+ )?"
    r"\((?P<figures>total=[^)]*)\)"
)
FIGURE = re.compile(r"(?P<name>\w+)=(?P<value>\d+)(?:/(?P<most>\d+))?")
# One of these stands in each of them: it is looked for before a line is read.
LITERALS = ("Current Checked out connections: ", ", waiting=")
HIKARI_NAMES = {
    "active": "checked_out",
    "inUse": "checked_out",
    "idle": "checked_in",
    "avail": "checked_in",
    "waiting": "waiting",
}

# --- psycopg_pool's get_stats(), as JSON lines ------------------------------------
PSYCOPG = re.compile(r"\A\s*\{[^\n]*\"pool_max\"")

# --- PgBouncer's SHOW POOLS -------------------------------------------------------
PGBOUNCER = re.compile(r"(?m)^[^\n]*\bcl_active\b[^\n]*\bsv_active\b")
STATS = re.compile(r"(?m)^[^\n]*\bdatabase\b[^\n]*\btotal_(?:xact|query)_count\b")
# The line that psql's \watch writes above each table.
WATCHED = re.compile(
    r"\s*(?P<time>\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}) \(every .*"
)
IDLE = ("sv_idle", "sv_used", "sv_tested", "sv_login")
RULE = re.compile(r"[-+ ]+|\(\d+ rows?\)|")


def read_message(message: str) -> dict[str, Any] | None:
    """Read what a pool says of itself in a message of a log.

    Parameters
    ----------
    message
        The message.

    Returns
    -------
    dict or None
        Columns of POOL; None where it is no such message.

    Examples
    --------
    >>> read_message("Pool size: 5  Connections in pool: 1 Current Overflow: -2 "
    ...              "Current Checked out connections: 2")
    {'size': 5, 'checked_in': 1, 'overflow': -2, 'checked_out': 2}
    """
    status = STATUS.search(message)
    if status:
        return {name: int(value) for name, value in status.groupdict().items()}
    hikari = HIKARI.search(message)
    if not hikari:
        return None
    row: dict[str, Any] = {"pool": (hikari["pool"] or hikari["old"] or "").strip()}
    for figure in FIGURE.finditer(hikari["figures"]):
        if figure["name"] in HIKARI_NAMES:
            row[HIKARI_NAMES[figure["name"]]] = int(figure["value"])
        elif figure["most"]:
            row["size"], row["max_overflow"] = int(figure["most"]), 0
    return row if "checked_out" in row else None


def read_psycopg(where: str, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read what psycopg_pool's ``get_stats()`` returned, a JSON object a line.

    Parameters
    ----------
    where
        The file's name, for the error.
    lines
        Its lines: the dict of ``get_stats()``, and the time and name that whoever
        wrote it added.

    Yields
    ------
    dict
        A row of POOL, and its ``line``.

    Raises
    ------
    SourceFormatError
        Where a line is none, or has no time.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            stats = json.loads(line)
            least, most = int(stats["pool_min"]), int(stats["pool_max"])
            # Keys are left out where their value is 0.
            size, free = (
                int(stats.get(name, 0)) for name in ("pool_size", "pool_available")
            )
            waiting = int(stats.get("requests_waiting", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            msg = f"{where}:{number}: is no get_stats() of psycopg_pool's, as JSON"
            raise SourceFormatError(msg) from None
        time = next((stats[name] for name in TIME_NAMES if name in stats), None)
        if time is None:
            msg = (
                f"{where}:{number}: the sample has no time; write one beside what "
                'get_stats() returns: {"timestamp": "…", …}'
            )
            raise SourceFormatError(msg)
        yield {
            "line": number,
            "timestamp": time,
            "pool": str(next((stats[n] for n in POOL_NAMES if n in stats), "")),
            "size": least,
            "max_overflow": most - least,
            "checked_in": free,
            "checked_out": size - free,
            "overflow": max(0, size - least),
            "waiting": waiting,
        }


def read_pgbouncer(where: str, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    r"""Read PgBouncer's ``SHOW POOLS``, as psql prints it or as CSV, once or watched.

    Parameters
    ----------
    where
        The file's name, for the error.
    lines
        Its lines. The time is that of psql's ``\watch``, or a column of it.

    Yields
    ------
    dict
        A row of POOL, and its ``line``. The console's own pool is left out.

    Raises
    ------
    SourceFormatError
        Where a table has no time, or a row does not fit it.
    """
    header: list[str] = []
    time: str | None = None
    cut = "|"
    for number, line in enumerate(lines, 1):
        watched = WATCHED.fullmatch(line)
        if watched:
            time = " ".join(watched["time"].split())
            continue
        if RULE.fullmatch(line.strip()):
            continue
        if PGBOUNCER.match(line):
            cut = "|" if "|" in line else ","
            header = _cells(line, cut)
            continue
        if not header:
            continue
        cells = _cells(line, cut)
        if len(cells) != len(header):
            msg = f"{where}:{number}: a row of {len(cells)} cells under {len(header)}"
            raise SourceFormatError(msg)
        row = dict(zip(header, cells, strict=True))
        if row.get("database") == "pgbouncer":
            continue
        yield _of_pgbouncer(where, number, row, time)


def _cells(line: str, cut: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=cut))]


def _of_pgbouncer(
    where: str, number: int, row: dict[str, str], time: str | None
) -> dict[str, Any]:
    when = next((row[name] for name in TIME_NAMES if row.get(name)), time)
    if when is None:
        msg = (
            f"{where}:{number}: SHOW POOLS has no time here; psql's `\\watch` writes "
            "one above each table (not with --csv)"
        )
        raise SourceFormatError(msg)
    try:
        return {
            "line": number,
            "timestamp": when,
            "pool": f"{row['database']}/{row['user']}",
            "checked_in": sum(int(row.get(name, 0)) for name in IDLE),
            "checked_out": int(row["sv_active"]),
            "waiting": int(row["cl_waiting"]),
        }
    except (KeyError, ValueError) as error:
        msg = f"{where}:{number}: is no row of SHOW POOLS ({error})"
        raise SourceFormatError(msg) from None
