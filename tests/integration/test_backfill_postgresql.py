"""A real PostgreSQL takes the backfill, repeats it and undoes it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading

import numpy as np
import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.backfill import plan_backfill
from diagkit.frames.progress import PROJECTS, TASKS

# The server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")

PROJECT_COLUMNS = (
    "project_id, client_name, created_at, updated_at, execution_status, "
    "execution_started_at, execution_completed_at, execution_error"
)
TASK_COLUMNS = (
    "task_id, project_id, agent_type, task_name, status, created_at, started_at, "
    "completed_at, failed_at"
)
PROJECTS_TABLE = (
    "create table llm_project_config (project_id varchar(100) unique, "
    "client_name text, created_at timestamptz, updated_at timestamptz, "
    "execution_status varchar(20), execution_started_at {start}, "
    "execution_completed_at timestamp, execution_error text, extra jsonb)"
)
TASKS_TABLE = (
    "create table agent_tasks (task_id varchar(100) unique, project_id varchar(100), "
    "agent_type text, task_name text, status text, created_at timestamptz not null, "
    "started_at timestamptz, completed_at timestamptz, failed_at timestamptz)"
)
TOUCH = """
create function touch() returns trigger language plpgsql as
$$ begin new.updated_at = clock_timestamp(); return new; end $$;
create trigger touch before update on llm_project_config
for each row execute function touch();
"""


class Database:
    """A database of its own, in a zone that nobody expects."""

    def __init__(self, server: str, name: str) -> None:
        self.url = (
            sa.make_url(server).set(database=name).render_as_string(hide_password=False)
        )
        self.raw = self.url.replace("postgresql+psycopg://", "postgresql://")

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.raw, autocommit=True)

    def run(self, sql: str) -> None:
        with self.connect() as link:
            link.execute(sql)

    def rows(self) -> list[tuple[str]]:
        """Every row of both tables, as the server writes it in UTC."""
        with self.connect() as link:
            link.execute("set timezone = 'UTC'")
            return [
                row
                for table in ("llm_project_config", "agent_tasks")
                for row in link.execute(f"select t::text from {table} t order by 1")
            ]

    def audit(self, **options: object) -> dk.StartedAtAudit:
        return dk.audit_started_at(dk.read_progress(self.url), **options)


@pytest.fixture
def make(postgres_url):
    made = []
    server = postgres_url.replace("postgresql+psycopg://", "postgresql://")

    def build(file=None, start="timestamp"):
        name = f"backfill_{len(made)}"
        with psycopg.connect(server, autocommit=True) as link:
            link.execute(f"create database {name}")
            link.execute(f"alter database {name} set timezone = 'America/Jamaica'")
        made.append(name)
        database = Database(postgres_url, name)
        database.run(PROJECTS_TABLE.format(start=start))
        database.run(TASKS_TABLE)
        if file is not None:
            copy(file, database)
        return database

    yield build
    with psycopg.connect(server, autocommit=True) as link:
        for name in made:
            link.execute(f"drop database {name} with (force)")


@pytest.fixture(params=["case_study", "sample"])
def file(request):
    folder = request.getfixturevalue(request.param)
    part = "progress/progress.sqlite" if request.param == "case_study" else ""
    return folder / (part or "progress.sqlite")


def copy(file, database):
    source = sqlite3.connect(file)
    with database.connect() as link:
        link.execute("set timezone = 'UTC'")
        for table, columns in (
            ("llm_project_config", PROJECT_COLUMNS),
            ("agent_tasks", TASK_COLUMNS),
        ):
            with link.cursor().copy(f"copy {table} ({columns}) from stdin") as out:
                for row in source.execute(f"select {columns} from {table}"):
                    out.write_row(row)
    source.close()


def percentages(audit):
    table = audit.projects.set_index("project_id").sort_index()
    return {
        column: table[column].to_numpy()
        for column in table.columns
        if column.startswith(("percent_", "quality_"))
        and column not in ("percent_low", "percent_high")
    }


def previewed(plan):
    table = plan.preview.set_index("project_id").sort_index()
    shown = {
        column.replace("after_", "percent_", 1): table[column].to_numpy()
        for column in table.columns
        if column.startswith("after_")
    }
    return shown | {
        column.replace("after_", "", 1): table[column].to_numpy()
        for column in table.columns
        if column.startswith("quality_after_")
    }


def same_bits(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].tobytes() == right[name].tobytes(), name


def starts(audit):
    table = audit.projects.set_index("project_id")
    return table["started_at"].sort_index()


@pytest.mark.parametrize("start", ["timestamp", "timestamptz"])
@pytest.mark.parametrize("batch", [4, 500])
def test_it_is_taken_repeated_checked_and_undone(make, file, start, batch):
    database = make(file, start)
    before, audit = database.rows(), database.audit()
    plan = plan_backfill(audit, batch=batch, within_pp=100)
    assert database.rows() == before
    with pytest.raises(psycopg.errors.RaiseException, match="illegal NULL start"):
        database.run(plan.check_sql)
    database.run(plan.sql)
    once, after = database.rows(), database.audit()
    assert (
        sum(a != b for a, b in zip(before, once, strict=True))
        == (plan.preview["action"] == "set").sum()
    )
    database.run(plan.sql)
    assert database.rows() == once
    database.run(plan.check_sql)
    assert not after.projects["legal"].eq(False).any()
    same_bits(percentages(after), previewed(plan))
    set_ = plan.preview[plan.preview["action"] == "set"].set_index("project_id")
    pd.testing.assert_series_equal(
        starts(after)[set_.index], set_["started_at"], check_names=False
    )
    database.run(plan.undo_sql)
    assert database.rows() == before
    database.run(plan.undo_sql)
    assert database.rows() == before


def test_what_the_data_cannot_decide_stays_null(make, case_study):
    database = make(case_study / "progress" / "progress.sqlite")
    plan = plan_backfill(database.audit())
    assert plan.preview["action"].value_counts().to_dict() == {
        "recorded": 44,
        "set": 8,
        "undecided": 7,
        "legal": 7,
    }
    database.run(plan.sql)
    left = starts(database.audit()).isna()
    wanted = plan.preview.set_index("project_id").sort_index()["action"]
    assert left[left].index.tolist() == (
        wanted[wanted.isin(["undecided", "legal"])].index.tolist()
    )
    same_bits(percentages(database.audit()), previewed(plan))
    with pytest.raises(
        psycopg.errors.RaiseException,
        match=r"7 illegal NULL start.s. remain, first: data-lake-starter, green-energy",
    ):
        database.run(plan.check_sql)
    undecided = plan.preview.loc[plan.preview["action"] == "undecided", "project_id"]
    head = plan.sql.partition("-- Batch")[0]
    assert all(f"--   {project}: " in head for project in undecided)


def test_a_transaction_of_the_callers_own_does_not_matter(make, sample):
    database = make(sample / "progress.sqlite")
    database.run(
        "alter database backfill_0 set default_transaction_isolation = serializable"
    )
    before = database.rows()
    plan = plan_backfill(database.audit(), batch=4)
    # Without autocommit the driver begins a transaction before the script does.
    with psycopg.connect(database.raw) as link:
        link.execute(plan.sql)
    once = database.rows()
    assert once != before
    with psycopg.connect(database.raw) as link:
        link.execute(plan.undo_sql)
    assert database.rows() == before


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_runs_the_scripts(make, file, tmp_path):
    database = make(file)
    before = database.rows()
    plan = plan_backfill(database.audit(), batch=3, within_pp=100)

    def psql(sql):
        script = tmp_path / "script.sql"
        script.write_text(sql, encoding="ascii")
        return subprocess.run(
            ["psql", database.raw, "-v", "ON_ERROR_STOP=1", "-qf", script],
            capture_output=True,
            text=True,
        )

    failed = psql(plan.check_sql)
    assert failed.returncode == 3
    assert "illegal NULL start(s) remain, first: " in failed.stderr
    for sql in (plan.sql, plan.check_sql):
        done = psql(sql)
        assert (done.returncode, done.stderr) == (0, "")
    assert database.rows() != before
    assert psql(plan.undo_sql).returncode == 0
    assert database.rows() == before


class Writer(threading.Thread):
    """The application: it goes on while the scripts run, and keeps a ledger."""

    def __init__(self, raw, projects):
        super().__init__(daemon=True)
        self.raw, self.projects = raw, projects
        self.stop, self.first = threading.Event(), threading.Event()
        self.started: dict[str, pd.Timestamp] = {}
        self.errors: dict[str, str] = {}
        self.inserted: list[str] = []

    def run(self):
        moment = pd.Timestamp("2026-01-01", tz="UTC")
        with psycopg.connect(self.raw, autocommit=True) as link:
            for turn in range(100_000):
                project = self.projects[turn % len(self.projects)]
                self.errors[project] = f"turn {turn}"
                link.execute(
                    "update llm_project_config set execution_error = %s, "
                    "updated_at = clock_timestamp() where project_id = %s",
                    (self.errors[project], project),
                )
                if turn % 5 == 0:
                    moment += pd.Timedelta(seconds=1)
                    self.started[project] = moment
                    link.execute(
                        "update llm_project_config set execution_started_at = %s "
                        "where project_id = %s",
                        (moment.tz_localize(None).to_pydatetime(), project),
                    )
                self.inserted.append(f"new-{turn}")
                link.execute(
                    "insert into llm_project_config (project_id) values (%s)",
                    (self.inserted[-1],),
                )
                self.first.set()
                if self.stop.is_set():
                    return


def test_what_an_application_writes_meanwhile_stays(make, case_study):
    database = make(case_study / "progress" / "progress.sqlite")
    plan = plan_backfill(database.audit(), batch=2, within_pp=100)
    set_ = plan.preview[plan.preview["action"] == "set"].set_index("project_id")
    # It starts some of the very projects that the plan sets.
    writer = Writer(database.raw, set_.index.tolist()[:7])
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
    assert len(writer.started) > 2
    with database.connect() as link:
        link.execute("set timezone = 'UTC'")
        found = {
            row[0]: row[1:]
            for row in link.execute(
                "select project_id, execution_started_at, execution_error, updated_at "
                "from llm_project_config"
            )
        }
    for project in writer.inserted:
        assert found[project][0] is None
    for project, error in writer.errors.items():
        assert found[project][1] == error
    for project, moment in writer.started.items():
        assert found[project][0] == moment.tz_localize(None)
    for project in set_.index.difference(list(writer.started)):
        planned = set_.loc[project, "started_at"].tz_localize(None)
        assert found[project][0] == planned
    assert len(set_.index.difference(list(writer.started))) > 3


def test_triggers_do_not_touch_updated_at(make, sample):
    database = make(sample / "progress.sqlite")
    database.run(TOUCH)
    before = database.rows()
    plan = plan_backfill(database.audit(), within_pp=100)
    database.run(plan.sql)
    with database.connect() as link:
        role = link.execute("show session_replication_role").fetchone()
    assert role == ("origin",)
    assert database.rows() != before
    database.run(plan.undo_sql)
    assert database.rows() == before


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            TOUCH + "alter table llm_project_config enable always trigger touch",
            psycopg.errors.RaiseException,
            "a trigger that always fires",
        ),
        (
            "alter table llm_project_config alter execution_started_at "
            "type timestamp(0)",
            psycopg.errors.RaiseException,
            "too few digits of a second",
        ),
        (
            TOUCH + "create role clerk; grant all on all tables in schema public to "
            "clerk; set role clerk",
            psycopg.errors.InsufficientPrivilege,
            "session_replication_role",
        ),
    ],
)
def test_it_stops_before_it_changes_more(make, sample, change, error, text):
    database = make(sample / "progress.sqlite")
    plan = plan_backfill(database.audit(), within_pp=100)
    with database.connect() as link:
        link.execute(change)
        before = database.rows()
        with pytest.raises(error, match=text):
            link.execute(plan.sql)
        link.execute("rollback; reset role")
        assert database.rows() == before
        if "clerk" in change:
            link.execute("drop owned by clerk; drop role clerk")


def test_whole_seconds_fit_a_column_that_keeps_no_others(make):
    database = make(start="timestamp(0)")
    database.run(
        "insert into llm_project_config (project_id, execution_status) "
        "values ('a', 'completed'); insert into agent_tasks (task_id, project_id, "
        "status, created_at) values ('1', 'a', 'completed', '2025-11-24 10:00:00Z')"
    )
    before = database.rows()
    plan = plan_backfill(database.audit())
    database.run(plan.sql)
    same_bits(percentages(database.audit()), previewed(plan))
    database.run(plan.undo_sql)
    assert database.rows() == before


def test_a_row_that_is_locked_is_not_waited_for(make, sample):
    database = make(sample / "progress.sqlite")
    plan = plan_backfill(database.audit(), within_pp=100)
    busy = plan.preview.loc[plan.preview["action"] == "set", "project_id"].iloc[0]
    before = database.rows()
    with database.connect() as other, other.transaction(force_rollback=True):
        other.execute(
            "select from llm_project_config where project_id = %s for update", (busy,)
        )
        with pytest.raises(psycopg.errors.LockNotAvailable):
            database.run(plan.sql)
        assert database.rows() == before
    database.run(plan.sql)
    database.run(plan.check_sql)


def test_other_names_and_types(make, sample):
    database = make(sample / "progress.sqlite")
    database.run(
        """
        create schema "The Shop";
        create type "The Shop".stage as enum ('queued', 'busy', 'done', 'held');
        create table "The Shop"."jo""bs" as select
          row_number() over () as "key $diagkit$",
          (case execution_status when 'pending' then 'queued' when 'running' then 'busy'
           when 'completed' then 'done' else 'held' end)::"The Shop".stage as "Status",
          execution_started_at as "run begin", updated_at, project_id as old
        from llm_project_config;
        create table "The Shop".steps as select j."key $diagkit$" as job,
          t.status as state, t.created_at as made, t.task_name, t.agent_type
        from agent_tasks t join "The Shop"."jo""bs" j on j.old = t.project_id
        """
    )
    schema = dk.ProgressSchema(
        'The Shop.jo"bs',
        "The Shop.steps",
        project_columns={
            "project_id": "key $diagkit$",
            "execution_status": "Status",
            "execution_started_at": "run begin",
        },
        task_columns={"project_id": "job", "status": "state", "created_at": "made"},
        statuses={"queued": "pending", "busy": "running", "done": "completed"},
    )
    read = lambda: dk.audit_started_at(dk.read_progress(database.url, schema))  # noqa: E731 - short
    plan = plan_backfill(read(), within_pp=100)
    shown = lambda: psycopg_rows(database, 'select j::text from "The Shop"."jo""bs" j')  # noqa: E731 - short
    before = shown()
    with pytest.raises(psycopg.errors.RaiseException, match="illegal NULL start"):
        database.run(plan.check_sql)
    database.run(plan.sql)
    database.run(plan.check_sql)
    after = shown()
    assert after != before
    same_bits(percentages(read()), previewed(plan))
    database.run(plan.sql)
    assert shown() == after
    database.run(plan.undo_sql)
    assert sorted(shown()) == sorted(before)


def psycopg_rows(database, query):
    with database.connect() as link:
        return link.execute(query).fetchall()


@pytest.mark.parametrize(
    ("rule", "illegal"),
    [
        (["pending"], ["pending-with", "running", "with"]),
        ({}, ["ghost", "pending", "pending-with", "running", "with"]),
        ({None: "without_tasks"}, ["pending", "pending-with", "running", "with"]),
        ({"pending": "always", "running": "without_tasks"}, ["ghost", "with"]),
        ({"pending": "always", None: "always", "running": "always"}, []),
    ],
)
def test_the_check_knows_the_rule(make, rule, illegal):
    database = make()
    database.run(
        "insert into llm_project_config (project_id, execution_status) values "
        "('pending', 'pending'), ('pending-with', 'pending'), ('running', 'running'), "
        "('ghost', null), ('with', null), (null, 'running'); "
        "insert into agent_tasks (task_id, project_id, created_at) values "
        "('1', 'with', now()), ('2', 'pending-with', now())"
    )
    audit = database.audit(never_started=rule)
    table = audit.projects
    assert sorted(table.loc[~table["legal"].astype(bool), "project_id"]) == illegal
    plan = plan_backfill(audit)
    if illegal:
        listed = f"{len(illegal)} illegal NULL start.s. remain, first: "
        with pytest.raises(
            psycopg.errors.RaiseException, match=listed + ", ".join(illegal)
        ):
            database.run(plan.check_sql)
    else:
        database.run(plan.check_sql)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
HOSTILE = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "it's",
            "a\\",
            "\\'); drop table agent_tasks; --",
            "*/ /* -- '",
            "a\n-- b",
            "a\r; select 1",
            "$diagkit$",
            "${x} %s %(a)s {id} :name",
            "\u2028café\U0001f600",
            " ",
            "A",
            "a",
            "a ",
        ]
    ),
)


@pytest.fixture(scope="module")
def hostile(postgres_url):
    name = "backfill_hostile"
    server = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(server, autocommit=True) as link:
        link.execute(f"create database {name}")
    database = Database(postgres_url, name)
    database.run(PROJECTS_TABLE.replace("varchar(100)", "text").format(start="date"))
    database.run("alter table llm_project_config drop execution_started_at")
    database.run("alter table llm_project_config add execution_started_at timestamp")
    return database


@pytest.mark.slow
@settings(max_examples=40)
@given(
    ids=st.lists(HOSTILE.filter(bool), unique=True, max_size=8),
    backslashes=st.sampled_from(["on", "off"]),
    batch=st.integers(1, 5),
)
def test_hostile_ids_and_evidence(hostile, ids, backslashes, batch):
    plan = plan_backfill(hostile_audit(ids), batch=batch)
    with hostile.connect() as link:
        # Before, it warns of every backslash.
        link.execute("set client_min_messages = error")
        link.execute(f"set standard_conforming_strings = {backslashes}")
        link.execute("delete from llm_project_config")
        for project in [*ids, "bystander"]:
            link.execute(
                "insert into llm_project_config (project_id) values (%s)", (project,)
            )
        link.execute(plan.sql)
        query = "select project_id, execution_started_at from llm_project_config"
        found = dict(link.execute(query).fetchall())
        table = plan.preview.set_index("project_id")["started_at"]
        wanted = {p: t.tz_localize(None) for p, t in table.items()}
        assert found == wanted | {"bystander": None}
        link.execute(plan.undo_sql)
        assert set(link.execute(query).fetchall()) == {
            (project, None) for project in [*ids, "bystander"]
        }


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
    assert np.all(audit.projects["legal"].to_numpy() == False)  # noqa: E712 - not NA
    return audit
