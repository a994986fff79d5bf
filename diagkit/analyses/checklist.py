"""What is to be checked in an incident, and in which order, as data.

Infrastructure comes first: it takes minutes to check, and a fault there looks like any
fault of the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.frames.findings import AREAS
from diagkit.frames.triage import CHECKLIST, RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from diagkit.analyses.facts import Fact


@dataclass(frozen=True)
class Step:
    """One thing to check.

    Attributes
    ----------
    area
        As in FINDINGS.
    question
        What is asked.
    needs
        Parts of an incident of which one at least has to be there.
    failed_by
        Names of facts that answer it with no.
    by_hand
        How a person does it.
    """

    area: str
    question: str
    needs: tuple[str, ...]
    failed_by: tuple[str, ...]
    by_hand: str


STEPS = (
    Step(
        "infrastructure",
        "Does each service get the port that it wants?",
        ("ports",),
        ("port_conflict", "port_contention", "port_taken"),
        "Put the compose files of all stacks on that host into the folder, or look: "
        "docker compose ps, ss -ltnp.",
    ),
    Step(
        "infrastructure",
        "Is what clients and proxies use published where they are?",
        ("ports",),
        ("not_published", "loopback_only", "wrong_port"),
        "Put the compose files into the folder, or ask from where the clients are: "
        "curl -v URL.",
    ),
    Step(
        "infrastructure",
        "Did the backend see the requests that failed?",
        ("clients", "proxies"),
        ("errors_unseen_by_backend",),
        "Put a HAR file of the browser, or the proxy's access log, into the folder.",
    ),
    Step(
        "infrastructure",
        "Does every name lead to something that listens?",
        ("ports", "logs"),
        (
            "name_not_resolved",
            "upstream_failed:nginx.upstream_unknown",
            "upstream_failed:nginx.connect_failed",
            "upstream_failed:nginx.no_live_upstreams",
            "unreachable",
            "localhost_target",
            "unreachable_target",
            "unresolved_target",
            "wrong_port",
            "upstream_unreachable",
        ),
        "From the container that uses it: getent hosts NAME, curl -v telnet://NAME:PORT.",
    ),
    Step(
        "service",
        "Did every process run all the time?",
        ("logs",),
        (
            "server_crash:gunicorn.worker_timeout",
            "server_crash:gunicorn.worker_killed",
            "server_crash:gunicorn.worker_signalled",
            "server_crash:uvicorn.child_died",
            "server_stopped",
            "upstream_failed:nginx.upstream_closed",
        ),
        "docker compose ps (since when each is up), journalctl -k for the OOM killer.",
    ),
    Step(
        "service",
        "Did the database take in whoever came?",
        ("logs",),
        (
            "dependency_down",
            "unreachable",
            "pool_exhausted:postgresql.too_many_clients",
            "pool_exhausted:postgresql.slots_reserved",
            "pool_exhausted:postgresql.too_many_for_role",
            "pool_exhausted:postgresql.too_many_for_database",
            "pool_exhausted:pgbouncer.no_more_connections",
        ),
        "pg_isready; select count(*) from pg_stat_activity against max_connections.",
    ),
    Step(
        "service",
        "Was the pool within its bounds?",
        ("pool",),
        ("pool_saturated", "connections_held", "pool_running_dry"),
        "Sample it, or record it: dk.PoolRecorder(engine, folder).",
    ),
    Step(
        "service",
        "Did answers come in time?",
        ("logs", "proxies", "clients"),
        (
            "upstream_failed:nginx.upstream_timed_out",
            "clients_gave_up",
            "lock_wait",
            "pool_exhausted",
        ),
        "Compare the timeouts of client and proxy with the service's own durations.",
    ),
    Step(
        "logs",
        "Is there a known failure in the logs?",
        ("logs",),
        (
            "connection_leak",
            "pool_exhausted",
            "poisoned_transaction",
            "driver_misuse",
            "dropped_connection",
            "server_crash",
            "upstream_failed",
            "schema_mismatch",
            "near_known",
        ),
        "Put the application's log into the folder, and its console output.",
    ),
    Step(
        "code",
        "Does every connection come back?",
        ("logs", "pool", "checkouts"),
        ("connection_leak", "recorded_leak", "connection_held", "connections_held"),
        "Record it: dk.PoolRecorder; in tests: pytest --fail-on-leaked-connections.",
    ),
    Step(
        "code",
        "Is each error followed by a rollback, and each call awaited?",
        ("logs",),
        ("poisoned_transaction", "driver_misuse", "unfinished_transaction"),
        "Read the frames of the application: dk.find_frames(logs).",
    ),
    Step(
        "data",
        "Do code and tables fit each other?",
        ("logs",),
        ("schema_mismatch",),
        "Look: diagkit migration URL.",
    ),
    Step(
        "data",
        "Are the percentages right?",
        ("progress",),
        ("null_started_at", "unrounded_percentage"),
        "Put the progress tables into the folder, or look: diagkit audit URL.",
    ),
)


def make_checklist(facts: Mapping[str, Fact], parts: set[str]) -> pd.DataFrame:
    """Answer each step by what is known.

    Parameters
    ----------
    facts
        As `gather_facts` gives them.
    parts
        What there is to look at: ``logs``, ``pool``, ``ports`` ...

    Returns
    -------
    pandas.DataFrame
        CHECKLIST, in the order of `STEPS`. ``failed`` where a fact says no, ``passed``
        where it was looked at and none does, ``not done`` where nothing is there to
        look at: ``evidence`` says how a person does it.
    """
    rows = []
    for step in STEPS:
        against = [str(facts[name]) for name in step.failed_by if name in facts]
        seen = [name for name in step.needs if name in parts]
        if against:
            result, evidence = "failed", "; ".join(dict.fromkeys(against))
        elif seen:
            result, evidence = (
                "passed",
                f"nothing in {' and '.join(seen)} speaks against",
            )
        else:
            result, evidence = "not done", step.by_hand
        rows.append((step.area, step.question, result, evidence))
    columns = zip(*rows, strict=True)
    frame = CHECKLIST.build(dict(zip(CHECKLIST.names, columns, strict=True)))
    return CHECKLIST.order(frame, area=AREAS, result=RESULTS)
