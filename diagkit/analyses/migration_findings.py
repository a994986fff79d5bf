"""How a finding about a migration is told: what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.analyses.rebuilding import rebuild
from diagkit.analyses.remedies import Remedies
from diagkit.frames.findings import Finding

if TYPE_CHECKING:
    from diagkit.frames.schemas import DatabaseSchema, Table

__all__ = ["Teller"]


@dataclass(frozen=True)
class Teller:
    """Tells findings about one schema.

    Attributes
    ----------
    schema
        What is there.
    """

    schema: DatabaseSchema

    @property
    def write(self) -> Remedies:
        """What writes the remedies."""
        return Remedies(self.schema.dialect, self.schema.migration.zone)

    def rebuild(self, table: Table) -> str:
        """Write SQLite's way to change a table."""
        return rebuild(table, self.schema.migration)

    def finding(
        self,
        code: str,
        subject: str,
        severity: str,
        summary: str,
        evidence: str,
        remedy: str,
    ) -> Finding:
        """Make a finding; its subject is told apart by the migration's name."""
        about = f"{self.schema.migration.name}|{subject}"
        return Finding(code, about, "data", severity, summary, evidence, remedy)
