"""Watches on projects, for alerts by mail: a registry that only ever grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from sqlalchemy import select

from .database import sessions, take
from .ledger import LEDGER
from .models import Project

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

router = APIRouter(prefix="/admin/watch")
WATCHERS: dict[str, AsyncSession] = {}


@router.post("/{project_id}", status_code=201)
async def watch_project(project_id: str) -> dict[str, int]:
    """Begin to watch a project."""
    session = sessions()
    lease = await take(session)
    query = select(Project.id).where(Project.project_id == project_id)
    await session.scalar(query)
    # FAULT 6b: the session stays here for as long as the process lives. It is
    # never garbage, so no log will ever mention it.
    WATCHERS[project_id] = session
    LEDGER.leaked(lease, trace=False)
    return {"watching": len(WATCHERS)}


async def close_watchers() -> None:
    """Close them all when the process ends."""
    while WATCHERS:
        _, session = WATCHERS.popitem()
        await session.close()
