"""COHORTS: projects by when they were set up, and how many lack their start."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

__all__ = ["COHORTS"]

COHORTS = Contract(
    "COHORTS",
    (
        Column("cohort", UTC_TIME, False, "", "when it begins"),
        Column("age_d", "float64", True, "days", "from the change to its beginning"),
        Column("projects", "int64", False, "projects", "set up within it"),
        Column("null", "int64", False, "projects", "without a start"),
        Column("legal", "int64", False, "projects", "of those, rightly so"),
        Column("illegal", "int64", False, "projects", "of those, wrongly so"),
        Column("share", "float64", True, "%", "illegal of those that have run"),
    ),
)
