"""UTILISATION: how far a pool was used, and for how long it was used up."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract

UTILISATION = Contract(
    "UTILISATION",
    (
        Column("pool", "str", False, "", "as in POOL"),
        Column("samples", "int64", False, "samples", "that say how many are out"),
        Column("observed_s", "float64", False, "seconds", "without the gaps"),
        Column("size", "Int64", True, "connections", "as in POOL, the last known"),
        Column("capacity", "Int64", True, "connections", "size and max_overflow"),
        Column("mean_out", "float64", True, "connections", "checked out, over time"),
        Column("most_out", "Int64", True, "connections", "checked out"),
        Column("full_s", "float64", True, "seconds", "with no connection left"),
        Column("full_share", "float64", True, "", "of the time observed, 0 to 1"),
        Column("waited_s", "float64", True, "seconds", "with somebody waiting"),
        Column("most_waiting", "Int64", True, "callers", "at a time"),
    ),
)
