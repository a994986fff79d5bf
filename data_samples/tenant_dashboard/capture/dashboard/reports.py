"""Monthly report for the administrators: plain synchronous code, its own pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from sqlalchemy import text

from .database import take_sync
from .ledger import LEDGER

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(prefix="/admin/reports")
BY_STATUS = text("SELECT status, count(*) FROM agent_tasks GROUP BY status ORDER BY 1")


class Section:
    """A part of a report; it asks its report for the data."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def rows(self) -> dict[str, int]:
        """Return the number of tasks of each status."""
        found = self.report.connection.execute(BY_STATUS)
        return {status: count for status, count in found}  # noqa: C416 (rows)


class Report:
    """A report and its sections, which know each other: a reference cycle."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sections = [Section(self)]


@router.get("/monthly")
def monthly_report() -> dict[str, int]:
    """Return the monthly figures."""
    connection, lease = take_sync()
    # FAULT 6a: nobody closes it. The cycle keeps it out until the garbage
    # collector comes, and for a synchronous driver SQLAlchemy then says nothing.
    figures = Report(connection).sections[0].rows()
    LEDGER.leaked(lease, trace=False)
    return figures
