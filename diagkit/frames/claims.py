"""CLAIMS: what a report says that no longer holds."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract

CLAIMS = Contract(
    "CLAIMS",
    (
        Column("narrative", "str", False, "", "which field; empty: the report itself"),
        Column("finding", "str", False, "", "its id"),
        Column("was", "str", False, "", "what it said; empty: not there"),
        Column("now", "str", False, "", "what it says now; empty: not there"),
        Column("summary", "str", False, "", "one sentence"),
    ),
)
