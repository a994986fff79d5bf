"""Reading from a real MariaDB: another system's names and types, nothing left open."""

from __future__ import annotations

import sqlite3

import pandas as pd
import pytest
import sqlalchemy as sa

import diagkit as dk

TABLES = {
    "llm_project_config": (
        "project_id varchar(100) unique, client_name varchar(255), "
        "created_at datetime(6), updated_at datetime(6), execution_status varchar(20), "
        "execution_started_at datetime(6), execution_completed_at datetime(6)"
    ),
    "agent_tasks": (
        "task_id varchar(100) unique, project_id varchar(100), agent_type varchar(50), "
        "task_name varchar(255), status varchar(20), created_at datetime(6) not null, "
        "started_at datetime(6), completed_at datetime(6), failed_at datetime(6), "
        "is_backup tinyint"
    ),
}
# Reserved words, capitals, blanks, a dot and a sign that Python's drivers read.
NAMES = dk.ProgressSchema(
    projects_table="other here.Order Book.v2",
    tasks_table="other here.select",
    project_columns={
        "project_id": "Group By",
        "execution_started_at": "begun (%s)",
        "execution_status": "STATUS",
    },
    task_columns={
        "project_id": "key",
        "task_name": "Größe`s",
        "status": "order",
        "created_at": "When",
        "started_at": "from",
    },
    statuses={"fertig": "completed", "läuft": "running"},
)


@pytest.fixture(scope="module")
def admin(mariadb_url):
    engine = sa.create_engine(mariadb_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as link:
        yield link
    engine.dispose()


@pytest.fixture(scope="module")
def filled(mariadb_url, admin, case_study):
    """The case study's tables, in a database of this module's own."""
    admin.exec_driver_sql("create database progress_here character set utf8mb4")
    file = sqlite3.connect(case_study / "progress" / "progress.sqlite")
    for table, columns in TABLES.items():
        admin.exec_driver_sql(f"create table progress_here.{table} ({columns})")
        names = [c.split()[0] for c in columns.split(", ") if "tinyint" not in c]
        listed = ", ".join(names)
        rows = file.execute(f"select {listed} from {table}").fetchall()
        places = ", ".join(["%s"] * len(names))
        admin.exec_driver_sql(
            f"insert into progress_here.{table} ({listed}) values ({places})", rows
        )
    file.close()
    target = sa.make_url(mariadb_url).set(database="progress_here")
    return target.render_as_string(hide_password=False)


@pytest.mark.parametrize("driver", ["mysql", "mariadb", "mysql+aiomysql"])
def test_it_holds_what_sqlite_does(filled, case_study, driver):
    one = dk.read_progress(filled.replace("mysql+pymysql", driver))
    two = dk.read_progress(case_study / "progress" / "progress.sqlite")
    assert one.notes == two.notes == ("tasks of no project that is there: 45",)
    for name, key in (("projects", "project_id"), ("tasks", "task_id")):
        left, right = (
            getattr(p, name).sort_values(key, ignore_index=True) for p in (one, two)
        )
        pd.testing.assert_frame_equal(left, right)
    assert one.source.endswith("/progress_here")
    assert "hunter2" not in repr(one)


def test_the_audit_is_that_of_the_tables(filled, case_study):
    counted = dk.audit_started_at(dk.read_progress(filled))
    seen = dk.audit_started_at(dk.read_progress(case_study / "progress"))
    pd.testing.assert_frame_equal(
        counted.projects.sort_values("project_id", ignore_index=True),
        seen.projects.sort_values("project_id", ignore_index=True),
        check_exact=True,
    )
    pd.testing.assert_frame_equal(counted.portfolio, seen.portfolio)
    assert sorted(counted.findings["id"]) == sorted(seen.findings["id"])


def test_nothing_stays_open(filled, admin):
    dk.audit_started_at(dk.read_progress(filled))
    query = (
        "select count(*) from information_schema.processlist where db = 'progress_here'"
    )
    assert admin.exec_driver_sql(query).scalar_one() == 0


@pytest.fixture(scope="module")
def odd(mariadb_url, admin):
    """Two tables of names that have to be quoted, and of types that MySQL alone has."""
    admin.exec_driver_sql("create database `other here` character set latin1")
    admin.exec_driver_sql(
        "create table `other here`.`Order Book.v2` (`Group By` int primary key, "
        "`begun (%%s)` timestamp(6) null, `STATUS` enum('läuft', 'fertig'))"
    )
    admin.exec_driver_sql(
        "create table `other here`.`select` (`key` varchar(9), `Größe``s` text, "
        "`order` varchar(20), `When` timestamp(3) null, `from` datetime)"
    )
    admin.exec_driver_sql("set time_zone = '+05:00'")
    admin.exec_driver_sql(
        "insert into `other here`.`Order Book.v2` values "
        "(7, '2025-11-24 15:00:00.5', 'fertig'), (8, null, 'läuft')"
    )
    admin.exec_driver_sql(
        "insert into `other here`.`select` values "
        "('7', 'Öl', 'fertig', '2025-11-24 15:01:00.25', '2025-11-24 10:02:00'), "
        "('7', 'öl', 'läuft', '2025-11-24 14:59:00', null), "
        "('8', 'x', 'fertig', null, null)"
    )
    return mariadb_url


def test_another_systems_names_and_types(odd):
    progress = dk.read_progress(odd, NAMES)
    start = pd.Timestamp("2025-11-24 10:00:00.5", tz="UTC")
    assert progress.projects["project_id"].tolist() == ["7", "8"]
    assert progress.projects["execution_started_at"].tolist() == [start, pd.NaT]
    assert progress.projects["execution_status"].tolist() == ["completed", "running"]
    audit = dk.audit_started_at(progress)
    assert "tasks" not in vars(progress)
    # The task of a minute before the start is of another run, and Öl is not öl.
    assert audit.projects["percent_current_run_or_all"].tolist() == [100, 100]
    assert audit.projects["percent_all_runs"].tolist() == [50, 100]
    tasks = progress.tasks
    assert tasks["task_name"].tolist() == ["Öl", "öl", "x"]
    assert tasks["created_at"][0] == pd.Timestamp("2025-11-24 10:01:00.25", tz="UTC")
    assert tasks["started_at"][0] == pd.Timestamp("2025-11-24 10:02:00", tz="UTC")


def test_a_zone_is_for_the_columns_without_one(odd):
    progress = dk.read_progress(odd, NAMES, tz="Europe/Berlin")
    assert progress.counter is None
    assert progress.tasks["created_at"][0].hour == 10
    assert progress.tasks["started_at"][0].hour == 9
    assert dk.audit_started_at(progress).projects["tasks"].tolist() == [2, 1]


def test_names_that_do_not_fit(filled, odd):
    with pytest.raises(dk.SourceNotFoundError) as caught:
        dk.read_progress(filled, dk.ProgressSchema("Order Book.v2", "agent_task"))
    line = str(caught.value)
    assert "no table 'Order Book.v2'; did you mean 'other here.Order Book.v2'?" in line
    assert "no table 'agent_task'; did you mean 'agent_tasks'?" in line
    assert "it has agent_tasks, llm_project_config" in line
    schema = dk.ProgressSchema("other here.Order Bok.v2", "nowhere.select")
    with pytest.raises(dk.SourceNotFoundError) as caught:
        dk.read_progress(odd, schema)
    line = str(caught.value)
    assert "did you mean 'other here.Order Book.v2' or 'other here.select'?" in line
    assert "no table 'nowhere.select'; did you mean 'other here.select'?" in line
