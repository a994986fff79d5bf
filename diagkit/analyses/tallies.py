"""What an incident's findings count, and out of how many requests, hours, checkouts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.holds import count_holds, name_places
from diagkit.analyses.kinds import CODES, count_words
from diagkit.analyses.leak_findings import SILENT
from diagkit.frames.findings import name_finding
from diagkit.frames.ports import Ports

if TYPE_CHECKING:
    from diagkit.analyses.findings import Diagnosis

# Which part of an incident shows these findings; all others come from its logs.
SHOWN_BY = {
    "pool_saturated": "pool",
    "connections_held": "pool",
    "pool_running_dry": "pool",
    "connection_held": "checkouts",
    "null_started_at": "progress",
    "errors_unseen_by_backend": "http",
    "upstream_unreachable": "http",
    "upstream_slow": "http",
    "client_gave_up": "http",
    "server_errors": "http",
    "stream_crashed": "http",
    "port_conflict": "ports",
    "port_contention": "ports",
    "shared_port": "ports",
    "port_taken": "ports",
    "not_published": "ports",
    "loopback_only": "ports",
    "wrong_port": "ports",
    "localhost_target": "ports",
    "unreachable_target": "ports",
    "unresolved_target": "ports",
    "no_healthcheck": "ports",
    "healthcheck_missing": "ports",
}


@dataclass(frozen=True)
class Tally:
    """How many events a finding counts, and out of how many.

    Attributes
    ----------
    code
        Of the finding.
    words
        What is counted.
    events
        How many there are.
    per
        ``request``, ``hour`` or ``checkout``.
    exposure
        How many of these there were.
    """

    code: str
    words: str
    events: int
    per: str
    exposure: float


def count_hours(diagnosis: Diagnosis) -> float:
    """Return how many hours an incident's logs span.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.

    Returns
    -------
    float
        From the first record to the last; 0 where there are none.
    """
    times = diagnosis.incident.logs["timestamp"].dropna()
    if times.empty:
        return 0.0
    return float((times.max() - times.min()).total_seconds()) / 3600


def count_requests(diagnosis: Diagnosis) -> float:
    """Return how many requests an incident's backend served.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.

    Returns
    -------
    float
        By its own log; 0 where it wrote none, however many a proxy or a client saw:
        these need not be all.
    """
    return float((diagnosis.incident.http["observer"] == "backend").sum())


def count_tallies(diagnosis: Diagnosis, per: str, exposure: float) -> dict[str, Tally]:
    """Count the events of each finding that has any.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.
    per, exposure
        What events of the logs are counted against, and how many of these there were.
        Recorded leaks are counted against the checkouts of their function.

    Returns
    -------
    dict
        A `Tally` for each id of a finding; for functions also those that lost nothing.
    """
    tallies = {}
    leaks = diagnosis.leaks[["kind", "signature"]].astype("str")
    for (kind, signature), events in Counter(leaks.itertuples(index=False)).items():
        if kind not in SILENT:
            code = CODES.get(kind, (kind, ""))[0]
            words = count_words(kind, 2).removeprefix("2 ")
            name = name_finding(code, signature)
            tallies[name] = Tally(code, words, events, per, exposure)
    checkouts = diagnosis.incident.checkouts
    places = checkouts.assign(holder=name_places(checkouts["holder"]))
    holders = count_holds(places, by="holder")
    columns = (holders[name] for name in ("name", "leaked", "checkouts"))
    for holder, lost, checkouts in zip(*columns, strict=True):
        words = f"connections of {holder} left to the garbage collector"
        name = name_finding("recorded_leak", f"holder {holder}")
        tallies[name] = Tally("recorded_leak", words, lost, "checkout", checkouts)
    return tallies


def could_show(diagnosis: Diagnosis, code: str) -> bool:
    """Tell whether an incident has what shows findings of a code.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.
    code
        Of a finding.

    Returns
    -------
    bool
        False where there are no samples, no recordings, no tables, or no logs.
    """
    part = getattr(diagnosis.incident, SHOWN_BY.get(code, "logs"))
    if isinstance(part, Ports):
        return bool(part.stacks)
    return part is not None and not (isinstance(part, pd.DataFrame) and part.empty)
