"""Requests: how each observer saw them, and where the observers do not agree."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.frames.http import CLASSES, HTTP, OBSERVERS, STATUSES, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Iterator

# Two clocks may differ by so much, and a request takes so long.
SLACK = pd.Timedelta("60s")
# What a client's request and a backend's are told to be one of.
PLACE = ["method", "path"]
# nginx's own: the client did not wait for the answer.
GAVE_UP = 499
# A proxy's own answers where nobody behind it answers, or not in time.
UNREACHABLE, SLOW = (502, 503), 504


@dataclass(frozen=True, eq=False)
class HttpReconciliation:
    """What clients saw fail, held against what the backend saw.

    Attributes
    ----------
    unseen
        UNSEEN, a row a method and route that failed for a client.
    rates
        A row an observer: ``requests``, ``failed`` (a 5xx, or no answer), ``rate``.
    crashed_streams
        How many exceptions the backend's server told of beyond its 5xx: streams that
        broke off after a status of 200 had gone out.
    broken_streams
        How many answers broke off for a client after their status.
    """

    unseen: pd.DataFrame = field(repr=False)
    rates: pd.DataFrame = field(repr=False)
    crashed_streams: int = 0
    broken_streams: int = 0

    @property
    def bounds(self) -> tuple[int, int]:
        """How many failed requests the backend did not see fail: least, most."""
        columns = ("unseen_low", "unseen_high")
        low, high = (int(self.unseen[name].sum()) for name in columns)
        return low, high

    @property
    def corrected_rate(self) -> tuple[float, float]:
        """The backend's error rate with what its log lacks: least, most.

        Requests that never reached it are added to its requests; they, those that it
        took for served and streams that broke off are added to its failures. NaN
        where there is no request.
        """
        low, high = self.bounds
        own = self.rates[self.rates["observer"] == "backend"]
        requests = int(own["requests"].sum()) + low
        failed = int(own["failed"].sum())
        if not requests:
            return math.nan, math.nan
        # What broke off for a client is unseen, and may be one of what crashed.
        crashed = self.crashed_streams, self.crashed_streams - self.broken_streams
        least = failed + crashed[0] + low
        most = max(least, failed + max(0, crashed[1]) + high)
        return min(1.0, least / requests), min(1.0, most / requests)


def count_statuses(http: pd.DataFrame, every: str = "1min") -> pd.DataFrame:
    """Count requests over time, by observer, route and class of status.

    Parameters
    ----------
    http
        HTTP. Requests without a time are in no bin; ``attrs["undated"]`` counts them.
    every
        Length of a bin.

    Returns
    -------
    pandas.DataFrame
        STATUSES; what does not occur in a bin has no row.

    Raises
    ------
    ContractError
        If `http` is no HTTP frame.

    Examples
    --------
    >>> rows = HTTP.build({"timestamp": pd.Timestamp("2025-11-24 10:00:07", tz="UTC"),
    ...     "observer": "proxy", "method": "GET", "path": "/a", "route": "/a",
    ...     "status": [502, 502, 200], "source": "a.log", "line": [1, 2, 3]})
    >>> count_statuses(rows)[["status_class", "requests"]].values.tolist()
    [['2xx', 1], ['5xx', 2]]
    """
    HTTP.check(http)
    dated = http[http["timestamp"].notna()]
    columns = {
        "timestamp": dated["timestamp"].dt.floor(every),
        "observer": dated["observer"].astype("str"),
        "route": dated["route"],
        "status_class": name_classes(dated["status"]),
    }
    names = list(columns)
    counts = pd.DataFrame(columns).groupby(names, sort=True).size()
    frame = STATUSES.conform(counts.rename("requests").reset_index())
    frame = STATUSES.order(frame, observer=OBSERVERS, status_class=CLASSES)
    frame.attrs["undated"] = len(http) - len(dated)
    return frame


def name_classes(statuses: pd.Series) -> pd.Series:
    """Name the class of each status.

    Parameters
    ----------
    statuses
        Of HTTP; missing where there was no answer.

    Returns
    -------
    pandas.Series
        ``2xx`` ... or ``no answer``.
    """
    names = (statuses // 100).astype("str") + "xx"
    return names.where(statuses.notna(), CLASSES[-1])


def reconcile_http(
    http: pd.DataFrame, leaks: pd.DataFrame | None = None
) -> HttpReconciliation:
    """Hold what clients saw fail against what the backend saw.

    By method and path: requests that failed for a client, against those that the
    backend saw in that time (a minute more on either side), or at all where its log
    has no times. A backend may serve others too, so what it saw need not have been the
    client's: `unseen_low` is what is left when all of it was, `unseen_high` what is
    left when only its failures of the same status were.

    Parameters
    ----------
    http
        HTTP of clients and of the backend.
    leaks
        LEAKS of the backend's log, which tell of exceptions after a 200.

    Returns
    -------
    HttpReconciliation
        ``unseen`` has no rows where there is no client, or no backend.

    Raises
    ------
    ContractError
        If `http` is no HTTP frame.

    Examples
    --------
    >>> rows = HTTP.build({"observer": ["client", "backend"], "method": "POST",
    ...     "path": ["/login", "/health"], "route": "/", "status": [503, 200],
    ...     "source": "a", "line": 1})
    >>> reconcile_http(rows).bounds
    (1, 1)
    """
    HTTP.check(http)
    observers = http["observer"].astype("str")
    clients, backend = (http[observers == name] for name in ("client", "backend"))
    unseen = _compare(clients, backend) if len(backend) else UNSEEN.empty()
    failed = _failed(http)
    rates = (
        pd.DataFrame({"observer": observers, "failed": failed})
        .groupby("observer")["failed"]
        .agg(requests="size", failed="sum", rate="mean")
        .reset_index()
    )
    crashes = 0
    if leaks is not None:
        crashes = int((leaks["signature"].astype("str") == "uvicorn.exception").sum())
        crashes = max(0, crashes - int((backend["status"] >= 500).sum()))
    broken = int((clients["error"].notna() & (clients["status"] < 500)).sum())
    return HttpReconciliation(unseen, rates, crashes, broken)


def find_own(http: pd.DataFrame) -> pd.Series:
    """Find the failures that a proxy answered with itself: nobody behind it did.

    Parameters
    ----------
    http
        HTTP.

    Returns
    -------
    pandas.Series
        A bool for each request that a proxy saw, with their index: True for a 502, 503
        or 504 that the backend did not send. It did where the proxy says that it got
        this status (nginx says so of its own 502 and 504, too), or where the backend's
        log has as many of them.

    Examples
    --------
    >>> rows = HTTP.build({"observer": ["proxy", "proxy", "backend"], "method": "GET",
    ...     "path": "/a", "route": "/a", "status": [502, 503, 503], "source": "a.log",
    ...     "line": [1, 2, 1]})
    >>> find_own(rows).tolist()
    [True, False]
    """
    observers = http["observer"].astype("str")
    proxy = http[observers == "proxy"]
    status, upstream = proxy["status"], proxy["upstream_status"]
    failed = status.isin((*UNREACHABLE, SLOW))
    told = (upstream < 500) | ((upstream == status) & (status == UNREACHABLE[1]))
    keys = ["method", "path", "status"]
    sent = http[observers == "backend"].groupby(keys).size()
    turn = proxy[failed].groupby(keys).cumcount()
    names = pd.MultiIndex.from_frame(proxy.loc[turn.index, keys])
    passed = pd.Series(turn.to_numpy() < sent.reindex(names).fillna(0).to_numpy())
    seen = passed.set_axis(turn.index).reindex(proxy.index, fill_value=False)
    return failed & ~told.fillna(False).astype(bool) & ~seen


def _failed(http: pd.DataFrame) -> pd.Series:
    """Tell which failed: a 5xx, no answer, an answer that a client saw break off."""
    broken = http["error"].notna() & (http["observer"] == "client")
    return http["status"].isna() | (http["status"] >= 500) | broken


def _compare(clients: pd.DataFrame, backend: pd.DataFrame) -> pd.DataFrame:
    """Count by method and path, and add up by route."""
    failed = clients[_failed(clients)]
    rows = [
        {
            **dict(zip(PLACE, place, strict=True)),
            "route": part["route"].iloc[0],
            "failed": len(part),
            **counts,
        }
        for place, part, counts in _count_places(clients, failed, backend)
    ]
    if not rows:
        return UNSEEN.empty()
    names = ["failed", "backend", "unseen_low", "unseen_high"]
    by = ["method", "route"]
    sums = pd.DataFrame(rows).groupby(by, sort=True)[names].sum().reset_index()
    said = failed.assign(status=failed["status"].astype("str").fillna(CLASSES[-1]))
    counts = said.groupby(by)["status"].value_counts()
    sums["statuses"] = [
        ", ".join(f"{name}: {n}" for name, n in counts[place].items())
        for place in sums[by].itertuples(index=False, name=None)
    ]
    return UNSEEN.conform(sums[list(UNSEEN.names)])


def _count_places(
    clients: pd.DataFrame, failed: pd.DataFrame, backend: pd.DataFrame
) -> Iterator[tuple[Any, pd.DataFrame, dict[str, int]]]:
    since, until = clients["timestamp"].min(), clients["timestamp"].max()
    seen = backend
    if not pd.isna(since):
        near = backend["timestamp"].between(since - SLACK, until + SLACK)
        seen = backend[near | backend["timestamp"].isna()]
    served, reached = (
        frame.groupby(PLACE).size() for frame in (clients[~_failed(clients)], seen)
    )
    of_status = seen.groupby([*PLACE, "status"]).size()
    for place, rows in failed.groupby(PLACE, sort=True):
        saw = int(reached.get(place, 0))
        left = max(0, saw - int(served.get(place, 0)))
        statuses = rows["status"].value_counts()
        alike = sum(
            min(number, int(of_status.get((*place, status), 0)))
            for status, number in zip(statuses.index, statuses.tolist(), strict=True)
            if status >= 500
        )
        yield (
            place,
            rows,
            {
                "backend": saw,
                "unseen_low": max(0, len(rows) - left),
                "unseen_high": len(rows) - alike,
            },
        )
