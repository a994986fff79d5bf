"""Requests: how each observer saw them, and where the observers do not agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.frames.findings import Finding, build_findings
from diagkit.frames.http import CLASSES, HTTP, OBSERVERS, STATUSES, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Iterator

# Two clocks may differ by so much, and a request takes so long.
SLACK = pd.Timedelta("60s")
# nginx's own: the client did not wait for the answer.
GAVE_UP = 499
# A proxy's own answers where nobody behind it answers, or not in time.
UNREACHABLE, SLOW = (502, 503), 504
# From so many on, and so large a part, errors are a finding.
LEAST_ERRORS, LEAST_SHARE = 3, 0.01


@dataclass(frozen=True, eq=False)
class HttpReconciliation:
    """What clients saw fail, held against what the backend saw.

    Attributes
    ----------
    unseen
        UNSEEN, a row a method and path that failed for a client.
    rates
        A row an observer: ``requests``, ``failed`` (a 5xx, or no answer), ``rate``.
    crashed_streams
        How many exceptions the backend's server told of beyond its 5xx: streams that
        broke off after a status of 200 had gone out.
    """

    unseen: pd.DataFrame = field(repr=False)
    rates: pd.DataFrame = field(repr=False)
    crashed_streams: int = 0

    @property
    def bounds(self) -> tuple[int, int]:
        """How many failed requests the backend did not see fail: least, most."""
        columns = ("unseen_low", "unseen_high")
        low, high = (int(self.unseen[name].sum()) for name in columns)
        return low, high


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
    ...     "path": ["/login", "/health"], "route": "", "status": [503, 200],
    ...     "source": "a", "line": 1})
    >>> reconcile_http(rows).bounds
    (1, 1)
    """
    HTTP.check(http)
    observers = http["observer"].astype("str")
    clients, backend = (http[observers == name] for name in ("client", "backend"))
    rows = list(_compare(clients, backend)) if len(backend) else []
    columns = {name: [row[i] for row in rows] for i, name in enumerate(UNSEEN.names)}
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
    return HttpReconciliation(UNSEEN.build(columns), rates, crashes)


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


def check_http(http: pd.DataFrame, leaks: pd.DataFrame | None = None) -> pd.DataFrame:
    """Report errors that the backend never saw, and those that it did.

    Parameters
    ----------
    http, leaks
        As for `reconcile_http`.

    Returns
    -------
    pandas.DataFrame
        FINDINGS: ``errors_unseen_by_backend``, ``upstream_unreachable`` and
        ``upstream_slow`` (a proxy's 502, 503 and 504), ``client_gave_up`` (499),
        ``server_errors`` (the backend's own 5xx), ``stream_crashed``.

    Raises
    ------
    ContractError
        If `http` is no HTTP frame.

    Examples
    --------
    >>> rows = HTTP.build({"observer": "proxy", "method": "GET", "path": "/a",
    ...     "route": "/a", "status": [502, 200], "source": "a.log", "line": [1, 2]})
    >>> check_http(rows)["summary"].tolist()
    ['a proxy got no answer from behind it for 1 of 2 requests']
    """
    found = reconcile_http(http, leaks)
    return build_findings(
        [
            *_report_unseen(found),
            *_report_proxy(http),
            *_report_backend(http, found.crashed_streams),
        ]
    )


def _failed(http: pd.DataFrame) -> pd.Series:
    return http["status"].isna() | (http["status"] >= 500)


def _compare(
    clients: pd.DataFrame, backend: pd.DataFrame
) -> Iterator[tuple[object, ...]]:
    since, until = (
        clients["timestamp"].min() - SLACK,
        clients["timestamp"].max() + SLACK,
    )
    near = backend["timestamp"].between(since, until) | backend["timestamp"].isna()
    seen = backend if pd.isna(since) else backend[near]
    failed = clients[_failed(clients)]
    for (method, path), rows in failed.groupby(["method", "path"], sort=True):
        same = seen[(seen["method"] == method) & (seen["path"] == path)]
        all_of = clients[(clients["method"] == method) & (clients["path"] == path)]
        succeeded = len(all_of) - len(rows)
        left = max(0, len(same) - succeeded)
        alike = sum(
            min(int(number), int((same["status"] == status).sum()))
            for status, number in rows["status"].value_counts().items()
        )
        said = rows["status"].astype("str").fillna(CLASSES[-1]).value_counts()
        yield (
            method,
            path,
            len(rows),
            ", ".join(f"{status}: {number}" for status, number in said.items()),
            len(same),
            max(0, len(rows) - left),
            len(rows) - alike,
        )


def _report_unseen(found: HttpReconciliation) -> Iterator[Finding]:
    low, high = found.bounds
    if not high:
        return
    rows = found.unseen.sort_values("unseen_high", ascending=False, kind="stable")
    rows = rows[rows["unseen_high"] > 0]
    said = [
        f"{row.method} {row.path}: {row.failed} failed ({row.statuses}), the backend "
        f"saw {row.backend}"
        for row in rows.head(3).itertuples()
    ]
    total = int(found.unseen["failed"].sum())
    surely = f", {low} of them never reached it" if low else ""
    yield Finding(
        code="errors_unseen_by_backend",
        subject="clients",
        area="infrastructure",
        severity="high" if low else "medium",
        summary=f"the backend's log has no failure for {high} of {total} requests that "
        f"failed for clients{surely}",
        evidence="; ".join(said),
        remedy="Look between them: published ports, the proxy's targets, another "
        "service that answers on that port.",
    )


def _report_proxy(http: pd.DataFrame) -> Iterator[Finding]:
    proxy = http[http["observer"].astype("str") == "proxy"]
    status, own = proxy["status"], find_own(http)
    kinds = (
        (
            "upstream_unreachable",
            "infrastructure",
            "high",
            status.isin(UNREACHABLE) & own,
            "a proxy got no answer from behind it for {n} of {all} requests",
            "See the proxy's error log for the reason, and whether the service runs.",
        ),
        (
            "upstream_slow",
            "service",
            "high",
            (status == SLOW) & own,
            "a proxy waited in vain for {n} of {all} answers (504)",
            "Find what the service waits for: a pool, a lock, a slow query.",
        ),
        (
            "client_gave_up",
            "service",
            "medium",
            status == GAVE_UP,
            "clients did not wait for {n} of {all} answers (499)",
            "Compare the clients' timeouts with how long the service takes.",
        ),
    )
    for code, area, severity, which, words, remedy in kinds:
        hit = proxy[which.fillna(False).astype(bool)]
        if len(hit):
            yield Finding(
                code=code,
                subject="proxy",
                area=area,
                severity=severity,
                summary=words.format(n=len(hit), all=len(proxy)),
                evidence=_evidence(hit),
                remedy=remedy,
            )


def _report_backend(http: pd.DataFrame, crashed: int) -> Iterator[Finding]:
    backend = http[http["observer"].astype("str") == "backend"]
    hit = backend[(backend["status"] >= 500).fillna(False).astype(bool)]
    if len(hit) >= LEAST_ERRORS and len(hit) >= LEAST_SHARE * len(backend):
        yield Finding(
            code="server_errors",
            subject="backend",
            area="service",
            severity="medium",
            summary=f"the backend answered {len(hit)} of {len(backend)} requests with "
            "a 5xx",
            evidence=_evidence(hit),
            remedy="Read the tracebacks of these requests.",
        )
    if crashed:
        yield Finding(
            code="stream_crashed",
            subject="backend",
            area="code",
            severity="medium",
            summary=f"{crashed} requests failed after their status 200 had gone out",
            evidence=f"{crashed} exceptions beyond the {len(hit)} answers with a 5xx",
            remedy="Read these tracebacks; no access log shows such failures.",
        )


def _evidence(hit: pd.DataFrame) -> str:
    routes = (hit["method"] + " " + hit["route"]).value_counts().head(3)
    parts = [f"{number} of {route}" for route, number in routes.items()]
    times = hit["timestamp"].dropna()
    if len(times):
        parts.append(f"{times.min():%Y-%m-%d %H:%M:%S} to {times.max():%H:%M:%S} UTC")
    first = hit.iloc[0]
    return "; ".join([*parts, f"first at {first['source']}:{first['line']}"])
