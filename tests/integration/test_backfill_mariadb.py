"""A real MariaDB takes the backfill, repeats it and undoes it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading

import numpy as np
import pandas as pd
import pymysql
import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st
from pymysql.constants import CLIENT

import diagkit as dk
from diagkit.analyses.backfill import plan_backfill
from diagkit.frames.progress import PROJECTS, TASKS

TABLES = {
    "llm_project_config": (
        "project_id varchar(100) {charset} unique, client_name text, "
        "created_at datetime(6), updated_at datetime(6) on update "
        "current_timestamp(6), `touched ``at` timestamp null on update "
        "current_timestamp, execution_status varchar(20), "
        "execution_started_at {start} null, execution_completed_at datetime(6)"
    ),
    "agent_tasks": (
        "task_id varchar(100) unique, project_id varchar(100), agent_type text, "
        "task_name text, status varchar(20), created_at datetime(6), "
        "started_at datetime(6), completed_at datetime(6), failed_at datetime(6)"
    ),
}
COLUMNS = {
    "llm_project_config": "project_id, client_name, created_at, updated_at, "
    "execution_status, execution_started_at, execution_completed_at",
    "agent_tasks": "task_id, project_id, agent_type, task_name, status, created_at, "
    "started_at, completed_at, failed_at",
}


class Database:
    """A database of its own."""

    def __init__(self, url, name):
        self.server, self.name = sa.make_url(url), name

    def connect(self, **options):
        return pymysql.connect(
            host=self.server.host,
            port=self.server.port,
            user=self.server.username,
            password=self.server.password,
            database=self.name,
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
            **options,
        )

    def run(self, sql, link=None):
        """Run every statement of a script; an error of any of them is raised."""
        if link is None:
            with self.connect() as link:
                return self.run(sql, link)
        with link.cursor() as cursor:
            cursor.execute(sql)
            results = [cursor.fetchall()]
            while cursor.nextset():
                results.append(cursor.fetchall())
        return results

    def rows(self):
        """Every row of the projects, each value as the server writes it; the tasks'."""
        table = "llm_project_config"
        with self.connect() as link:
            self.run("set time_zone = '+00:00'", link)
            columns = self.run(f"show columns from {table}", link)[0]
            texts = ", ".join(
                f"hex(cast(`{c[0].replace('`', '``')}` as char))" for c in columns
            )
            rows = self.run(f"select {texts} from {table} order by 1, 2", link)[0]
            return list(rows), self.run("checksum table agent_tasks", link)

    def audit(self, schema=None, **options):
        url = self.server.set(database=self.name)
        progress = dk.read_progress(url.render_as_string(hide_password=False), schema)
        return dk.audit_started_at(progress, **options)


@pytest.fixture
def make(mariadb_url):
    made = []
    url = sa.make_url(mariadb_url)

    def build(file=None, start="datetime(6)", charset="", zone="-05:00"):
        name = f"backfill_{len(made)}"
        Database(mariadb_url, url.database).run(f"create database {name}")
        made.append(name)
        database = Database(mariadb_url, name)
        for table, columns in TABLES.items():
            columns = columns.format(start=start, charset=charset)
            database.run(f"create table {table} ({columns})")
        if file is not None:
            copy(file, database)
        # A session that nobody has set up: not in UTC.
        database.run(f"set global time_zone = '{zone}'")
        return database

    yield build
    admin = Database(mariadb_url, url.database)
    admin.run("set global time_zone = 'SYSTEM'")
    for name in made:
        admin.run(f"drop database {name}")


def copy(file, database):
    source = sqlite3.connect(file)
    with database.connect() as link, link.cursor() as cursor:
        cursor.execute("set time_zone = '+00:00'")
        for table, columns in COLUMNS.items():
            places = ", ".join(["%s"] * len(columns.split(",")))
            rows = source.execute(f"select {columns} from {table}").fetchall()
            # One project starts in 2052, which a TIMESTAMP cannot hold.
            rows = [
                [str(v).replace("2052-", "2037-") if v else v for v in r] for r in rows
            ]
            cursor.executemany(
                f"insert into {table} ({columns}) values ({places})", rows
            )
    source.close()


@pytest.fixture(params=["case_study", "sample"])
def file(request):
    folder = request.getfixturevalue(request.param)
    part = "progress/progress.sqlite" if request.param == "case_study" else ""
    return folder / (part or "progress.sqlite")


def same_as_previewed(audit, plan):
    """Hold every percentage against the preview, to the last bit."""
    left = audit.projects.set_index("project_id").sort_index()
    right = plan.preview.set_index("project_id").sort_index()
    compared = 0
    for column in right.columns:
        for kind, ours in (("after_", "percent_"), ("quality_after_", "quality_")):
            if column.startswith(kind):
                name = ours + column.removeprefix(kind)
                assert left[name].to_numpy().tobytes() == (
                    right[column].to_numpy().tobytes()
                ), name
                compared += 1
    assert compared == 12


@pytest.mark.parametrize("start", ["datetime(6)", "timestamp(6)"])
@pytest.mark.parametrize("batch", [4, 500])
def test_it_is_taken_repeated_checked_and_undone(make, file, start, batch):
    database = make(file, start)
    before = database.rows()
    plan = plan_backfill(database.audit(), "mysql", batch=batch, within_pp=100)
    assert database.rows() == before
    with pytest.raises(pymysql.err.ProgrammingError, match="illegal NULL start"):
        database.run(plan.check_sql)
    database.run(plan.sql)
    once, after = database.rows(), database.audit()
    changed = sum(a != b for a, b in zip(before[0], once[0], strict=True))
    assert changed == (plan.preview["action"] == "set").sum()
    assert before[1] == once[1]
    database.run(plan.sql)
    assert database.rows() == once
    database.run(plan.check_sql)
    same_as_previewed(after, plan)
    set_ = plan.preview[plan.preview["action"] == "set"].set_index("project_id")
    found = after.projects.set_index("project_id")["started_at"]
    pd.testing.assert_series_equal(
        found[set_.index], set_["started_at"], check_names=False
    )
    database.run(plan.undo_sql)
    assert database.rows() == before


def test_the_session_is_left_as_it_was(make, sample):
    database = make(sample / "progress.sqlite")
    plan = plan_backfill(database.audit(), "mysql", batch=3)
    query = (
        "select @@time_zone, @@innodb_lock_wait_timeout, @@tx_isolation, "
        "@@collation_connection, @@character_set_connection"
    )
    with database.connect(charset="latin1") as link:
        database.run("set innodb_lock_wait_timeout = 17", link)
        before = database.run(query, link)
        for sql in (plan.sql, plan.undo_sql, plan.sql):
            database.run(sql, link)
            assert database.run(query, link) == before
    shown = ("-05:00", 17, "REPEATABLE-READ", "latin1_swedish_ci", "latin1")
    assert before == [(shown,)]


def test_what_the_data_cannot_decide_stays_null(make, case_study):
    database = make(case_study / "progress" / "progress.sqlite")
    plan = plan_backfill(database.audit(), "mysql")
    database.run(plan.sql)
    same_as_previewed(database.audit(), plan)
    with pytest.raises(
        pymysql.err.ProgrammingError, match=r"7 illegal NULL start.s. remain"
    ):
        database.run(plan.check_sql)


@pytest.mark.skipif(shutil.which("mariadb") is None, reason="no mariadb client")
@pytest.mark.parametrize("charset", ["utf8mb4", "latin1"])
def test_the_client_runs_the_scripts(make, file, charset):
    database = make(file)
    before = database.rows()
    plan = plan_backfill(database.audit(), "mysql", batch=3, within_pp=100)

    def client(sql):
        where = database.server
        command = ["mariadb", "--no-defaults", f"--default-character-set={charset}"]
        command += [f"-h{where.host}", f"-P{where.port}", f"-u{where.username}"]
        return subprocess.run(
            [*command, f"-p{where.password}", database.name],
            input=sql,
            capture_output=True,
            text=True,
            encoding="ascii",
        )

    failed = client(plan.check_sql)
    assert failed.returncode == 1
    assert "illegal NULL start(s) remain" in failed.stderr
    assert "illegal_null_start" in failed.stdout
    for sql in (plan.sql, plan.check_sql):
        done = client(sql)
        assert (done.returncode, done.stderr) == (0, "")
    assert database.rows() != before
    assert client(plan.undo_sql).returncode == 0
    assert database.rows() == before


class Writer(threading.Thread):
    """The application: it goes on while the scripts run, and keeps a ledger."""

    def __init__(self, database, projects):
        super().__init__(daemon=True)
        self.database, self.projects = database, projects
        self.stop, self.first = threading.Event(), threading.Event()
        self.started, self.names, self.inserted = {}, {}, []

    def run(self):
        moment = pd.Timestamp("2026-01-01")
        with self.database.connect() as link, link.cursor() as cursor:
            for turn in range(100_000):
                project = self.projects[turn % len(self.projects)]
                self.names[project] = f"turn {turn}"
                cursor.execute(
                    "update llm_project_config set client_name = %s, "
                    "updated_at = '2026-02-02' where project_id = %s",
                    (self.names[project], project),
                )
                if turn % 5 == 0:
                    moment += pd.Timedelta(seconds=1)
                    self.started[project] = moment
                    cursor.execute(
                        "update llm_project_config set execution_started_at = %s, "
                        "updated_at = '2026-02-02' where project_id = %s",
                        (str(moment), project),
                    )
                self.inserted.append(f"new-{turn}")
                cursor.execute(
                    "insert into llm_project_config (project_id) values (%s)",
                    (self.inserted[-1],),
                )
                self.first.set()
                if self.stop.is_set():
                    return


def test_what_an_application_writes_meanwhile_stays(make, case_study):
    database = make(case_study / "progress" / "progress.sqlite")
    plan = plan_backfill(database.audit(), "mysql", batch=2, within_pp=100)
    set_ = plan.preview[plan.preview["action"] == "set"].set_index("project_id")
    # It starts some of the very projects that the plan sets.
    writer = Writer(database, set_.index.tolist()[:7])
    writer.start()
    assert writer.first.wait(30)
    # Until it has started some of them between and inside the scripts.
    for turn in range(500):
        database.run(plan.sql)
        database.run(plan.undo_sql)
        if turn > 5 and len(writer.started) > 2:
            break
    database.run(plan.sql)
    writer.stop.set()
    writer.join(30)
    query = (
        "select project_id, execution_started_at, client_name, updated_at "
        "from llm_project_config"
    )
    found = {row[0]: row[1:] for row in database.run(query)[0]}
    assert len(writer.started) > 2
    assert all(found[project][0] is None for project in writer.inserted)
    for project, name in writer.names.items():
        assert found[project][1:] == (name, pd.Timestamp("2026-02-02"))
    for project, moment in writer.started.items():
        assert found[project][0] == moment
    rest = set_.index.difference(list(writer.started))
    assert len(rest) > 3
    for project in rest:
        planned = set_.loc[project, "started_at"].tz_localize(None)
        assert found[project][0] == planned


def test_a_trigger_stops_it_before_it_sets_a_row(make, sample):
    database = make(sample / "progress.sqlite")
    plan = plan_backfill(database.audit(), "mysql", within_pp=100)
    database.run(
        "create trigger touch before update on llm_project_config for each row "
        "set new.updated_at = now(6)"
    )
    before = database.rows()
    for sql in (plan.sql, plan.undo_sql):
        with pytest.raises(
            pymysql.err.ProgrammingError, match="a BEFORE UPDATE trigger may change"
        ):
            database.run(sql)
    assert database.rows() == before


@pytest.mark.parametrize("start", ["datetime", "timestamp(3)"])
def test_values_are_cut_to_what_the_column_keeps(make, sample, start):
    database = make(sample / "progress.sqlite", start)
    before = database.rows()
    plan = plan_backfill(database.audit(), "mysql", within_pp=100)
    database.run(plan.sql)
    after = database.audit()
    same_as_previewed(after, plan)
    set_ = plan.preview[plan.preview["action"] == "set"].set_index("project_id")
    found = after.projects.set_index("project_id")["started_at"][set_.index]
    unit = "s" if start == "datetime" else "ms"
    assert (found == set_["started_at"].dt.floor(unit)).all()
    assert (found < set_["started_at"]).any()
    database.run(plan.undo_sql)
    assert database.rows() == before


def test_a_row_that_is_locked_is_not_waited_for_long(make, sample):
    database = make(sample / "progress.sqlite")
    plan = plan_backfill(database.audit(), "mysql", within_pp=100)
    busy = plan.preview.loc[plan.preview["action"] == "set", "project_id"].iloc[0]
    with database.connect() as other:
        database.run("begin", other)
        database.run(
            f"select 1 from llm_project_config where project_id = '{busy}' for update",
            other,
        )
        with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout"):
            database.run(plan.sql)
        database.run("rollback", other)
    database.run(plan.sql)
    database.run(plan.check_sql)


def test_other_names_and_types(make, sample):
    database = make(sample / "progress.sqlite")
    database.run("create database if not exists backfill_elsewhere")
    database.run(
        """
        create table backfill_elsewhere.jobs (`key '1` int auto_increment primary key,
          `Status` enum('queued', 'busy', 'done', 'held'), `run 'begin'` datetime(6),
          updated_at timestamp(6) null on update current_timestamp(6), old text);
        insert into backfill_elsewhere.jobs (`Status`, `run 'begin'`, updated_at, old)
        select case execution_status when 'pending' then 'queued' when 'running' then
          'busy' when 'completed' then 'done' else 'held' end, execution_started_at,
          updated_at, project_id from llm_project_config;
        create table backfill_elsewhere.steps as select j.`key '1` as job,
          t.status as state, t.created_at as made, t.task_name, t.agent_type
        from agent_tasks t join backfill_elsewhere.jobs j on j.old = t.project_id
        """
    )
    names = {
        "project_columns": {
            "project_id": "key '1",
            "execution_status": "Status",
            "execution_started_at": "run 'begin'",
        },
        "task_columns": {"project_id": "job", "status": "state", "created_at": "made"},
        "statuses": {"queued": "pending", "busy": "running", "done": "completed"},
    }
    elsewhere = Database(database.server, "backfill_elsewhere")
    here = dk.ProgressSchema("jobs", "steps", **names)
    qualified = dk.ProgressSchema(
        "backfill_elsewhere.jobs", "backfill_elsewhere.steps", **names
    )
    plan = plan_backfill(database.audit(qualified), "mysql", within_pp=100)
    query = "select * from backfill_elsewhere.jobs"
    before = database.run(query)
    # It runs in a session that stands in the other database.
    with pytest.raises(pymysql.err.ProgrammingError, match="illegal NULL start"):
        database.run(plan.check_sql)
    database.run(plan.sql)
    database.run(plan.check_sql)
    same_as_previewed(elsewhere.audit(here), plan)
    database.run(plan.undo_sql)
    assert database.run(query) == before
    database.run("drop database backfill_elsewhere")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HOSTILE = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "it's",
            "a\\",
            "\\'); drop table agent_tasks; --",
            "*/ /*! -- '`",
            "a\n-- b",
            "a\r; select 1",
            "%s %(a)s {id} @diagkit_id ?",
            "\u2028café\U0001f600",
            "A",
            "a",
            "a ",
            "\u00e1",
        ]
    ),
)
# Each holds ids that differ only in what its collation does not tell apart.
KEYS = {
    "utf8mb4_general_ci": "varchar(100) character set utf8mb4 "
    "collate utf8mb4_general_ci",
    "utf8mb4_bin": "varchar(100) character set utf8mb4 collate utf8mb4_bin",
    "utf16": "varchar(100) character set utf16",
}


@pytest.fixture(scope="module", params=sorted(KEYS))
def hostile(request, mariadb_url):
    database = Database(mariadb_url, sa.make_url(mariadb_url).database)
    database.run("drop table if exists llm_project_config")
    database.run(
        f"create table llm_project_config (project_id {KEYS[request.param]}, "
        "execution_started_at datetime(6), execution_status text)"
    )
    yield database
    database.run("drop table llm_project_config")


@pytest.mark.slow
@settings(max_examples=25)
@given(
    ids=st.lists(HOSTILE.filter(bool), unique=True, max_size=8),
    mode=st.sampled_from(
        ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT"]
    ),
    names=st.sampled_from(["utf8mb4", "latin1"]),
    batch=st.integers(1, 5),
)
def test_hostile_ids_and_evidence(hostile, ids, mode, names, batch):
    plan = plan_backfill(hostile_audit(ids), "mysql", batch=batch)
    everybody = [*ids, "bystander"]
    query = "select project_id, execution_started_at from llm_project_config"
    with hostile.connect(charset="utf8mb4") as link:
        hostile.run("delete from llm_project_config", link)
        with link.cursor() as cursor:
            for project in everybody:
                cursor.execute(
                    "insert into llm_project_config (project_id) values (%s)",
                    (project,),
                )
        with hostile.connect(charset=names, sql_mode=mode) as other:
            hostile.run(plan.sql, other)
        table = plan.preview.set_index("project_id")["started_at"]
        wanted = {p: t.tz_localize(None) for p, t in table.items()}
        assert dict(hostile.run(query, link)[0]) == wanted | {"bystander": None}
        with hostile.connect(charset=names, sql_mode=mode) as other:
            hostile.run(plan.undo_sql, other)
        assert set(hostile.run(query, link)[0]) == {(p, None) for p in everybody}


def test_ids_in_latin1(make):
    database = make(charset="character set latin1")
    ids = ["caf\u00e9", "it's", "back\\slash", "\u00fcber"]
    with database.connect() as link, link.cursor() as cursor:
        for project in ids:
            cursor.execute(
                "insert into llm_project_config (project_id) values (%s)", (project,)
            )
    before = database.rows()
    plan = plan_backfill(hostile_audit(ids), "mysql")
    database.run(plan.sql)
    query = "select count(execution_started_at) from llm_project_config"
    assert database.run(query) == [((4,),)]
    database.run(plan.undo_sql)
    assert database.rows() == before


def hostile_audit(ids):
    """An audit in which every project ran, and the evidence is as hostile as the id."""
    times = pd.date_range("2025-11-24 10:00:00.5Z", periods=len(ids), freq="61s")
    progress = dk.Progress(
        PROJECTS.build(
            {"project_id": ids, "execution_status": ["completed"] * len(ids)}
        ),
        TASKS.build(
            {
                "project_id": ids,
                "status": ["completed"] * len(ids),
                "created_at": times,
            }
        ),
        "a\n-- source",
    )
    audit = dk.audit_started_at(progress)
    audit.projects["evidence"] = [f"{project} */ \n; --" for project in ids]
    assert not np.any(audit.projects["legal"].to_numpy(dtype=bool))
    return audit
