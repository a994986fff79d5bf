"""HYPOTHESES and CHECKLIST: what may have caused an incident, and what was checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagkit.frames.contract import Column, Contract
from diagkit.frames.findings import AREAS

if TYPE_CHECKING:
    import pandas as pd

# The hypothesis that stands first where none has enough that speaks for it.
UNDETERMINED = "undetermined"
RESULTS = ("passed", "failed", "not done")
# In the summary of a hypothesis that is held down: what is to be settled stands behind.
UNSETTLED = "; not sure before this is settled: "

HYPOTHESES = Contract(
    "HYPOTHESES",
    (
        Column("rank", "int64", False, "", "1 is what to look at first"),
        Column("code", "str", False, "", "which hypothesis; undetermined for none"),
        Column("area", "category", False, "", " | ".join(AREAS)),
        Column("confidence", "float64", False, "", "0 to 1; of each by itself"),
        Column("summary", "str", False, "", "what it says, and what would settle it"),
        Column("evidence_for", "str", False, "", "with the ids of findings"),
        Column("evidence_against", "str", False, "", "empty where nothing is"),
        Column("refuted_by", "str", False, "", "what would show that it is wrong"),
    ),
)

CHECKLIST = Contract(
    "CHECKLIST",
    (
        Column("area", "category", False, "", "in this order: " + ", ".join(AREAS)),
        Column("step", "str", False, "", "a question"),
        Column("result", "category", False, "", " | ".join(RESULTS)),
        Column("evidence", "str", False, "", "what says so, or how a person does it"),
    ),
)


@dataclass(frozen=True, eq=False)
class Triage:
    """What may have caused an incident, the likeliest first, and what was checked.

    Attributes
    ----------
    hypotheses
        HYPOTHESES.
    checklist
        CHECKLIST, infrastructure first.
    """

    hypotheses: pd.DataFrame = field(repr=False)
    checklist: pd.DataFrame = field(repr=False)

    @property
    def conclusion(self) -> str:
        """What the first hypothesis says, in a sentence."""
        first = self.hypotheses.iloc[0]
        if first["code"] == UNDETERMINED:
            return str(first["summary"])
        return f"{first['summary']} ({100 * first['confidence']:.0f} %)"

    def __str__(self) -> str:
        return self.conclusion
