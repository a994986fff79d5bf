"""POOL and ACTIVITY: samples of a connection pool, and of the server behind it."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

POOL = Contract(
    "POOL",
    (
        Column("timestamp", UTC_TIME, False, "", "when the sample was taken"),
        Column("pool", "str", False, "", "name of the pool"),
        Column("size", "Int64", True, "connections", "QueuePool.size()"),
        Column("max_overflow", "Int64", True, "connections", "allowed above size"),
        Column("checked_in", "Int64", True, "connections", "idle in the pool"),
        Column("checked_out", "Int64", True, "connections", "in use"),
        Column("overflow", "Int64", True, "connections", "above size, never below 0"),
        Column("waiting", "Int64", True, "callers", "waiting for a connection"),
    ),
)

# The names are those of PostgreSQL's view pg_stat_activity.
ACTIVITY = Contract(
    "ACTIVITY",
    (
        Column("timestamp", UTC_TIME, False, "", "when the snapshot was taken"),
        Column("pid", "int64", False, "", "process id of the backend"),
        Column("application_name", "str", True),
        Column("state", "category", True, "", "active, idle, idle in transaction"),
        Column("wait_event_type", "str", True),
        Column("wait_event", "str", True),
        Column("backend_start", UTC_TIME, True),
        Column("xact_start", UTC_TIME, True),
        Column("query_start", UTC_TIME, True),
        Column("state_change", UTC_TIME, True),
        Column("query", "str", True),
        # The view's columns above are those that exports nearly always have.
        Column("datname", "str", True, "", "the database it is connected to"),
        Column("usename", "str", True, "", "who is logged in"),
        Column("client_addr", "str", True, "", "missing where it came by a socket"),
        Column("backend_type", "str", True, "", "client backend, autovacuum worker"),
        # No column of the view: pg_blocking_pids(pid).
        Column("blocked_by", "str", True, "", "pids that it waits for: 123 456"),
    ),
)
