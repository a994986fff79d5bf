"""LEDGERS and DISCREPANCIES: what process, pool and server say of the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.frames.contract import UTC_TIME, Column, Contract

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = ("leaked", "stranded", "phantom")
_SAID = {
    "leaked": "leaked by the application",
    "stranded": "stranded on the server",
    "phantom": "phantom in the metrics",
}

LEDGERS = Contract(
    "LEDGERS",
    (
        Column("timestamp", UTC_TIME, False, "", "of a sample or a snapshot"),
        Column("pool", "str", False, "", "as CHECKOUTS names it"),
        Column("process", "Int64", False, "checkouts", "open by CHECKOUTS"),
        Column("metrics", "Int64", True, "connections", "out by the sample before"),
        Column("server", "Int64", True, "sessions", "of it; NA without a snapshot"),
        Column("in_transaction", "Int64", True, "sessions", "of these, not idle"),
    ),
)

DISCREPANCIES = Contract(
    "DISCREPANCIES",
    (
        Column("verdict", "category", False, "", "leaked, stranded, phantom"),
        Column("pool", "str", False, "", "as CHECKOUTS names it"),
        Column("connection", "str", True, "", "as in CHECKOUTS"),
        Column("since", UTC_TIME, False, "", "when it began"),
        Column("until", UTC_TIME, True, "", "NaT where it lasted to the end"),
        Column("holder", "str", True, "", "who had asked for the connection"),
        Column("operation", "str", True, "", "what it was for"),
        Column("checkout_id", "str", True, "", "as in CHECKOUTS"),
        Column("evidence", "str", False, "", "what says so"),
    ),
)


@dataclass(frozen=True, eq=False)
class Reconciliation:
    """Three ledgers of the same connections, and where they differ.

    Attributes
    ----------
    ledgers
        LEDGERS, a row a time and pool.
    discrepancies
        DISCREPANCIES, a row a connection that one ledger has and another has not.
    undecided
        What could not be judged, and why; a line each.
    """

    ledgers: pd.DataFrame
    discrepancies: pd.DataFrame
    undecided: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many discrepancies there are of each verdict."""
        found = self.discrepancies["verdict"].value_counts()
        return {verdict: int(found.get(verdict, 0)) for verdict in VERDICTS}

    def __str__(self) -> str:
        return ", ".join(f"{n} {_SAID[verdict]}" for verdict, n in self.counts.items())
