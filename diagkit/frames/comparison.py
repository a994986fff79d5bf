"""COMPARISON: the findings of two incidents side by side, and what became of each."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract

# What nobody wants first.
VERDICTS = ("new", "worse", "same", "too_little_data", "less", "gone")

COMPARISON = Contract(
    "COMPARISON",
    (
        Column("id", "str", False, "", "as in FINDINGS"),
        Column("code", "str", False, "", "as in FINDINGS"),
        Column("before", "int64", False, "", "events; 1 where it is there"),
        Column("after", "int64", False, "", "events; 1 where it is there"),
        Column("per", "str", False, "", "request, hour, checkout; empty: not counted"),
        Column("before_rate", "float64", True, "", "events a request, hour, checkout"),
        Column("after_rate", "float64", True, "", "events a request, hour, checkout"),
        Column("rate_ratio", "float64", True, "", "after to before"),
        Column("low", "float64", True, "", "exact 95 % interval of it"),
        Column("high", "float64", True, "", "exact 95 % interval of it"),
        Column("p_value", "float64", True, "", "of a change so great, were there none"),
        Column("verdict", "category", False, "", " < ".join(VERDICTS)),
        Column("summary", "str", False, "", "one sentence"),
    ),
)
