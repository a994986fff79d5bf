"""SESSIONS and OCCUPANCY: who was connected to a PostgreSQL server, by its own log."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

SESSIONS = Contract(
    "SESSIONS",
    (
        Column("user", "str", False, "", "the role"),
        Column("database", "str", True, "", "missing for replication"),
        Column("application_name", "str", True, "", "where the log has it"),
        Column("host", "str", True, "", "[local] for a socket; known by the end"),
        Column("started_at", UTC_TIME, False, "", "by its length, where it ended"),
        Column("ended_at", UTC_TIME, True, "", "NaT where the log has no end of it"),
        Column("ended_before", UTC_TIME, False, "", "ended_at, a restart, or the last"),
        Column("session_s", "float64", True, "seconds", "as the server measured it"),
        Column("source", "str", False, "", "the file of its last line"),
        Column("line", "int64", False, "", "its last line"),
    ),
)

OCCUPANCY = Contract(
    "OCCUPANCY",
    (
        Column("timestamp", UTC_TIME, False, "", "when the bin begins"),
        Column("low", "int64", False, "sessions", "surely open at once, at most"),
        Column("high", "int64", False, "sessions", "with those of unknown end"),
    ),
)
