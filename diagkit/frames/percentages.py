"""PERCENTAGES and MATCHES: percentages that logs hold, and the rules that show them."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

__all__ = ["MATCHES", "MEASURES", "PERCENTAGES"]

MEASURES = ("progress", "quality")

PERCENTAGES = Contract(
    "PERCENTAGES",
    (
        Column("timestamp", UTC_TIME, True, "", "of the record"),
        Column("project_id", "str", True, "", "as the record names it"),
        Column("measure", "category", False, "", " | ".join(MEASURES)),
        Column("percent", "float64", False, "%", "the number"),
        Column("written", "str", False, "", "its digits, as they stand"),
        Column("unrounded", "bool", False, "", "it has more than two decimals"),
        Column("logger", "str", True, "", "who wrote it"),
        Column("source", "str", False, "", "the log"),
        Column("line", "int64", False, "", "where in it the record begins"),
    ),
)

MATCHES = Contract(
    "MATCHES",
    (
        *PERCENTAGES.columns,
        Column("known", "bool", False, "", "whether the audit has the project"),
        Column("policies", "str", False, "", "those that show this number, by commas"),
    ),
)
