"""A real SQLite takes the backfill, repeats it and undoes it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.backfill import plan_backfill
from diagkit.frames.progress import PROJECTS, TASKS

TABLES = """
create table llm_project_config (project_id text, execution_status text,
  created_at datetime, updated_at datetime, execution_started_at datetime);
create table agent_tasks (task_id text, project_id text, agent_type text,
  task_name text, status text, created_at datetime, started_at datetime);
"""


@pytest.fixture(params=["case_study", "sample"])
def file(request, tmp_path):
    folder = request.getfixturevalue(request.param)
    part = "progress/progress.sqlite" if request.param == "case_study" else ""
    return copy(folder / (part or "progress.sqlite"), tmp_path)


@pytest.fixture
def sample_file(sample, tmp_path):
    return copy(sample / "progress.sqlite", tmp_path)


def copy(file, folder):
    target = folder / "copy.sqlite"
    shutil.copy(file, target)
    target.chmod(0o600)
    return target


def run(file, sql):
    with closing(sqlite3.connect(file, timeout=30)) as link:
        link.executescript(sql)


def rows(file, tables=("llm_project_config", "agent_tasks")):
    """Every row, each value with its type, byte by byte."""
    with closing(sqlite3.connect(file)) as link:
        out = {}
        for table in tables:
            names = [c[1] for c in link.execute(f'pragma table_info("{table}")')]
            shown = ", ".join(f'typeof("{n}"), hex("{n}"), "{n}"' for n in names)
            query = f'select rowid, {shown} from "{table}"'
            out[table] = link.execute(query).fetchall()
        out["schema"] = link.execute("select * from sqlite_master").fetchall()
        return out


def audit(file, **options):
    return dk.audit_started_at(dk.read_progress(file), **options)


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


@pytest.mark.parametrize("batch", [4, 500])
def test_it_is_taken_repeated_checked_and_undone(file, batch):
    before = rows(file)
    plan = plan_backfill(audit(file), "sqlite", batch=batch, within_pp=100)
    assert rows(file) == before
    with pytest.raises(sqlite3.IntegrityError, match="illegal NULL starts remain"):
        run(file, plan.check_sql)
    run(file, plan.sql)
    once = rows(file)
    changed = sum(
        a != b
        for a, b in zip(
            before["llm_project_config"], once["llm_project_config"], strict=True
        )
    )
    assert changed == (plan.preview["action"] == "set").sum() > 10
    assert once["agent_tasks"] == before["agent_tasks"]
    run(file, plan.sql)
    assert rows(file) == once
    run(file, plan.check_sql)
    after = audit(file)
    same_as_previewed(after, plan)
    set_ = plan.preview[plan.preview["action"] == "set"].set_index("project_id")
    found = after.projects.set_index("project_id")["started_at"]
    pd.testing.assert_series_equal(
        found[set_.index], set_["started_at"], check_names=False
    )
    run(file, plan.undo_sql)
    assert rows(file) == before
    run(file, plan.undo_sql)
    assert rows(file) == before


def test_what_the_data_cannot_decide_stays_null(file):
    plan = plan_backfill(audit(file), "sqlite")
    left = plan.preview.loc[plan.preview["action"] == "undecided", "project_id"]
    assert len(left) > 1
    run(file, plan.sql)
    same_as_previewed(audit(file), plan)
    with pytest.raises(sqlite3.IntegrityError, match="illegal NULL starts remain"):
        run(file, plan.check_sql)
    with closing(sqlite3.connect(file)) as link:
        places = ", ".join("?" * len(left))
        link.execute(
            "update llm_project_config set execution_started_at = '2025-11-24' "
            f"where project_id in ({places})",
            list(left),
        )
        link.commit()
    run(file, plan.check_sql)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 shell")
def test_the_shell_runs_the_scripts(file, tmp_path):
    before = rows(file)
    plan = plan_backfill(audit(file), "sqlite", batch=3, within_pp=100)

    def shell(sql):
        return subprocess.run(
            ["sqlite3", "-bail", file],
            input=sql,
            capture_output=True,
            text=True,
            encoding="ascii",
        )

    failed = shell(plan.check_sql)
    assert failed.returncode == 1
    assert "illegal NULL starts remain" in failed.stderr
    for sql in (plan.sql, plan.check_sql):
        done = shell(sql)
        assert (done.returncode, done.stderr) == (0, "")
    assert rows(file) != before
    assert shell(plan.undo_sql).returncode == 0
    assert rows(file) == before


class Writer(threading.Thread):
    """The application: it goes on while the scripts run, and keeps a ledger."""

    def __init__(self, file, projects):
        super().__init__(daemon=True)
        self.file, self.projects = file, projects
        self.stop, self.wrote = threading.Event(), threading.Event()
        self.started, self.names, self.inserted = {}, {}, []

    def run(self):
        moment = pd.Timestamp("2026-01-01")
        with closing(sqlite3.connect(self.file, timeout=30)) as link:
            for turn in range(100_000):
                project = self.projects[turn % len(self.projects)]
                self.names[project] = f"turn {turn}"
                link.execute(
                    "update llm_project_config set client_name = ?, "
                    "updated_at = '2026-02-02' where project_id = ?",
                    (self.names[project], project),
                )
                if turn % 5 == 0:
                    moment += pd.Timedelta(seconds=1)
                    self.started[project] = str(moment)
                    link.execute(
                        "update llm_project_config set execution_started_at = ? "
                        "where project_id = ?",
                        (str(moment), project),
                    )
                self.inserted.append(f"new-{turn}")
                link.execute(
                    "insert into llm_project_config (project_id, client_name) "
                    "values (?, '')",
                    (self.inserted[-1],),
                )
                link.commit()
                self.wrote.set()
                # One file has one writer: in a tight loop nobody else has a turn.
                if self.stop.wait(0.005):
                    return


def test_what_an_application_writes_meanwhile_stays(file):
    plan = plan_backfill(audit(file), "sqlite", batch=2, within_pp=100)
    set_ = plan.preview[plan.preview["action"] == "set"].set_index("project_id")
    with closing(sqlite3.connect(file)) as link:
        link.execute("pragma journal_mode = wal")
    # It starts some of the very projects that the plan sets.
    writer = Writer(file, set_.index.tolist()[:7])
    writer.start()
    assert writer.wrote.wait(30)
    for _ in range(6):
        run(file, plan.sql)
        # A writer that waits for the file looks only now and then: give it its turn.
        for _ in range(2):
            writer.wrote.clear()
            assert writer.wrote.wait(30)
        run(file, plan.undo_sql)
    run(file, plan.sql)
    writer.stop.set()
    writer.join(30)
    with closing(sqlite3.connect(file)) as link:
        query = (
            "select project_id, execution_started_at, client_name, updated_at "
            "from llm_project_config"
        )
        found = {row[0]: row[1:] for row in link.execute(query)}
    assert len(writer.started) > 2
    assert all(found[project][0] is None for project in writer.inserted)
    for project, name in writer.names.items():
        assert found[project][1:] == (name, "2026-02-02")
    for project, moment in writer.started.items():
        assert found[project][0] == moment
    rest = set_.index.difference(list(writer.started))
    assert len(rest) > 3
    for project in rest:
        planned = set_.loc[project, "started_at"].tz_localize(None)
        assert found[project][0] == planned.isoformat(sep=" ")


def test_a_trigger_that_changes_more_undoes_the_batch(sample_file):
    plan = plan_backfill(audit(sample_file), "sqlite", batch=5, within_pp=100)
    run(
        sample_file,
        "create trigger touch after update on llm_project_config begin "
        "update llm_project_config set updated_at = '2026-01-01' "
        "where rowid = new.rowid; end",
    )
    before = rows(sample_file)
    for sql in (plan.sql, plan.sql):
        with pytest.raises(
            sqlite3.IntegrityError, match="a trigger changed other columns"
        ):
            run(sample_file, sql)
        assert rows(sample_file) == before
    if shutil.which("sqlite3"):
        # This shell goes on after an error, unless one asks it not to.
        subprocess.run(
            ["sqlite3", sample_file], input=plan.sql, capture_output=True, text=True
        )
        assert rows(sample_file) == before


def test_a_trigger_that_minds_its_own_columns_may_stay(sample_file):
    run(
        sample_file,
        "create table history (at text); "
        "create trigger tell after update on llm_project_config begin "
        "insert into history values ('now'); end; "
        "create trigger touch after update of client_name on llm_project_config "
        "begin update llm_project_config set updated_at = '2026-01-01'; end",
    )
    before = rows(sample_file)
    plan = plan_backfill(audit(sample_file), "sqlite", within_pp=100)
    run(sample_file, plan.sql)
    run(sample_file, plan.undo_sql)
    assert rows(sample_file) == before
    told = rows(sample_file, ["history"])["history"]
    assert len(told) == 2 * (plan.preview["action"] == "set").sum()


def test_a_locked_file_is_an_error_and_nothing_is_lost(sample_file):
    before = rows(sample_file)
    plan = plan_backfill(audit(sample_file), "sqlite", within_pp=100)
    with closing(sqlite3.connect(sample_file, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            run(sample_file, plan.sql)
        other.execute("rollback")
    assert rows(sample_file) == before
    run(sample_file, plan.sql)
    run(sample_file, plan.check_sql)


def test_other_names_and_types(sample_file):
    run(
        sample_file,
        """
        create table "jo""bs" as select rowid as "id", updated_at as "at",
          case execution_status when 'pending' then 'queued' else 'ran' end as "Stage",
          execution_started_at as "run begin", project_id as old
        from llm_project_config;
        create table steps (job, state, made, task_name, agent_type);
        insert into steps select j.id, t.status, t.created_at, t.task_name, t.agent_type
        from agent_tasks t join "jo""bs" j on j.old = t.project_id;
        """,
    )
    # A key whose column has no type at all: 7 is not '7' there.
    with closing(sqlite3.connect(sample_file)) as link:
        kind = link.execute("select typeof(job) from steps").fetchone()
    assert kind == ("integer",)
    schema = dk.ProgressSchema(
        'main.jo"bs',
        "main.steps",
        project_columns={
            "project_id": "id",
            "execution_status": "Stage",
            "execution_started_at": "run begin",
            "updated_at": "at",
        },
        task_columns={"project_id": "job", "status": "state", "created_at": "made"},
        statuses={"queued": "pending", "ran": "completed"},
    )
    read = lambda: dk.audit_started_at(dk.read_progress(sample_file, schema))  # noqa: E731 - short
    plan = plan_backfill(read(), "sqlite", within_pp=100)

    def shown():
        with closing(sqlite3.connect(sample_file)) as link:
            return link.execute('select * from "jo""bs"').fetchall()

    before = shown()
    with pytest.raises(sqlite3.IntegrityError, match="illegal NULL starts remain"):
        run(sample_file, plan.check_sql)
    run(sample_file, plan.sql)
    run(sample_file, plan.check_sql)
    same_as_previewed(read(), plan)
    after = shown()
    assert after != before
    run(sample_file, plan.sql)
    assert shown() == after
    run(sample_file, plan.undo_sql)
    assert shown() == before


STATUSES = ["pending", "running", "completed", "failed", "paused", None, "odd"]
TASK_STATUSES = ["pending", "started", "completed", "failed", "cancelled", None]
SECONDS = st.integers(0, 20_000)
WHEN = st.one_of(st.none(), SECONDS, SECONDS.map(lambda s: s + 0.123457))
PROJECT = st.tuples(st.sampled_from(STATUSES), WHEN, WHEN, WHEN)
TASK = st.tuples(
    st.integers(0, 5), st.sampled_from(TASK_STATUSES), st.sampled_from("abc"), WHEN
)


def moment(seconds):
    if seconds is None:
        return None
    time = pd.Timestamp("2025-11-24") + pd.Timedelta(seconds=seconds)
    return time.isoformat(sep=" ")


@pytest.mark.slow
@settings(max_examples=40)
@given(
    projects=st.lists(PROJECT, max_size=6),
    tasks=st.lists(TASK, max_size=40),
    batch=st.integers(1, 4),
    within_pp=st.sampled_from([0.0, 5.0, 50.0, 100.0]),
    rule=st.sampled_from(
        [("pending",), {}, {"paused": "always", None: "without_tasks"}]
    ),
)
def test_generated_histories(tmp_path_factory, projects, tasks, batch, within_pp, rule):
    file = tmp_path_factory.getbasetemp() / "generated.sqlite"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as link:
        link.executescript(TABLES)
        link.executemany(
            "insert into llm_project_config values (?, ?, ?, ?, ?)",
            [
                (f"p{i}", status, moment(made), moment(changed), moment(started))
                for i, (status, made, changed, started) in enumerate(projects)
            ],
        )
        link.executemany(
            "insert into agent_tasks values (?, ?, 'agent', ?, ?, ?, null)",
            [
                (f"t{i}", f"p{owner}", name, status, moment(made))
                for i, (owner, status, name, made) in enumerate(tasks)
            ],
        )
        link.commit()
    before = rows(file)
    first = audit(file, never_started=rule)
    plan = plan_backfill(first, "sqlite", batch=batch, within_pp=within_pp)
    run(file, plan.sql)
    once = rows(file)
    run(file, plan.sql)
    assert rows(file) == once
    after = audit(file, never_started=rule)
    same_as_previewed(after, plan)
    actions = plan.preview["action"]
    started = after.projects["started_at"]
    assert (started.isna() == actions.isin(["undecided", "legal"])).all()
    kept = actions == "recorded"
    assert started[kept].equals(first.projects["started_at"][kept])
    assert started[actions == "set"].equals(
        first.projects["inferred_start"][actions == "set"]
    )
    apart = first.projects["percent_high"] - first.projects["percent_low"]
    assert (apart[actions == "set"] <= within_pp).all()
    if (actions == "undecided").any():
        with pytest.raises(sqlite3.IntegrityError, match="illegal NULL starts remain"):
            run(file, plan.check_sql)
    else:
        run(file, plan.check_sql)
    run(file, plan.undo_sql)
    assert rows(file) == before


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HOSTILE = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "it's",
            "a\\",
            "'); drop table agent_tasks; --",
            "*/ /* -- '",
            "a\n-- b",
            "a\r; select 1",
            "a\0b",
            "7",
            "7.0",
            "\u2028café\U0001f600",
            "A",
            "a",
            "a ",
        ]
    ),
)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    ids=st.lists(HOSTILE.filter(bool), unique=True, max_size=8),
    encoding=st.sampled_from(["UTF-8", "UTF-16le"]),
    kind=st.sampled_from(["text", "text collate nocase", ""]),
    batch=st.integers(1, 5),
)
def test_hostile_ids_and_evidence(ids, encoding, kind, batch):
    plan = plan_backfill(hostile_audit(ids), "sqlite", batch=batch)
    everybody = [*ids, "bystander"]
    query = "select project_id, execution_started_at from llm_project_config"
    with closing(sqlite3.connect(":memory:")) as link:
        link.execute(f"pragma encoding = '{encoding}'")
        link.execute(
            f"create table llm_project_config (project_id {kind}, "
            "execution_started_at datetime)"
        )
        link.executemany(
            "insert into llm_project_config (project_id) values (?)",
            [(project,) for project in everybody],
        )
        link.commit()
        link.executescript(plan.sql)
        table = plan.preview.set_index("project_id")["started_at"]
        wanted = {p: t.tz_localize(None).isoformat(sep=" ") for p, t in table.items()}
        assert dict(link.execute(query)) == wanted | {"bystander": None}
        link.executescript(plan.undo_sql)
        assert set(link.execute(query)) == {(p, None) for p in everybody}


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
    result = dk.audit_started_at(progress)
    result.projects["evidence"] = [f"{project} */ \n; --" for project in ids]
    return result
