"""MOMENTS: what is known to have happened in an incident, and when."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

MOMENTS = Contract(
    "MOMENTS",
    (
        Column("timestamp", UTC_TIME, False, "", "when it happened"),
        Column("event", "str", False, "", "what"),
        Column("finding", "str", False, "", "the id of what tells it; empty for none"),
    ),
)
