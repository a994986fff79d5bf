"""The two tables that progress is computed from."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (SQLAlchemy reads the annotations)

from sqlalchemy import DateTime, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Moment = DateTime(timezone=True)


class Base(DeclarativeBase):
    """Root of the mapped classes."""


class Project(Base):
    """A row a project.

    The model calls the execution times timestamps WITH time zone; migration 008
    made them WITHOUT one, so they come back naive.
    """

    __tablename__ = "llm_project_config"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(String(100), unique=True)
    client_name: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool]
    activation_code_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime | None] = mapped_column(Moment)
    execution_status: Mapped[str | None] = mapped_column(String(20))
    execution_started_at: Mapped[datetime | None] = mapped_column(Moment)
    execution_completed_at: Mapped[datetime | None] = mapped_column(Moment)
    execution_error: Mapped[str | None] = mapped_column(Text)
    output_folder_path: Mapped[str | None] = mapped_column(String(500))


class AgentTask(Base):
    """A row a task of a project, one for each agent that worked on it."""

    __tablename__ = "agent_tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(String(100), unique=True)
    project_id: Mapped[str] = mapped_column(String(100))
    agent_type: Mapped[str] = mapped_column(String(50))
    agent_id: Mapped[str | None] = mapped_column(String(100))
    task_name: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    completed_at: Mapped[datetime | None] = mapped_column(Moment)
    failed_at: Mapped[datetime | None] = mapped_column(Moment)
    progress_percentage: Mapped[float | None]
    tenant_id: Mapped[int | None]
