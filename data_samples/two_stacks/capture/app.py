"""The dashboard's backend: what it answers depends on whether it has its database."""

from __future__ import annotations

import os

import sqlalchemy as sa
from fastapi import FastAPI, HTTPException

app = FastAPI()
engine = sa.create_engine(os.environ["DATABASE_URL"])
ONE = sa.text("select 1")


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the process runs; the database is not asked."""
    return {"status": "ok"}


@app.post("/api/v1/auth/login")
def login() -> dict[str, str]:
    """Look the user up."""
    return _ask()


@app.get("/api/v1/tiles/{tile}")
def tiles(tile: int) -> dict[str, str]:
    """Show a tile."""
    return _ask()


@app.patch("/api/v1/projects/{project}")
def update(project: str) -> dict[str, str]:
    """Change a project: nothing is caught here."""
    with engine.connect() as connection:
        connection.execute(ONE)
    return {"project": project}


def _ask() -> dict[str, str]:
    try:
        with engine.connect() as connection:
            connection.execute(ONE)
    except sa.exc.OperationalError as error:
        raise HTTPException(503, "the database does not answer") from error
    return {"status": "ok"}
