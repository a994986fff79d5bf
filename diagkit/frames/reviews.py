"""CHANGES and REVIEWS: how the findings of two runs differ, and what people say."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract

# In the order in which a reviewer looks.
DIFFERENCES = ("new", "worse", "changed", "better", "gone", "same")
STATES = ("disputed", "outdated", "open", "accepted")
DECISIONS = ("accept", "dispute", "comment")

CHANGES = Contract(
    "CHANGES",
    (
        Column("finding", "str", False, "", "its id"),
        Column("change", "category", False, "", " | ".join(DIFFERENCES)),
        Column("severity_before", "str", False, "", "empty: it was not there"),
        Column("severity_now", "str", False, "", "empty: it is gone"),
        Column("before", "str", False, "", "what it said; empty: it was not there"),
        Column("now", "str", False, "", "what it says; empty: it is gone"),
        Column("state", "category", False, "", " | ".join(STATES)),
        Column("reviews", "str", False, "", "who decided what, and why"),
    ),
)

REVIEWS = Contract(
    "REVIEWS",
    (
        Column("finding", "str", False, "", "its id"),
        Column("decision", "category", False, "", " | ".join(DECISIONS)),
        Column("by", "str", False, "", "who"),
        Column("text", "str", False, "", "why; may be empty"),
        Column("said", "str", False, "", "what the finding said then"),
        Column("severity", "str", False, "", "its severity then; empty: any"),
        Column("turn", "int64", False, "", "of decisions on one finding, which one"),
    ),
)
