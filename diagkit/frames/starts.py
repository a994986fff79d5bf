"""CANDIDATES: a row a moment at which a project's run may have started."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

__all__ = ["CANDIDATES", "EVIDENCE"]

# What a candidate rests on, best first.
EVIDENCE = (
    "recorded",
    "task_created",
    "task_started",
    "logged",
    "updated_at",
    "other_burst",
)

CANDIDATES = Contract(
    "CANDIDATES",
    (
        Column("project_id", "str", False, "", "in the order of PROJECTS"),
        Column("rank", "int64", False, "", "1 is the audit's inferred_start"),
        Column("started_at", UTC_TIME, False, "", "when the run may have started"),
        Column("evidence", "category", False, "", " | ".join(EVIDENCE)),
        Column("percent", "float64", False, "%", "by the policy inferred, from then"),
        Column("percent_low", "float64", False, "%", "the least, see undated tasks"),
        Column("percent_high", "float64", False, "%", "the most, see undated tasks"),
    ),
)
