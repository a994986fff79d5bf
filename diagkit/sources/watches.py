"""What runs now, looked at again and again: a recorder's pool, a server's sessions.

Of a recorder the lines that are new since the last look are read. What is older than
the window is forgotten, except for the checkouts that are still open.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.errors import SettingError
from diagkit.frames.checkouts import CHECKOUTS, OUTCOMES
from diagkit.frames.pool import POOL
from diagkit.redaction.statements import redact_statement
from diagkit.sources.activity import sample_activity
from diagkit.sources.checkouts import (
    Read,
    frame_checkouts,
    frame_samples,
    read_line,
)
from diagkit.sources.recordings import NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Line = dict[str, Any]
    Frames = tuple[pd.DataFrame, pd.DataFrame]

LAST_S = 300.0
# Of a statement so much says what a transaction is for.
STATEMENT = 80


class RecordingTail:
    """The last lines of what one recorder writes, and the checkouts that are open.

    Parameters
    ----------
    folder
        Where it writes.
    process, number
        Whose files: ``pool-<process>-<number>.<part>.jsonl``.
    last_s
        How many seconds of lines to keep.
    """

    def __init__(self, folder: Path, process: int, number: int, last_s: float) -> None:
        self._folder = folder
        self._whose = (str(process), str(number))
        self._last_us = int(last_s * 1e6)
        self._part = self._offset = 0
        self._head: Line = {}
        self._open: dict[int, Line] = {}
        self._kept: deque[Line] = deque()

    def look(self, now: int, out: int | None) -> Frames:
        """Read what is new.

        Parameters
        ----------
        now
            Microseconds since 1970.
        out
            How many connections are out now; None where nobody records any more.

        Returns
        -------
        tuple of pandas.DataFrame
            POOL and CHECKOUTS of the window.
        """
        oldest = now - self._last_us
        for part, path in self._parts():
            self._read(part, path)
            self._trim(oldest)
        # The window begins with what was so at its beginning.
        head = {**self._head, "at": oldest, "carried": len(self._open)}
        lines = [
            *([head] if self._head else []),
            *({**line, "event": "carried"} for line in self._open.values()),
            *self._kept,
        ]
        if out is not None and lines:
            waiting = lines[-1].get("waiting", 0)
            lines.append({"event": "look", "at": now, "out": out, "waiting": waiting})
        one = Read("-".join(self._whose), lines=lines)
        one.pool = next((line["pool"] for line in lines if "pool" in line), "")
        return frame_samples([one]), frame_checkouts([one])

    def _parts(self) -> list[tuple[int, Path]]:
        found = ((NAME.fullmatch(one.name), one) for one in self._folder.iterdir())
        parts = [
            (int(name[3]), path)
            for name, path in found
            if name and (name[1], name[2]) == self._whose
        ]
        return [(part, path) for part, path in sorted(parts) if part >= self._part]

    def _read(self, part: int, path: Path) -> None:
        offset = self._offset if part == self._part else 0
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
        # A line that is being written is read the next time.
        whole = data[: data.rfind(b"\n") + 1]
        self._part, self._offset = part, offset + len(whole)
        lines = (read_line(one) for one in whole.splitlines(keepends=True))
        self._kept.extend(line for line in lines if line is not None)

    def _trim(self, oldest: int) -> None:
        kept = self._kept
        while kept and kept[0]["at"] < oldest:
            line = kept.popleft()
            event = line["event"]
            if event == "start":
                self._head = line
            elif event in ("checkout", "carried"):
                self._open.setdefault(line["id"], line)
            elif "outcome" in line:
                self._open.pop(line.get("id", 0), None)
            figures: Line = {n: line[n] for n in ("out", "waiting") if n in line}
            self._head = {**self._head, **figures}


class ServerWatch:
    """What `watch_server` returns: ``look()`` gives POOL and CHECKOUTS."""

    def __init__(
        self, url: str, last_s: float, sample: Callable[..., pd.DataFrame]
    ) -> None:
        self._url = url
        self._last = pd.Timedelta(seconds=last_s)
        self._sample = sample
        self._kept: deque[pd.DataFrame] = deque()

    def __repr__(self) -> str:
        return f"<ServerWatch, {len(self._kept)} snapshots>"

    def look(self) -> Frames:
        """Look at the server once more.

        Returns
        -------
        tuple of pandas.DataFrame
            POOL and CHECKOUTS; see `watch_server`.
        """
        snapshot = self._sample(self._url, for_s=0.0)
        if len(snapshot):
            self._kept.append(snapshot)
            oldest = snapshot["timestamp"].iloc[0] - self._last
            while self._kept[0]["timestamp"].iloc[0] < oldest:
                self._kept.popleft()
        return frame_sessions(list(self._kept))


def watch_server(
    url: str,
    last_s: float = LAST_S,
    *,
    sample: Callable[..., pd.DataFrame] = sample_activity,
) -> ServerWatch:
    """Watch the sessions of a PostgreSQL server, for `PoolExplorer`.

    Parameters
    ----------
    url
        ``postgresql://user:password@host/database``; read only, a short session a look.
    last_s
        How many seconds of snapshots to keep.
    sample
        What looks: `sample_activity`, or something that is called as it is.

    Returns
    -------
    ServerWatch
        Its ``look()`` gives POOL and CHECKOUTS as the server sees them: a pool is an
        ``application_name``, a connection is out while its session is not idle, and a
        checkout is a transaction, for the statement that it ran last (redacted). One
        that is not seen any more has ended: ``returned``.

    Raises
    ------
    SettingError
        If `last_s` is not positive.

    Examples
    --------
    >>> watch_server("postgresql://monitor@db/app")
    <ServerWatch, 0 snapshots>
    """
    if not last_s > 0:
        msg = f"last_s is more than 0 seconds; {last_s} came"
        raise SettingError(msg)
    return ServerWatch(url, last_s, sample)


def frame_sessions(snapshots: list[pd.DataFrame]) -> Frames:
    """Return what snapshots of a server say of pools.

    Parameters
    ----------
    snapshots
        ACTIVITY, one snapshot each, in order of time.

    Returns
    -------
    tuple of pandas.DataFrame
        POOL and CHECKOUTS; see `watch_server`.
    """
    if not snapshots:
        return POOL.empty(), CHECKOUTS.empty()
    rows = pd.concat(snapshots, ignore_index=True)
    kinds = rows["backend_type"].fillna("client backend")
    rows = rows[(kinds == "client backend") & rows["state"].notna()]
    named = rows["application_name"].where(rows["application_name"] != "")
    rows = rows.assign(
        pool=named.fillna(rows["datname"]).fillna("unnamed"),
        out=rows["state"] != "idle",
    )
    counts = rows.groupby(["timestamp", "pool"], sort=True)["out"].agg(["sum", "size"])
    counts = counts.reset_index()
    pool = POOL.build(
        {
            "timestamp": counts["timestamp"],
            "pool": counts["pool"],
            "checked_out": counts["sum"],
            "checked_in": counts["size"] - counts["sum"],
        }
    )
    open_ = rows[rows["out"] & rows["xact_start"].notna()]
    last = snapshots[-1]["timestamp"].iloc[0]
    grouped = open_.groupby(["pid", "xact_start"], sort=False, as_index=False)
    seen = grouped.agg(
        pool=("pool", "last"), query=("query", "last"), until=("timestamp", "max")
    )
    held = (seen["until"] - seen["xact_start"]).dt.total_seconds()
    ends = ["held" if until == last else "returned" for until in seen["until"]]
    began = seen["xact_start"].dt.strftime("%H:%M:%S.%f")
    checkouts = CHECKOUTS.build(
        {
            "checkout_id": seen["pid"].astype("str") + " " + began,
            "pool": seen["pool"],
            "connection": seen["pid"].astype("str"),
            "checked_out_at": seen["xact_start"],
            "held_s": held.clip(lower=0.0),
            "operation": [_statement(one) for one in seen["query"]],
            "outcome": pd.Categorical(ends, categories=OUTCOMES),
        }
    )
    return pool, checkouts.sort_values(
        ["checked_out_at", "checkout_id"], kind="stable", ignore_index=True
    )


def _statement(query: Any) -> str | None:
    if not isinstance(query, str) or not query.strip():
        return None
    text = re.sub(r"\s+", " ", redact_statement(query).text).strip()
    return text if len(text) <= STATEMENT else f"{text[: STATEMENT - 1]}…"
