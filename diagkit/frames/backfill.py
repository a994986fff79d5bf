"""BACKFILL: what a backfill would set, and every percentage before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.frames.contract import UTC_TIME, Column, Contract

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ACTIONS", "BACKFILL", "backfill_contract"]

# `set`: the start gets a value. `undecided`: it is NULL, must not be, and stays NULL,
# because the data cannot decide. `legal`: NULL is right. `recorded`: it is not NULL.
ACTIONS = ("set", "undecided", "legal", "recorded")

BACKFILL = Contract(
    "BACKFILL",
    (
        Column("project_id", "str", False, "", "in the order of PROJECTS"),
        Column("execution_status", "category", True, "", "as the audit has it"),
        Column("action", "category", False, "", " | ".join(ACTIONS)),
        Column("started_at", UTC_TIME, True, "", "the value to set; else missing"),
        Column("percent_low", "float64", True, "%", "least that the evidence allows"),
        Column("percent_high", "float64", True, "%", "most that the evidence allows"),
        Column("evidence", "str", False, "", "what the value rests on"),
        Column("changes", "str", False, "", "the policies that show another number"),
    ),
)


def backfill_contract(policies: Iterable[str], quality: Iterable[str] = ()) -> Contract:
    """Return BACKFILL with the columns of the policies.

    Parameters
    ----------
    policies
        Names of policies, in order.
    quality
        Names of those among them that also show a quality.

    Returns
    -------
    Contract
        BACKFILL and, for each policy, ``before_<policy>`` and ``after_<policy>`` (%)
        and ``change_pp_<policy>`` (percentage points); for those with a quality also
        ``quality_before_<policy>`` and ``quality_after_<policy>`` (%). All ``float64``;
        missing where the policy has no percentage for the project.

    Examples
    --------
    >>> backfill_contract(["exclude"]).names[-3:]
    ['before_exclude', 'after_exclude', 'change_pp_exclude']
    """
    more = [
        Column(f"{kind}_{name}", "float64", True, unit, meaning)
        for name in policies
        for kind, unit, meaning in (
            ("before", "%", "what it shows"),
            ("after", "%", "what it would show"),
            ("change_pp", "pp", "after against before"),
        )
    ]
    more += [
        Column(f"quality_{kind}_{name}", "float64", True, "%", "completed of all tasks")
        for name in quality
        for kind in ("before", "after")
    ]
    return Contract("BACKFILL", (*BACKFILL.columns, *more))
