"""The ASGI application: ``uvicorn dashboard.server:app``."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from sqlalchemy import select
from strawberry.fastapi import GraphQLRouter

from . import reports, watchers
from .context import get_context
from .database import engine, reports_engine, session_scope
from .logs import set_up_logging
from .models import Project
from .schema import schema
from .settings import SETTINGS
from .upkeep import collect_everything, keep_house, sample_pools

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

set_up_logging(SETTINGS.api_log)
logger = logging.getLogger("api.main")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the background work; at the end leave nothing to the interpreter."""
    upkeep = [asyncio.create_task(work()) for work in (sample_pools, keep_house)]
    logger.info("Application startup: background tasks running")
    yield
    logger.info("Application shutdown: collecting what is left")
    await collect_everything()
    await watchers.close_watchers()
    for task in upkeep:
        task.cancel()
    await asyncio.gather(*upkeep, return_exceptions=True)
    await engine.dispose()
    reports_engine.dispose()


app = FastAPI(title="Tenant dashboard", lifespan=lifespan)
app.include_router(GraphQLRouter(schema, context_getter=get_context), prefix="/graphql")
app.include_router(reports.router)
app.include_router(watchers.router)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the process is alive, whatever the database does."""
    return {"status": "ok"}


@app.get("/api/projects")
async def list_projects(limit: int = 20) -> list[dict[str, str | None]]:
    """Return the projects changed last."""
    query = select(Project).order_by(Project.updated_at.desc()).limit(limit)
    async with session_scope() as session:
        found = (await session.scalars(query)).all()
    logger.info("list_projects: %d found", len(found))
    return [
        {"project_id": row.project_id, "status": row.execution_status} for row in found
    ]
