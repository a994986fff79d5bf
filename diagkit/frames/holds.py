"""HELD and HOLDS: connections kept too long, and how long each operation keeps them."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

CAUSES = ("leak", "slow_query", "long_transaction", "undecided")
# The row of checkouts that say nothing of what they were for.
UNATTRIBUTED = "unattributed"

HELD = Contract(
    "HELD",
    (
        Column("checkout_id", "str", False, "", "as in CHECKOUTS"),
        Column("pool", "str", False, "", "as in CHECKOUTS"),
        Column("connection", "str", True, "", "as in CHECKOUTS"),
        Column("holder", "str", True, "", "file:line function that asked for it"),
        Column("operation", "str", True, "", "what it was for"),
        Column("checked_out_at", UTC_TIME, False, "", "when it began"),
        Column("held_s", "float64", False, "seconds", "so far, where it is still out"),
        Column("outcome", "category", True, "", "as in CHECKOUTS"),
        Column("cause", "category", False, "", "leak, slow_query, long_transaction"),
        Column("evidence", "str", False, "", "what says so, or what is not known"),
    ),
)

HOLDS = Contract(
    "HOLDS",
    (
        Column("name", "str", False, "", "operation, holder, or pool; unattributed"),
        Column("checkouts", "int64", False, "checkouts", "all of them"),
        Column("open", "int64", False, "checkouts", "without an end: held for longer"),
        Column("hold_p50_s", "float64", True, "seconds", "median time held"),
        Column("hold_p95_s", "float64", True, "seconds", "95 of 100 were shorter"),
        Column("hold_max_s", "float64", True, "seconds", "the longest"),
        Column("wait_p50_s", "float64", True, "seconds", "from asking to having"),
        Column("wait_p95_s", "float64", True, "seconds", "95 of 100 were shorter"),
        Column("wait_max_s", "float64", True, "seconds", "the longest"),
        Column("held_share", "float64", True, "", "of all the time held, 0 to 1"),
        Column("leaked", "int64", False, "checkouts", "left to the garbage collector"),
        Column("leak_rate", "float64", True, "", "leaked a checkout, 0 to 1"),
        Column("leak_low", "float64", True, "", "exact 95 % interval of it"),
        Column("leak_high", "float64", True, "", "exact 95 % interval of it"),
    ),
)
