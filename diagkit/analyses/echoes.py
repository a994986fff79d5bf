"""One event told several times: copies in other files, echoes, other zones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

WARNINGS_LOGGER = "py.warnings"
# Where Python has taken down all modules, a warning has no place but this one.
AT_SHUTDOWN = r"^sys:1: "
# Zones differ by whole half hours, and by 26 hours at most.
ZONE_STEP_S = 1800
MAX_SHIFT_S = 26 * 3600
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Shift:
    """The same events in two files, some hours apart.

    Attributes
    ----------
    source, other
        The files; the events stand later in `source`.
    hours
        How much later.
    events, of
        How many of the events of `source` stand in `other` so much earlier, and how
        many it has that could.
    """

    source: str
    other: str
    hours: float
    events: int
    of: int


def fold_copies(events: pd.DataFrame, messages: pd.Series) -> pd.DataFrame:
    """Keep one of the records that several handlers wrote to several files.

    Parameters
    ----------
    events
        ``timestamp``, ``logger`` and ``source`` of events; its index says which of the
        messages each has.
    messages
        Messages, by position.

    Returns
    -------
    pandas.DataFrame
        Without the copies: same second, logger and message in another file.

    Examples
    --------
    >>> at = pd.to_datetime([7.0, 7.7], unit="s", utc=True)
    >>> events = pd.DataFrame({"timestamp": at, "logger": "a", "source": ["x", "y"]})
    >>> len(fold_copies(events, pd.Series(["lost it", "lost it"])))
    1
    """
    source, sources = pd.factorize(events["source"])
    if len(sources) < 2:
        return events
    # Text handlers cut times to the second, others do not.
    second, _ = pd.factorize(events["timestamp"].dt.floor("s"))
    logger, loggers = pd.factorize(events["logger"].fillna(""))
    place, _ = pd.factorize(second * len(loggers) + logger)
    dated = events["timestamp"].notna().to_numpy()
    rows = np.flatnonzero(dated)
    # Messages are long: only those are compared that could be copies.
    pairs = np.unique(place[rows] * len(sources) + source[rows])
    several = np.bincount(pairs // len(sources), minlength=place.max() + 1) > 1
    rows = rows[several[place[rows]]]
    message, found = pd.factorize(messages.array.take(events.index[rows]))
    event, _ = pd.factorize(place[rows] * max(len(found), 1) + message)
    turn = _turns(event * len(sources) + source[rows])
    copies = pd.DataFrame({"event": event, "turn": turn}).duplicated().to_numpy()
    return events.drop(events.index[rows[copies]]) if copies.any() else events


def _turns(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Say of each value how often it came before."""
    return pd.Series(values).groupby(values, sort=False).cumcount().to_numpy()


def fold_echoes(events: pd.DataFrame) -> pd.DataFrame:
    """Leave out the warnings that repeat an ERROR of the same connection.

    Parameters
    ----------
    events
        ``kind``, ``signature``, ``logger``, ``connection`` and ``shutdown`` of events.

    Returns
    -------
    pandas.DataFrame
        Without the echoes. An ERROR takes over from its echo that it was written when
        the interpreter shut down: only the warning says so.

    Examples
    --------
    >>> from diagkit.frames.leaks import LEAKS
    >>> len(fold_echoes(LEAKS.empty()))
    0
    """
    leak = (events["kind"] == "leak").to_numpy()
    warned = (events["logger"] == WARNINGS_LOGGER).to_numpy(dtype=bool, na_value=False)
    echoes, told = np.flatnonzero(leak & warned), np.flatnonzero(leak & ~warned)
    if not len(echoes):
        return events
    connection, names = pd.factorize(events["connection"].fillna(""))
    signature, signatures = pd.factorize(events["signature"])
    # Addresses come back: each ERROR accounts for one warning, not for all of them.
    errors = np.bincount(connection[told], minlength=len(names))
    # A driver may warn of a connection that SQLAlchemy warns of too: each is an echo.
    warning = connection * len(signatures) + signature
    dropped = echoes[_turns(warning[echoes]) < errors[connection[echoes]]]
    ending = dropped[events["shutdown"].to_numpy()[dropped]]
    ended = np.zeros(len(names), dtype=np.int64)
    np.maximum.at(ended, connection[ending], _turns(warning[ending]) + 1)
    # The shutdown comes last: of a connection's ERRORs the last ones belong to it.
    left = _turns(connection[told][::-1])[::-1]
    shutdown = events["shutdown"].to_numpy(copy=True)
    shutdown[told[left < ended[connection[told]]]] = True
    return events.assign(shutdown=shutdown).drop(events.index[dropped])


def find_shifts(leaks: pd.DataFrame) -> list[Shift]:
    """Find files that tell the same events some hours apart.

    Parameters
    ----------
    leaks
        LEAKS.

    Returns
    -------
    list of Shift
        One for each pair of files of which half the events, and two at least, are the
        same (logger, message with the same address) a whole number of half hours apart.

    Examples
    --------
    >>> from diagkit.frames.leaks import LEAKS
    >>> find_shifts(LEAKS.empty())
    []
    """
    told = leaks[leaks["timestamp"].notna() & leaks["connection"].notna()]
    frame = pd.DataFrame(
        {
            "source": told["source"],
            "second": told["timestamp"].dt.floor("s"),
            "event": told.groupby(["logger", "message"], dropna=False).ngroup(),
        }
    )
    frame["turn"] = frame.groupby(["source", "event"]).cumcount()
    counts = frame["source"].value_counts().to_dict()
    pairs = frame.merge(frame, on=["event", "turn"], suffixes=("", "_other"))
    apart = (pairs["second"] - pairs["second_other"]).dt.total_seconds()
    # Each file cuts its times by itself.
    pairs["steps"] = np.round(apart / ZONE_STEP_S)
    exact = (apart - pairs["steps"] * ZONE_STEP_S).abs() <= 1
    pairs = pairs[exact & (pairs["steps"] > 0) & (apart <= MAX_SHIFT_S)]
    pairs = pairs[pairs["source"] != pairs["source_other"]]
    found = []
    for _, same in pairs.groupby(["source", "source_other", "steps"], sort=True):
        first = same.iloc[0]
        source, other = str(first["source"]), str(first["source_other"])
        of = min(counts[source], counts[other])
        if len(same) >= max(2, LEAST_SHARE * of):
            hours = float(first["steps"]) * ZONE_STEP_S / 3600
            found.append(Shift(source, other, hours, len(same), of))
    return found
