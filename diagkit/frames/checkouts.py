"""CHECKOUTS and POOL_EVENTS: who held which connection, and what a pool did."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

OUTCOMES = ("returned", "held", "garbage_collected", "invalidated", "detached")

CHECKOUTS = Contract(
    "CHECKOUTS",
    (
        Column("checkout_id", "str", False, "", "unique among the recordings read"),
        Column("pool", "str", False, "", "name of the pool"),
        Column("connection", "str", True, "", "backend's id at the server, or address"),
        Column("checked_out_at", UTC_TIME, False, "", "when the pool handed it out"),
        Column("checked_in_at", UTC_TIME, True, "", "NaT while held or leaked"),
        Column(
            "held_s", "float64", True, "seconds", "so far, where it was not returned"
        ),
        Column("holder", "str", True, "", "file:line function that asked for it"),
        Column("thread", "str", True, "", "name of the thread that asked"),
        Column("task", "str", True, "", "name of the asyncio task that asked"),
        Column(
            "outcome", "category", True, "", "missing where the end was not recorded"
        ),
        Column("operation", "str", True, "", "what it was for: GET /tiles/{id}"),
        Column("wait_s", "float64", True, "seconds", "from asking to having"),
    ),
)

POOL_EVENTS = Contract(
    "POOL_EVENTS",
    (
        Column("timestamp", UTC_TIME, False, "", "when it happened"),
        Column("pool", "str", False, "", "name of the pool"),
        Column("event", "category", False, "", "checkout, checkin, timeout ..."),
        Column("checkout_id", "str", True, "", "as in CHECKOUTS"),
        Column("connection", "str", True, "", "as in CHECKOUTS"),
        Column("holder", "str", True, "", "who asked: checkouts, timeouts, failures"),
        Column("operation", "str", True, "", "what it was for"),
        Column("error", "str", True, "", "type of the exception that caused it"),
        Column("wait_s", "float64", True, "seconds", "how long the caller waited"),
    ),
)
