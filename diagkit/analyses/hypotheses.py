"""What may be behind an incident, as data: what speaks for each cause and against it.

A weight is the logarithm of how many times as often one sees the fact where the cause
is at work as where it is not: 1 for three times, 2 for seven, 3 for twenty. The weights
are judgements, not measurements; `tests/integration/test_triage_corpus.py` holds them
against incidents made on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

# What nothing speaks for: about one of a hundred incidents has any one cause.
PRIOR = -3.0


@dataclass(frozen=True)
class Hypothesis:
    """A cause that an incident may have.

    Attributes
    ----------
    code
        Its name.
    area
        As in FINDINGS.
    claim
        What it says.
    evidence
        Facts that speak for it (a weight above 0) or against it. Those that one event
        leaves in several sources are joined by ``|`` and count once.
    refuted_by
        What would show that it is wrong.
    """

    code: str
    area: str
    claim: str
    evidence: tuple[tuple[str, float], ...]
    refuted_by: str


HYPOTHESES = (
    Hypothesis(
        "port_conflict",
        "infrastructure",
        "two services want the same port, and one of them does not get it",
        (
            ("port_conflict", 5.5),
            ("port_contention|port_taken", 4.0),
            ("ports_differ", -4.0),
            ("backend_serves", -3.0),
            ("errors_unseen_by_backend", 0.5),
        ),
        "Both listen on that port's address: `ss -ltnp`, `docker compose ps`.",
    ),
    Hypothesis(
        "not_exposed",
        "infrastructure",
        "a service that is needed from outside publishes no port there",
        (
            ("not_published|loopback_only", 4.0),
            ("errors_unseen_by_backend", 2.0),
            ("backend_errors", -1.5),
            ("worked_before|clients_cut_off", -2.0),
            ("ports_published", -3.0),
        ),
        "A request from where the clients are reaches the service's log.",
    ),
    Hypothesis(
        "wrong_target",
        "infrastructure",
        "a proxy or a service connects to an address where nobody listens",
        (
            ("upstream_failed:nginx.connect_failed", 3.5),
            ("upstream_failed:nginx.no_live_upstreams", 1.5),
            ("unreachable", 3.5),
            ("unreachable_target", 2.5),
            ("wrong_port", 2.5),
            ("localhost_target", 2.5),
            ("upstream_unreachable", 1.5),
            ("not_published|loopback_only", -2.5),
            ("worked_before|clients_cut_off", -3.0),
            ("reached_before", -3.0),
            ("errors_unseen_by_backend", 0.5),
        ),
        "Something listens there: `ss -ltnp`, or a connect from where it is used.",
    ),
    Hypothesis(
        "name_not_resolved",
        "infrastructure",
        "the name of a host is not known where it is used",
        (
            ("name_not_resolved", 5.0),
            ("upstream_failed:nginx.upstream_unknown", 5.0),
            ("unresolved_target", 3.0),
        ),
        "The name resolves there: `getent hosts NAME` in the container that uses it.",
    ),
    Hypothesis(
        "backend_down",
        "service",
        "the service behind the proxy stopped, or was stopped, while clients used it",
        (
            ("worked_before|clients_cut_off", 3.5),
            ("server_stopped", 1.5),
            ("upstream_failed:nginx.connect_failed", 1.5),
            ("upstream_failed:nginx.no_live_upstreams", 1.0),
            ("upstream_failed:nginx.upstream_closed", 1.0),
            ("upstream_unreachable", 1.0),
        ),
        "Its process ran all the time: its start time, its log without a gap.",
    ),
    Hypothesis(
        "crashed_worker",
        "service",
        "workers of the server die and take their requests with them",
        (
            ("server_crash:gunicorn.worker_timeout", 4.5),
            ("server_crash:gunicorn.worker_killed", 5.0),
            ("server_crash:gunicorn.worker_signalled", 4.5),
            ("server_crash:uvicorn.child_died", 5.0),
            ("upstream_failed:nginx.upstream_closed", 2.0),
            ("pool_exhausted", -0.5),
        ),
        "The same process ids before and after; no signal in the server's log.",
    ),
    Hypothesis(
        "dependency_down",
        "service",
        "the database refused or ended connections",
        (
            ("dependency_down", 5.0),
            ("dropped_connection:postgresql.admin_shutdown", 3.0),
            ("connection_leak", -2.0),
            ("unreachable", 1.0),
            ("reached_before", 3.0),
        ),
        "`pg_isready` at that time, or a server log without a restart.",
    ),
    Hypothesis(
        "database_slots",
        "service",
        "the database has no slot left for another connection",
        (
            ("pool_exhausted:postgresql.too_many_clients", 6.0),
            ("pool_exhausted:postgresql.slots_reserved", 6.0),
            ("pool_exhausted:postgresql.too_many_for_role", 6.0),
            ("pool_exhausted:postgresql.too_many_for_database", 6.0),
            ("pool_exhausted:pgbouncer.no_more_connections", 6.0),
        ),
        "`select count(*) from pg_stat_activity` well below `max_connections`.",
    ),
    Hypothesis(
        "pool_exhausted",
        "service",
        "the pool is too small for what is asked of it at one time",
        (
            ("pool_exhausted:sqlalchemy.queuepool_timeout", 4.0),
            ("pool_exhausted:asyncpg.acquire_timeout", 4.0),
            ("pool_exhausted:psycopg.pool_timeout", 4.0),
            ("pool_exhausted:psycopg.too_many_requests", 4.0),
            ("pool_exhausted:hikaricp.not_available", 4.0),
            ("pool_exhausted:pgbouncer.query_wait_timeout", 4.0),
            ("pool_saturated", 1.5),
            ("connection_leak|recorded_leak", -4.0),
            ("connections_held", -1.0),
            ("lock_wait", -1.0),
            ("pool_in_bounds", -2.0),
        ),
        "Connections stay out while nobody works: then it leaks, whatever its size.",
    ),
    Hypothesis(
        "lock_wait",
        "service",
        "transactions wait for a lock that another one keeps",
        (("lock_wait", 4.5), ("connection_held", 0.5)),
        "`pg_blocking_pids` is empty for those who wait.",
    ),
    Hypothesis(
        "timeout",
        "service",
        "a service answers more slowly than those before it wait",
        (
            ("upstream_failed:nginx.upstream_timed_out|upstream_slow", 5.0),
            ("clients_gave_up", 2.5),
            ("pool_exhausted", -1.5),
            ("lock_wait", -1.5),
            ("server_crash:gunicorn.worker_timeout", -1.0),
        ),
        "The service's own durations stay below the timeouts of proxy and client.",
    ),
    Hypothesis(
        "leaked_connections",
        "code",
        "the application does not return connections to the pool",
        (
            ("connection_leak|recorded_leak", 5.5),
            ("connections_held", 3.5),
            ("pool_running_dry", 1.0),
            ("pool_exhausted", 0.5),
            ("unfinished_transaction", 0.5),
            # A session that is used wrongly loses its connection; not the other way.
            ("driver_misuse", -1.5),
            ("pool_in_bounds", -0.5),
        ),
        "PoolRecorder or pg_stat_activity: nothing stays out when nobody works.",
    ),
    Hypothesis(
        "poisoned_transactions",
        "code",
        "sessions are used on after an error without a rollback",
        (
            ("poisoned_transaction", 4.5),
            ("connection_leak", -1.5),
            ("dropped_connection", -1.0),
            ("schema_mismatch", -1.5),
        ),
        "Each error is followed by a rollback of the same session.",
    ),
    Hypothesis(
        "missing_greenlet",
        "code",
        "a lazy load or a close touches the database outside of await",
        (
            ("driver_misuse:sqlalchemy.missing_greenlet", 5.5),
            ("driver_misuse:sqlalchemy.missing_greenlet_loop", 5.5),
        ),
        "The traceback's frame of the application awaits what it loads.",
    ),
    Hypothesis(
        "shared_session",
        "code",
        "two tasks use one session, or one connection, at the same time",
        (
            ("driver_misuse:sqlalchemy.illegal_state_change", 5.0),
            ("driver_misuse:sqlalchemy.illegal_state_operation", 5.0),
            ("driver_misuse:sqlalchemy.illegal_state_move", 5.0),
            ("driver_misuse:sqlalchemy.concurrent_session", 5.0),
            ("driver_misuse:asyncpg.operation_in_progress", 5.0),
        ),
        "One session a task, in every place that the tracebacks name.",
    ),
    Hypothesis(
        "unhandled_exception",
        "code",
        "a handler of the application raises what nobody catches",
        (
            ("server_crash:uvicorn.exception|unexplained_errors", 3.5),
            ("stream_crashed", 2.0),
            ("backend_errors", 1.0),
            ("pool_exhausted", -2.5),
            ("connection_leak", -1.0),
            ("poisoned_transaction", -2.0),
            ("driver_misuse", -2.5),
            ("unreachable", -2.5),
            ("name_not_resolved", -2.5),
            ("dependency_down", -2.5),
            ("dropped_connection", -1.5),
            ("schema_mismatch", -2.5),
            ("lock_wait", -1.0),
        ),
        "The tracebacks end in something else that failed: the database, the network.",
    ),
    Hypothesis(
        "migration_half_applied",
        "data",
        "the code expects columns or tables that the database does not have",
        (("schema_mismatch", 5.5),),
        "`diagkit migration URL` finds nothing left undone.",
    ),
    Hypothesis(
        "starts_missing",
        "data",
        "percentages are wrong because starts are missing since a migration",
        (
            ("null_started_at", 4.0),
            ("unrounded_percentage", 0.5),
            ("connection_leak", -0.5),
        ),
        "The audit finds no illegal NULL: `diagkit audit`.",
    ),
)
