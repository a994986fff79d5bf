"""Reading from a real PostgreSQL: nothing is written, nothing stays open."""

from __future__ import annotations

import sqlite3

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa

import diagkit as dk
from diagkit.sources.databases import POSTGRES_SETTINGS, open_readonly

PROJECTS = (
    "create table llm_project_config (project_id varchar(100) unique, "
    "client_name text, created_at timestamptz, updated_at timestamptz, "
    "execution_status varchar(20), execution_started_at timestamp, "
    "execution_completed_at timestamp)"
)
TASKS = (
    "create table agent_tasks (task_id varchar(100) unique, project_id varchar(100), "
    "agent_type text, task_name text, status text, created_at timestamptz not null, "
    "started_at timestamptz, completed_at timestamptz, failed_at timestamptz)"
)
COLUMNS = {
    "llm_project_config": "project_id, client_name, created_at, updated_at, "
    "execution_status, execution_started_at, execution_completed_at",
    "agent_tasks": "task_id, project_id, agent_type, task_name, status, created_at, "
    "started_at, completed_at, failed_at",
}


# The server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")


@pytest.fixture(scope="module")
def url(postgres_url):
    """A database of this module's own, as a superuser sees it."""
    raw = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(raw, autocommit=True) as link:
        link.execute("create database progress_here")
    target = sa.make_url(postgres_url).set(database="progress_here")
    return target.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def admin(url):
    raw = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(raw, autocommit=True) as link:
        link.execute("set timezone = 'UTC'")
        yield link


@pytest.fixture(scope="module")
def filled(url, admin, case_study):
    admin.execute(PROJECTS)
    admin.execute(TASKS)
    file = sqlite3.connect(case_study / "progress" / "progress.sqlite")
    for table, columns in COLUMNS.items():
        with admin.cursor().copy(f"copy {table} ({columns}) from stdin") as copy:
            for row in file.execute(f"select {columns} from {table}"):
                copy.write_row(row)
    file.close()
    # What an administrator may have set must not move the instants.
    admin.execute("alter database progress_here set timezone = 'America/Jamaica'")
    return url


def sessions(admin):
    query = (
        "select count(*) from pg_stat_activity where datname = 'progress_here' "
        "and pid <> pg_backend_pid()"
    )
    return admin.execute(query).fetchone()[0]


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
def test_it_holds_what_sqlite_does(filled, case_study, scheme):
    one = dk.read_progress(filled.replace("postgresql+psycopg", scheme))
    two = dk.read_progress(case_study / "progress" / "progress.sqlite")
    for name, key in (("projects", "project_id"), ("tasks", "task_id")):
        left, right = (
            getattr(p, name).sort_values(key, ignore_index=True) for p in (one, two)
        )
        pd.testing.assert_frame_equal(left, right)
    assert one.notes == two.notes
    assert one.source.endswith("/progress_here")
    left, right = (
        dk.audit_started_at(p).projects.sort_values("project_id", ignore_index=True)
        for p in (one, two)
    )
    pd.testing.assert_frame_equal(left, right)


def test_nothing_stays_open(filled, admin):
    dk.read_progress(filled)
    with open_readonly(filled):
        assert sessions(admin) == 1
    with pytest.raises(dk.SourceError), open_readonly(filled) as link:
        link.execute(sa.text("select nothing from nowhere"))
    for _ in range(50):
        if sessions(admin) == 0:
            break
        admin.execute("select pg_sleep(0.02)")
    assert sessions(admin) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "delete from agent_tasks",
        "update llm_project_config set execution_started_at = now()",
        "create table t (a int)",
        "insert into agent_tasks (task_id, created_at) values ('x', now())",
        "truncate agent_tasks",
        "set transaction read write",
        "commit; delete from agent_tasks",
        "set default_transaction_read_only = off; delete from agent_tasks",
    ],
)
def test_a_write_is_refused(filled, admin, statement):
    before = admin.execute("select count(*) from agent_tasks").fetchone()
    with pytest.raises(dk.SourceAccessError), open_readonly(filled) as link:
        link.execute(sa.text(statement))
    assert admin.execute("select count(*) from agent_tasks").fetchone() == before


def test_the_session_is_set_up(filled):
    with open_readonly(filled) as link:
        shown = {
            name: link.execute(sa.text(f"show {name}")).scalar()
            for name in (
                "transaction_read_only",
                "transaction_isolation",
                "statement_timeout",
                "lock_timeout",
                "timezone",
            )
        }
    assert shown == {
        "transaction_read_only": "on",
        "transaction_isolation": "repeatable read",
        "statement_timeout": "2min",
        "lock_timeout": "3s",
        "timezone": "UTC",
    }


def test_a_users_own_options_do_not_lift_it(filled):
    own = {"options": "-c default_transaction_read_only=off"}
    target = sa.make_url(filled).update_query_dict(own)
    url = target.render_as_string(hide_password=False)
    with open_readonly(url) as link:
        name = "default_transaction_read_only"
        assert link.execute(sa.text(f"show {name}")).scalar() == "on"


def fails(url, kind, *texts):
    with pytest.raises(kind) as caught:
        dk.read_progress(url)
    line = str(caught.value)
    assert "\n" not in line
    assert "hunter2" not in line
    for text in texts:
        assert text in line


def test_what_the_server_refuses(filled, admin):
    url = sa.make_url(filled)
    render = lambda u: u.render_as_string(hide_password=False)  # noqa: E731 - short
    fails(
        render(url.set(database="nowhere")),
        dk.SourceNotFoundError,
        "the server has no database 'nowhere'",
    )
    fails(
        render(url.set(username="nobody", password="hunter2")),
        dk.SourceNotFoundError,
        "the server has no role 'nobody'",
    )
    admin.execute("create role looker login password 'hunter2'")
    fails(
        render(url.set(username="looker", password="hunter2")),
        dk.SourceAccessError,
        "denies this user the reading",
    )


def test_a_table_that_is_locked(filled, admin, monkeypatch):
    monkeypatch.setitem(POSTGRES_SETTINGS, "lock_timeout", "100")
    with admin.transaction():
        admin.execute("lock table llm_project_config in access exclusive mode")
        fails(filled, dk.SourceAccessError, "has the table locked by another session")


def test_tables_in_a_schema_and_times_that_python_cannot_hold(filled, admin):
    admin.execute("create schema other")
    admin.execute(PROJECTS.replace("llm_", "other.llm_"))
    admin.execute(TASKS.replace("agent_tasks", "other.agent_tasks"))
    admin.execute(
        "insert into other.llm_project_config (project_id, execution_started_at) "
        "values ('a', 'infinity')"
    )
    schema = dk.ProgressSchema("other.llm_project_config", "other.agent_tasks")
    with pytest.raises(dk.SourceFormatError, match="row 1 holds 'infinity'"):
        dk.read_progress(filled, schema)
    admin.execute("update other.llm_project_config set execution_started_at = null")
    assert dk.read_progress(filled, schema).projects["project_id"].tolist() == ["a"]
