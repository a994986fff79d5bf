"""One event told several times: copies in other files, echoes, other zones."""

from __future__ import annotations

from dataclasses import dataclass

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


def fold_copies(leaks: pd.DataFrame) -> pd.DataFrame:
    """Keep one of the records that several handlers wrote to several files.

    Parameters
    ----------
    leaks
        LEAKS, before they are counted.

    Returns
    -------
    pandas.DataFrame
        Without the copies: same second, logger and message in another file.

    Examples
    --------
    >>> from diagkit.frames.leaks import LEAKS
    >>> len(fold_copies(LEAKS.empty()))
    0
    """
    dated = leaks["timestamp"].notna()
    # Text handlers cut times to the second, others do not.
    same = [
        leaks["timestamp"].dt.floor("s"),
        leaks["logger"].fillna(""),
        leaks["message"],
    ]
    event = leaks.groupby(same, dropna=False, sort=False).ngroup()
    turn = leaks.groupby([event, leaks["source"]], sort=False).cumcount()
    key = pd.DataFrame({"event": event, "turn": turn})
    return leaks[~(dated & key.duplicated())]


def fold_echoes(leaks: pd.DataFrame) -> pd.DataFrame:
    """Leave out the warnings that repeat an ERROR of the same connection.

    Parameters
    ----------
    leaks
        LEAKS, before they are counted.

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
    leak = leaks["kind"] == "leak"
    warned = leaks["logger"] == WARNINGS_LOGGER
    by_connection = leaks["connection"].fillna("")
    # Addresses come back: each ERROR accounts for one warning, not for all of them.
    told = leaks[leak & ~warned]
    errors = by_connection[told.index].value_counts()
    echoes = leaks[leak & warned]
    # A driver may warn of a connection that SQLAlchemy warns of too: each is an echo.
    kinds = [by_connection[echoes.index], echoes["signature"]]
    turn = echoes.groupby(kinds, observed=True).cumcount()
    allowed = errors.reindex(by_connection[echoes.index], fill_value=0)
    dropped = echoes.index[turn.to_numpy() < allowed.to_numpy()]
    ending = echoes.loc[dropped[echoes.loc[dropped, "shutdown"]]]
    kinds = [by_connection[ending.index], ending["signature"]]
    ended = ending.groupby(kinds, observed=True).size().groupby(level=0).max()
    # The shutdown comes last: of a connection's ERRORs the last ones belong to it.
    left = told.groupby(by_connection[told.index]).cumcount(ascending=False)
    late = left.to_numpy() < ended.reindex(by_connection[told.index]).fillna(0)
    leaks = leaks.copy()
    leaks.loc[told.index[late.to_numpy()], "shutdown"] = True
    return leaks.drop(dropped)


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
