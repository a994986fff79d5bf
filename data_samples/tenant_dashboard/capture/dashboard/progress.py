"""What the dashboard shows: the policy ``current_run_or_all``.

Tasks of the current run are those created at or after ``execution_started_at``;
where that is NULL, every task of every run counts. A row is a task. The figure is
completed / total x 100 as a raw float, capped to 0..100; no tasks: 0.0.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from .models import AgentTask, Project

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

logger = logging.getLogger("api.progress")


@dataclass(frozen=True)
class Progress:
    """Counts of the population, and the percentage shown."""

    total_tasks: int
    completed_tasks: int
    completion_percentage: float


def as_utc(moment: datetime) -> datetime:
    """Return an aware time; a naive one is taken as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def measure_progress(session: AsyncSession, project: Project) -> Progress:
    """Count the project's tasks as the policy wants it and log the result."""
    total = func.count()
    completed = total.filter(AgentTask.status == "completed")
    query = select(total, completed).where(AgentTask.project_id == project.project_id)
    if project.execution_started_at is not None:
        started_at = as_utc(project.execution_started_at)
        query = query.where(AgentTask.created_at >= started_at)
    tasks, done = (await session.execute(query)).one()
    # FAULT 4: unrounded, so 53.84615384615385 reaches the log and the page.
    percentage = min(max(done / tasks * 100, 0.0), 100.0) if tasks else 0.0
    progress = Progress(tasks, done, percentage)
    logger.info(
        "Project progress calculated: %s",
        {
            "project_id": project.project_id,
            "total_tasks": tasks,
            "completed_tasks": done,
            "completion_percentage": percentage,
        },
    )
    return progress
