"""CHECKS: whether an incident is over, check by check."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract
from diagkit.frames.triage import RESULTS

CHECKS = Contract(
    "CHECKS",
    (
        Column("check", "str", False, "", "its name"),
        Column("result", "category", False, "", " | ".join(RESULTS)),
        Column("summary", "str", False, "", "one sentence"),
        Column("evidence", "str", False, "", "places; what to add where not done"),
    ),
)
