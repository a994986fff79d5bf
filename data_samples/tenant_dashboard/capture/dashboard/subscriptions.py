"""GraphQL subscriptions: live figures over a WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator  # noqa: TC003 (Strawberry reads it)

import strawberry
from sqlalchemy import func, select
from sqlalchemy.exc import PendingRollbackError, SQLAlchemyError

from .context import GraphQLContext
from .ledger import LEDGER
from .models import AgentTask, Project
from .progress import measure_progress

logger = logging.getLogger("api.graphql.subscriptions")
Info = strawberry.Info[GraphQLContext, None]
INTERVAL_S = 1.5


@strawberry.type
class SystemMetrics:
    """Figures of the whole system."""

    active_tasks: int
    failed_tasks: int


@strawberry.type
class Subscription:
    """What a dashboard page listens to."""

    @strawberry.subscription
    async def system_metrics(
        self, info: Info, ticks: int = 60
    ) -> AsyncGenerator[SystemMetrics, None]:
        """Stream the number of active and failed tasks."""
        session = await info.context.open_session()
        active = func.count().filter(AgentTask.status.in_(["started", "running"]))
        failed = func.count().filter(AgentTask.status == "failed")
        for _ in range(ticks):
            try:
                row = (await session.execute(select(active, failed))).one()
            except SQLAlchemyError as error:
                # FAULT 2a: the session is used again without a rollback.
                if isinstance(error, PendingRollbackError):
                    LEDGER.note("pending_rollback")
                logger.exception("Error in system_metrics_stream")
            else:
                yield SystemMetrics(active_tasks=row[0], failed_tasks=row[1])
            await asyncio.sleep(INTERVAL_S)
        await info.context.close()

    @strawberry.subscription
    async def project_progress(
        self, info: Info, project_id: str, ticks: int = 60
    ) -> AsyncGenerator[float, None]:
        """Stream the percentage of one project, as it is computed."""
        session = await info.context.open_session()
        query = select(Project).where(Project.project_id == project_id)
        project = await session.scalar(query)
        if project is None:
            message = f"Project not found with id: {project_id}"
            raise LookupError(message)
        for _ in range(ticks):
            progress = await measure_progress(session, project)
            yield progress.completion_percentage
            await asyncio.sleep(INTERVAL_S)
        await info.context.close()
