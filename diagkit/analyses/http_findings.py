"""What requests say of an incident: errors nobody logged, and those that were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.analyses.http import (
    GAVE_UP,
    SLOW,
    UNREACHABLE,
    find_own,
    reconcile_http,
)
from diagkit.frames.findings import Finding, build_findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from diagkit.analyses.http import HttpReconciliation

# From so many on, and so large a part, errors are a finding.
LEAST_ERRORS, LEAST_SHARE = 3, 0.01


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
    >>> from diagkit.frames.http import HTTP
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
            *_report_backend(http, found),
        ]
    )


def _report_unseen(found: HttpReconciliation) -> Iterator[Finding]:
    low, high = found.bounds
    if not high:
        return
    rows = found.unseen.sort_values("unseen_high", ascending=False, kind="stable")
    rows = rows[rows["unseen_high"] > 0]
    said = [
        f"{row.method} {row.route}: {row.failed} failed ({row.statuses}), the backend "
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


def _report_backend(http: pd.DataFrame, found: HttpReconciliation) -> Iterator[Finding]:
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
    crashed = max(found.crashed_streams, found.broken_streams)
    if crashed:
        yield Finding(
            code="stream_crashed",
            subject="backend",
            area="code",
            severity="medium",
            summary=f"{crashed} requests failed after their status 200 had gone out",
            evidence=f"{found.crashed_streams} exceptions beyond the {len(hit)} "
            f"answers with a 5xx; {found.broken_streams} broke off for a client",
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
