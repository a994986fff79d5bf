"""GraphQL queries and mutations."""

from __future__ import annotations

import logging

import strawberry
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from .context import GraphQLContext
from .database import session_scope, sessions, take
from .ledger import LEDGER
from .models import AgentTask, Project
from .progress import measure_progress
from .subscriptions import Subscription

logger = logging.getLogger("api.graphql.resolvers")
Info = strawberry.Info[GraphQLContext, None]


@strawberry.type
class ProjectView:
    """A project as a page shows it."""

    project_id: str
    client_name: str
    execution_status: str | None
    total_tasks: int
    completed_tasks: int
    completion_percentage: float


@strawberry.type
class Query:
    """What a page reads once."""

    @strawberry.field
    async def project(self, info: Info, project_id: str) -> ProjectView | None:
        """Return one project with its progress."""
        session = await info.context.open_session()
        query = select(Project).where(Project.project_id == project_id)
        project = await session.scalar(query)
        if project is None:
            logger.warning("Project not found with id: %s", project_id)
            return None
        progress = await measure_progress(session, project)
        return ProjectView(
            project_id=project.project_id,
            client_name=project.client_name,
            execution_status=project.execution_status,
            total_tasks=progress.total_tasks,
            completed_tasks=progress.completed_tasks,
            completion_percentage=progress.completion_percentage,
        )

    @strawberry.field
    async def project_ids(self, info: Info, limit: int = 10) -> list[str]:
        """Return ids of the projects changed last."""
        session = await info.context.open_session()
        query = select(Project).order_by(Project.updated_at.desc()).limit(limit)
        return [project.project_id for project in await session.scalars(query)]


@strawberry.type
class Mutation:
    """What an operator of a tenant does."""

    @strawberry.mutation
    async def set_execution_status(self, project_id: str, status: str) -> str | None:
        """Set a project's status and return what is stored."""
        mine = Project.project_id == project_id
        async with session_scope() as session:
            try:
                change = update(Project).where(mine).values(execution_status=status)
                await session.execute(change)
            except DBAPIError:
                # FAULT 2b: goes on in the aborted transaction.
                logger.exception("Failed to set status of %s", project_id)
            query = select(Project.execution_status).where(mine)
            try:
                stored = await session.scalar(query)
            except SQLAlchemyError:
                LEDGER.note("aborted_transaction")
                raise
            await session.commit()
            return stored

    @strawberry.mutation
    async def export_tasks(self, project_id: str) -> int:
        """Export a project's tasks; return how many there were."""
        session = sessions()
        lease = await take(session)
        query = select(AgentTask.id).where(AgentTask.project_id == project_id)
        tasks = (await session.scalars(query)).all()
        if not tasks:
            # FAULT 1b: returns early, and the session is never closed.
            logger.warning("Nothing to export for project %s", project_id)
            LEDGER.leaked(lease, trace=True)
            return 0
        logger.info("Exported %d tasks of project %s", len(tasks), project_id)
        await session.close()
        return len(tasks)


schema = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)
