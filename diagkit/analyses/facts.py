"""What is known of an incident, by name: what hypotheses and checks refer to.

A fact is named by the code of the finding that tells it (``connection_leak``), or by
code and signature (``upstream_failed:nginx.connect_failed``), or it is one of `FACTS`,
which look at what no finding tells: that something is in order, or in which order
things happened.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from diagkit.analyses.http import GAVE_UP, UNREACHABLE, find_own, reconcile_http
from diagkit.analyses.kinds import CODES, count_words
from diagkit.analyses.leak_findings import SILENT
from diagkit.frames.findings import name_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from diagkit.analyses.findings import Diagnosis

# A backend that answered so often is one that runs.
LEAST_ANSWERS = 3
# One that answered so often has its port.
MANY_ANSWERS = 20
# One client leaves a page before it is there; so many have waited in vain.
LEAST_GONE = 3
# Nobody listened where a request ended so soon; who waits in vain waits for longer.
REFUSED_S = 0.2


class Fact(NamedTuple):
    """Something that is known.

    Attributes
    ----------
    text
        What, with counts, times and places.
    id
        Of the finding that tells it; empty for none.
    """

    text: str
    id: str = ""

    def __str__(self) -> str:
        return f"{self.text} [{self.id}]" if self.id else self.text


def gather_facts(diagnosis: Diagnosis) -> dict[str, Fact]:
    """Gather what is known of an incident.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.

    Returns
    -------
    dict
        Each `Fact` by its name.
    """
    facts: dict[str, Fact] = {}
    rows = diagnosis.findings
    # What is there for information speaks for nothing.
    rows = rows[rows["severity"].astype("str") != "info"]
    columns = (rows[name].astype("str") for name in ("code", "summary", "id"))
    for code, summary, name in zip(*columns, strict=True):
        # The most severe of each code comes first.
        facts.setdefault(code, Fact(summary, name))
    leaks = diagnosis.leaks[["kind", "signature"]].astype("str")
    for (kind, signature), events in Counter(leaks.itertuples(index=False)).items():
        if kind in SILENT:
            continue
        code = CODES.get(kind, (kind, ""))[0]
        text = f"{count_words(kind, events)} ({signature})"
        facts[f"{code}:{signature}"] = Fact(text, name_finding(code, signature))
    for name, find in FACTS.items():
        told = find(diagnosis)
        if told:
            facts[name] = Fact(told)
    return facts


def _pool_in_bounds(diagnosis: Diagnosis) -> str:
    pool = diagnosis.incident.pool
    limit = pool["size"] + pool["max_overflow"]
    known = limit.notna() & pool["checked_out"].notna()
    if not known.any() or (pool["checked_out"] >= limit)[known].any():
        return ""
    most = int(pool.loc[known, "checked_out"].max())
    return (
        f"the pool never had more than {most} of {int(limit[known].min())} connections "
        f"out in {int(known.sum())} samples"
    )


def _ports_differ(diagnosis: Diagnosis) -> str:
    stacks = diagnosis.incident.ports.stacks
    if not stacks or _has(diagnosis, "port_conflict", "port_contention", "port_taken"):
        return ""
    return f"no two services of {_count(stacks, 'stack')} publish the same port"


def _ports_published(diagnosis: Diagnosis) -> str:
    ports = diagnosis.incident.ports
    if not len(ports.published) or _has(
        diagnosis, "not_published", "loopback_only", "wrong_port"
    ):
        return ""
    return f"what is needed from outside is published ({len(ports.published)} ports)"


def _backend_errors(diagnosis: Diagnosis) -> str:
    seen = _observed(diagnosis, "backend")
    failed = int((seen["status"] >= 500).sum())
    if not failed:
        return ""
    return f"the backend itself answered {failed} of {len(seen)} requests with a 5xx"


def _backend_well(diagnosis: Diagnosis) -> str:
    seen = _observed(diagnosis, "backend")
    if len(seen) < LEAST_ANSWERS or (seen["status"] >= 500).any():
        return ""
    return f"the backend answered all its {len(seen)} requests without a 5xx"


def _backend_serves(diagnosis: Diagnosis) -> str:
    seen = len(_observed(diagnosis, "backend"))
    if seen < MANY_ANSWERS:
        return ""
    return f"the backend answered {seen} requests, so it has its port"


def _worked_before(diagnosis: Diagnosis) -> str:
    """Tell a proxy that got through, on the same routes, before it did not."""
    seen = _observed(diagnosis, "proxy")
    failed = find_own(diagnosis.incident.http)
    before = _before(seen[seen["status"] < 500], seen[failed])
    if before < LEAST_ANSWERS:
        return ""
    times = seen.loc[failed, "timestamp"].dropna()
    at = f" at {times.min():%Y-%m-%d %H:%M:%S} UTC" if len(times) else ""
    return (
        f"the proxy got through {before} times on the same routes before it first "
        f"failed{at}"
    )


def _clients_cut_off(diagnosis: Diagnosis) -> str:
    """Tell clients that got through, on the same routes, before nobody was there."""
    http = diagnosis.incident.http
    if not reconcile_http(http).bounds[0]:
        return ""
    seen = _observed(diagnosis, "client")
    refused = seen["status"].isna() & (seen["duration_s"] <= REFUSED_S)
    failed = seen[refused | seen["status"].isin(UNREACHABLE)]
    before = _before(seen[seen["status"] < 500], failed)
    if before < LEAST_ANSWERS:
        return ""
    return (
        f"clients got through {before} times on the same routes before nobody answered "
        f"{len(failed)} of their requests"
    )


def _clients_gave_up(diagnosis: Diagnosis) -> str:
    seen = _observed(diagnosis, "proxy")
    told = int((diagnosis.leaks["kind"].astype("str") == "client_gone").sum())
    gone = max(int((seen["status"] == GAVE_UP).sum()), told)
    return f"clients did not wait for {gone} answers" if gone >= LEAST_GONE else ""


def _reached_before(diagnosis: Diagnosis) -> str:
    """Tell a backend that answered before what it needs was gone."""
    seen = _observed(diagnosis, "backend")
    failed = seen[seen["status"] >= 500]
    kinds = diagnosis.leaks["kind"].astype("str")
    if "unreachable" not in set(kinds):
        return ""
    before = _before(seen[seen["status"] < 500], failed)
    if before < LEAST_ANSWERS:
        return ""
    return (
        f"the backend answered {before} requests on the same routes before it reached "
        "nobody"
    )


def _before(well: pd.DataFrame, failed: pd.DataFrame) -> int:
    """Count answers on the routes that failed later.

    Also by place: an access log may have no times, or full seconds only.
    """
    earlier = well["timestamp"] < failed["timestamp"].min()
    for source, line in failed.groupby("source")["line"].min().items():
        earlier |= (well["source"] == source) & (well["line"] < line)
    return int((earlier & well["route"].isin(failed["route"])).sum())


def _unexplained_errors(diagnosis: Diagnosis) -> str:
    """Tell of exceptions in the log that are no known failure."""
    logs = diagnosis.incident.logs
    errors = logs[logs["exception"].notna()]
    errors = errors[errors["level"].isin(("ERROR", "CRITICAL"))]
    known = pd.MultiIndex.from_frame(diagnosis.leaks[["source", "line"]])
    places = pd.MultiIndex.from_frame(errors[["source", "line"]])
    errors = errors[~places.isin(known)]
    if errors.empty:
        return ""
    counts = errors["exception"].value_counts().head(3)
    said = ", ".join(f"{number} {name}" for name, number in counts.items())
    first = errors.iloc[0]
    return (
        f"{len(errors)} errors in the log end in an exception that is no known failure "
        f"({said}; first at {first['source']}:{first['line']})"
    )


def _server_stopped(diagnosis: Diagnosis) -> str:
    logs = diagnosis.incident.logs
    stopped = logs["message"].str.contains(
        r"^(?:Shutting down$|Finished server process|Handling signal: (?:term|int|quit)"
        r"|Shutting down: Master)",
        regex=True,
    )
    started = logs["message"].str.contains(
        r"^(?:Started server process|Booting worker|Starting gunicorn)", regex=True
    )
    # That it was stopped in the end is no fault: it was started again, too.
    again = logs[started].groupby("source")["line"].max()
    back = logs[stopped & (logs["line"] < logs["source"].map(again).astype("float64"))]
    if back.empty:
        return ""
    first = back.iloc[0]
    return f"a server was stopped and started again: {first['source']}:{first['line']}"


FACTS: Mapping[str, Callable[[Diagnosis], str]] = {
    "pool_in_bounds": _pool_in_bounds,
    "ports_differ": _ports_differ,
    "ports_published": _ports_published,
    "backend_errors": _backend_errors,
    "backend_well": _backend_well,
    "backend_serves": _backend_serves,
    "worked_before": _worked_before,
    "clients_cut_off": _clients_cut_off,
    "clients_gave_up": _clients_gave_up,
    "reached_before": _reached_before,
    "server_stopped": _server_stopped,
    "unexplained_errors": _unexplained_errors,
}


def _observed(diagnosis: Diagnosis, observer: str) -> pd.DataFrame:
    http = diagnosis.incident.http
    return http[http["observer"].astype("str") == observer]


def _has(diagnosis: Diagnosis, *codes: str) -> bool:
    return bool(diagnosis.findings["code"].isin(codes).any())


def _count(things: list[str], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
