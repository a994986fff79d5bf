"""What the deployment decides, read once from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the server finds its database and leaves its files."""

    database_url: str
    api_log: Path
    ledger: Path
    pool_samples: Path
    # FAULT 3: ten connections in all, so that ten leaks stop the dashboard until
    # the garbage collector comes.
    pool_size: int = 5
    max_overflow: int = 5
    pool_timeout_s: float = 3.0
    reports_pool_size: int = 3
    reports_max_overflow: int = 2
    housekeeping_s: float = 40.0


def read_settings() -> Settings:
    """Read ``DASHBOARD_*`` variables; a missing one is a KeyError at start."""
    return Settings(
        database_url=os.environ["DASHBOARD_DATABASE_URL"],
        api_log=Path(os.environ["DASHBOARD_API_LOG"]),
        ledger=Path(os.environ["DASHBOARD_LEDGER"]),
        pool_samples=Path(os.environ["DASHBOARD_POOL_SAMPLES"]),
    )


SETTINGS = read_settings()
