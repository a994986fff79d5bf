"""Sessions of a PostgreSQL server, by what its log says of their begin and end."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.frames.logs import LOGS
from diagkit.frames.sessions import OCCUPANCY, SESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the server writes with log_connections and log_disconnections (9.0 to 18).
BEGUN = (
    r"^(?:replication )?connection authorized: user=(?P<user>.*?)"
    r"(?: database=(?P<database>.*?))?(?: application_name=(?P<application_name>.*?))?"
    r"(?: (?:SSL|GSS) .*)?$"
)
ENDED = (
    r"^disconnection: session time: (?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d(?:\.\d+)?) "
    r"user=(?P<user>.*?) database=(?P<database>.*?) host=(?P<host>\S+)(?: port=\d+)?$"
)
RESTARTED = r"^(?:database system is ready to accept|starting PostgreSQL )"
# A session begins before it is authorized: by as much as a slow login takes.
LOGIN = pd.Timedelta("1s")
# By how much a beginning that is worked out may seem later than it was: the server
# measures milliseconds, and some logs write whole seconds.
PRECISE, ROUNDED = pd.Timedelta("2ms"), pd.Timedelta("1001ms")


def find_sessions(logs: pd.DataFrame) -> pd.DataFrame:
    r"""Find who was connected to a PostgreSQL server, and from when to when.

    The line that ends a session says how long it was: so its beginning is known, also
    where that was before the log begins. A line that begins one is put together with
    such an end of the same user and database; among those that begin at the same
    moment it does not matter which. What is left over was open when the log ended, or
    its process died without a word.

    Sessions that began before the first record and did not end before the last one
    leave no line at all. One that began within a second before the first record may be
    taken for one that began just after it.

    Parameters
    ----------
    logs
        LOGS of a server with ``log_connections`` and ``log_disconnections``.

    Returns
    -------
    pandas.DataFrame
        SESSIONS, in order of their beginning.

    Raises
    ------
    ContractError
        If `logs` is no LOGS frame.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from diagkit import read_logs
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "postgresql.log"
    >>> _ = path.write_text(
    ...     "2025-11-24 10:00:09.000 UTC [17] LOG:  disconnection: session time: "
    ...     "0:00:30.000 user=app database=shop host=10.0.0.9 port=4711\n")
    >>> rows = find_sessions(read_logs(path, progress=False))
    >>> print(rows.loc[0, "started_at"], rows.loc[0, "user"])
    2025-11-24 09:59:39+00:00 app
    """
    LOGS.check(logs)
    dated = logs[logs["timestamp"].notna()]
    if dated.empty:
        return SESSIONS.empty()
    begun, ended = _begun(dated), _ended(dated)
    last = dated["timestamp"].max()
    whole = (dated["timestamp"] == dated["timestamp"].dt.floor("s")).all()
    off = ROUNDED if whole else PRECISE
    restarts = dated["message"].str.contains(RESTARTED, regex=True)
    stops = sorted(dated.loc[restarts, "timestamp"])
    rows: list[dict[str, Any]] = []
    for who in sorted({*begun, *ended}):
        for first, final in _pair(begun.get(who, []), ended.get(who, []), off):
            rows.append(_join(first, final, stops, last))
    rows.sort(key=lambda row: (row["started_at"], row["source"], row["line"]))
    return SESSIONS.build(
        {name: [row[name] for row in rows] for name in SESSIONS.names}
    )


def count_occupancy(sessions: pd.DataFrame, every: str = "1min") -> pd.DataFrame:
    """Count how many sessions were open at once, in each bin of time.

    Parameters
    ----------
    sessions
        SESSIONS.
    every
        Length of a bin.

    Returns
    -------
    pandas.DataFrame
        OCCUPANCY, the most at any moment of each bin: ``low`` counts what is known to
        be open, ``high`` also what may have been, up to ``ended_before``. Sessions that
        left no line are in neither.

    Raises
    ------
    ContractError
        If `sessions` is no SESSIONS frame.

    Examples
    --------
    >>> hour = pd.Timestamp("2025-11-24 10:00", tz="UTC")
    >>> end = [hour + pd.Timedelta(minutes=m) for m in (1, 3)]
    >>> rows = SESSIONS.build({"user": "app", "started_at": [hour, hour],
    ...     "ended_at": [end[0], None], "ended_before": end, "source": "a.log",
    ...     "line": [1, 2]})
    >>> count_occupancy(rows)[["low", "high"]].values.tolist()
    [[2, 2], [1, 2], [0, 1], [0, 1]]
    """
    SESSIONS.check(sessions)
    if sessions.empty:
        return OCCUPANCY.empty()
    started, limit = sessions["started_at"], sessions["ended_before"]
    known = sessions["ended_at"].fillna(started)
    bins = pd.date_range(started.min().floor(every), limit.max(), freq=every)
    return OCCUPANCY.build(
        {
            "timestamp": bins,
            "low": _most_open(started, known, bins),
            "high": _most_open(started, limit, bins),
        }
    )


def _begun(logs: pd.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    said = logs["message"].str.extract(BEGUN)
    return _by_who(said[said["user"].notna()], logs, logs["timestamp"])


def _ended(logs: pd.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    said = logs["message"].str.extract(ENDED)
    said = said[said["user"].notna()]
    h, m, s = (said[name].astype("float64") for name in "hms")
    length = (3600 * h + 60 * m + s).rename("session_s")
    begin = logs["timestamp"].loc[said.index] - pd.to_timedelta(length, unit="s")
    return _by_who(said.join(length), logs, begin)


def _by_who(
    said: pd.DataFrame, logs: pd.DataFrame, begin: pd.Series
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the lines of each user and database, in the order of the beginnings."""
    lines = said.join(logs[["timestamp", "source", "line"]])
    lines["begin"] = begin.loc[lines.index].dt.floor("us")
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in lines.sort_values("begin", kind="stable").to_dict("records"):
        known = {str(name): value for name, value in row.items() if not pd.isna(value)}
        who = (known["user"], known.get("database", ""))
        found.setdefault(who, []).append(known)
    return found


def _pair(
    begun: list[dict[str, Any]], ended: list[dict[str, Any]], off: pd.Timedelta
) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Put beginnings and ends of one user together, both in order of the beginning."""
    i = j = 0
    while i < len(begun) or j < len(ended):
        if j == len(ended):
            yield begun[i], None
            i += 1
        elif i == len(begun) or ended[j]["begin"] < begun[i]["begin"] - LOGIN:
            yield None, ended[j]
            j += 1
        elif ended[j]["begin"] > begun[i]["begin"] + off:
            yield begun[i], None
            i += 1
        else:
            yield begun[i], ended[j]
            i, j = i + 1, j + 1


def _join(
    first: dict[str, Any] | None,
    final: dict[str, Any] | None,
    stops: list[pd.Timestamp],
    last: pd.Timestamp,
) -> dict[str, Any]:
    row = {**(first or {}), **(final or {})}
    row["started_at"] = row["begin"]
    row["database"] = row.get("database") or None
    ended = row["timestamp"] if final else None
    later = bisect_right(stops, row["begin"])
    limit = stops[later] if later < len(stops) else last
    row["ended_at"], row["ended_before"] = ended, limit if ended is None else ended
    return {name: row.get(name) for name in SESSIONS.names}


def _most_open(
    started: pd.Series, ended: pd.Series, bins: pd.DatetimeIndex
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Count the most that are open at a moment of each bin, their ends included."""
    begins = np.sort(started.to_numpy("datetime64[us]"))
    ends = np.sort(ended.to_numpy("datetime64[us]"))
    edges = bins.to_numpy("datetime64[us]")
    # The number can be at its highest where a bin begins, or where a session does.
    at = np.concatenate([edges, begins])
    count = np.searchsorted(begins, at, "right") - np.searchsorted(ends, at, "left")
    most = np.zeros(len(edges), np.int64)
    np.maximum.at(most, np.searchsorted(edges, at, "right") - 1, count)
    return most
