"""Tasks counted by real servers, against tasks counted one by one."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import math
import random
import sqlite3
from collections import defaultdict

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings, strategies as st

import diagkit as dk
from diagkit.frames.counting import LOGICAL, SEEN, TALLY, Question

# The server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")

BASE = dt.datetime(2025, 11, 24, 10, tzinfo=dt.UTC)
# Collations take some of these for the same; here they are not.
IDS = ["a", "A", "a ", "ä", "it's; drop", "b"]
NAMES = ["x", "X", "x ", None]
TIMES = {
    "llm_project_config": ("execution_started_at",),
    "agent_tasks": ("created_at", "started_at", "completed_at", "failed_at"),
}
COLUMNS = {
    "llm_project_config": ("project_id", "execution_status", "execution_started_at"),
    "agent_tasks": (
        *("task_id", "project_id", "agent_type", "task_name", "status"),
        *TIMES["agent_tasks"],
    ),
}
QUESTION = Question(
    (("completed", "failed"), ("completed",)), 900.0, 60.0, everything=True
)
# A start without a zone beside times with one is what the case study has.
TYPES = {
    "postgresql": ("text", {"execution_started_at": "timestamp"}, "timestamptz"),
    "mysql": ("varchar(100)", {"started_at": "timestamp(6) null"}, "datetime(6)"),
    "sqlite": ("text collate nocase", {}, "datetime"),
}


def tries(examples):
    # Each try asks a server: to shrink a failing one takes minutes.
    return settings(max_examples=examples, phases=[Phase.explicit, Phase.generate])


@contextlib.contextmanager
def opened(url):
    engine = sa.create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mysql"])
def database(request, tmp_path_factory):
    """Empty tables of the case study's names, and how to fill them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('counting') / 'x.sqlite'}"
    else:
        name = {"postgresql": "postgres_url", "mysql": "mariadb_url"}[request.param]
        server = sa.make_url(request.getfixturevalue(name))
        with opened(server) as engine, engine.connect() as link:
            link.execution_options(isolation_level="AUTOCOMMIT")
            link.exec_driver_sql("create database counting_here")
        url = server.set(database="counting_here").render_as_string(hide_password=False)
    text, special, time = TYPES[request.param]
    with opened(url) as engine:
        with engine.begin() as link:
            for table, columns in COLUMNS.items():
                kinds = (
                    f"{c} {special.get(c, time) if c in TIMES[table] else text}"
                    for c in columns
                )
                link.exec_driver_sql(f"create table {table} ({', '.join(kinds)})")
        yield url, engine


def written(engine, table, row):
    """A row as this server takes it: without a zone but where it has one."""
    values = dict(zip(COLUMNS[table], row, strict=True))
    for name in TIMES[table]:
        moment = values[name]
        if moment is not None and engine.dialect.name == "sqlite":
            text = f"{moment:%Y-%m-%d %H:%M:%S.%f}"
            # Both are what SQLite's users write; one without a fraction is as well.
            values[name] = text.removesuffix(".000000").replace(
                " ", "T" if moment.second % 2 else " "
            )
        elif moment is not None and engine.dialect.name == "mysql":
            values[name] = moment.replace(tzinfo=None)
    return values


def fill(engine, projects, tasks):
    with engine.begin() as link:
        for table, rows in (("llm_project_config", projects), ("agent_tasks", tasks)):
            link.exec_driver_sql(f"delete from {table}")
            if rows:
                names = ", ".join(f":{c}" for c in COLUMNS[table])
                link.execute(
                    sa.text(f"insert into {table} values ({names})"),
                    [written(engine, table, row) for row in rows],
                )


def moments(least=-300, most=300):
    """Times with and without parts of a second, often alike."""
    minute = st.integers(least, most)
    runs = st.tuples(st.sampled_from([-200, 0, 90]), st.integers(0, 12)).map(sum)
    micro = st.integers(-2, 2).map(lambda u: BASE + dt.timedelta(microseconds=u))
    return (minute | runs).map(lambda m: BASE + dt.timedelta(minutes=m)) | micro


projects = st.lists(
    st.tuples(
        st.sampled_from(IDS), st.sampled_from(["running", None]), st.none() | moments()
    ),
    unique_by=lambda row: row[0],
    max_size=5,
)
task = st.tuples(
    st.none() | st.sampled_from(["1", "2"]),
    st.none() | st.sampled_from([*IDS, "gone"]),
    st.sampled_from(["web", "Web", None]),
    st.sampled_from(NAMES),
    st.none()
    | st.sampled_from(["completed", "failed", "done", "Completed", "pending"]),
    st.none() | moments(),
    *[st.none() | moments()] * 3,
)
SCHEMA = dk.ProgressSchema(statuses={"done": "completed"})


def tally_by_hand(progress):
    starts = progress.projects.set_index("project_id")["execution_started_at"]
    found = defaultdict(list)
    for row in progress.tasks.itertuples():
        start = starts.get(row.project_id, pd.NaT)
        known = not (pd.isna(start) or pd.isna(row.created_at))
        in_run = bool(row.created_at >= start) if known else None
        key = (*(plain(v) for v in (row.project_id, row.status)), in_run)
        found[*key, not pd.isna(row.task_name)].append(row)
    out = {}
    for key, rows in found.items():
        made = [r.created_at for r in rows if not pd.isna(r.created_at)]
        latest = []
        for name in TIMES["agent_tasks"]:
            times = [getattr(r, name) for r in rows if not pd.isna(getattr(r, name))]
            latest.append(max(times, default=None))
        wrong = sum(
            bool(r.completed_at < r.started_at or r.failed_at < r.started_at)
            for r in rows
        )
        undated = len(rows) - len(made)
        out[key] = (len(rows), undated, wrong, min(made, default=None), *latest)
    return out


def plain(value):
    return None if pd.isna(value) else value


def tally_as_dict(tally):
    """Two statuses that mean one are counted apart."""
    out = {}
    for row in tally.itertuples(index=False):
        key, values = (tuple(plain(v) for v in part) for part in (row[:4], row[4:]))
        if key in out:
            folds = (sum, sum, sum, min, max, max, max, max)
            pairs = zip(folds, out[key], values, strict=True)
            values = tuple(fold_known(fold, pair) for fold, *pair in pairs)
        out[key] = values
    return out


def fold_known(fold, values):
    known = [value for value in values if value is not None]
    return fold(known) if known else None


def logical_by_hand(progress, *, run):
    starts = progress.projects.set_index("project_id")["execution_started_at"]
    groups = defaultdict(list)
    for row in progress.tasks.itertuples():
        if row.project_id not in starts or pd.isna(row.task_name):
            continue
        if run and not row.created_at >= starts[row.project_id]:
            continue
        groups[row.project_id, plain(row.agent_type), row.task_name].append(row)
    out = defaultdict(lambda: [0, 0, 0, 0, 0])
    for (project, *_), rows in groups.items():
        counts = out[project]
        counts[0] += 1
        made = [r for r in rows if not pd.isna(r.created_at)]
        sound = [r.created_at for r in made if r.status != "failed"]
        if made:
            last = max(r.created_at for r in made)
            counts[2] |= 1 << (math.floor(last.timestamp() / 900) % 64)
            if sound and last - min(sound) >= pd.Timedelta("60s"):
                counts[1] += len(rows) - 1
        statuses = {r.status for r in rows}
        counts[3] += bool(statuses & {"completed", "failed"})
        counts[4] += "completed" in statuses
    return {project: tuple(counts) for project, counts in out.items()}


def logical_as_dict(frame):
    return {row[0]: row[1:] for row in frame.itertuples(index=False, name=None)}


@pytest.mark.slow
@tries(12)
@given(projects=projects, tasks=st.lists(task, max_size=14))
def test_it_counts_as_one_by_one(database, projects, tasks):
    url, engine = database
    fill(engine, projects, tasks)
    progress = dk.read_progress(url, SCHEMA)
    counter = progress.counter
    counted = counter.count(QUESTION)
    by_hand = dk.read_progress(url, SCHEMA)
    assert tally_as_dict(counted.tally) == tally_by_hand(by_hand)
    assert logical_as_dict(counted.run) == logical_by_hand(by_hand, run=True)
    assert logical_as_dict(counted.everything) == logical_by_hand(by_hand, run=False)
    assert progress.notes == by_hand.notes
    recorded = by_hand.projects.set_index("project_id")["execution_started_at"]
    assert counted.starts.sort_index().equals(recorded.sort_index())
    TALLY.check(counted.tally)
    LOGICAL.check(counted.run)


@tries(12)
@given(
    tasks=st.lists(task, max_size=14),
    wanted=st.lists(st.sampled_from(IDS), unique=True),
)
def test_only_some_tasks_are_seen(database, tasks, wanted):
    url, engine = database
    fill(engine, [], tasks)
    progress = dk.read_progress(url, SCHEMA)
    counter = progress.counter
    seen = counter.read_seen(wanted)
    SEEN.check(seen)
    whole = progress.tasks[progress.tasks["project_id"].isin(wanted)]
    ended = whole[["completed_at", "failed_at"]].max(axis=1)
    names = ["project_id", "status", "created_at", "started_at"]
    right = whole[names].assign(ended_at=ended, named=whole["task_name"].notna())
    left = seen[[*names, "ended_at", "named"]]
    key = lambda row: tuple(map(str, row))  # noqa: E731 - short
    rows = [
        sorted(f.itertuples(index=False, name=None), key=key) for f in (left, right)
    ]
    assert list(map(key, rows[0])) == list(map(key, rows[1]))
    twins = whole.groupby(["project_id", "agent_type", "task_name"], dropna=False)
    named = seen[seen["named"]].groupby(["project_id", "task"], observed=True)
    sizes = twins.size()
    sizes = sizes[sizes.index.get_level_values(2).notna()]
    assert sorted(named.size()) == sorted(sizes)
    undated = progress.tasks["created_at"].isna()
    ids = progress.tasks.loc[undated, "task_id"]
    assert sorted(counter.read_undated()) == sorted(map(str, ids))


def same_audit(url, schema=None, **options):
    """Audit by counts and by tasks; the two agree to the last bit."""
    progress = dk.read_progress(url, schema)
    counted = dk.audit_started_at(progress, **options)
    assert "tasks" not in vars(progress)
    again = dk.read_progress(url, schema)
    frames = dk.Progress(again.projects, again.tasks, again.source)
    seen = dk.audit_started_at(frames, **options)
    for name in ("projects", "portfolio", "findings", "candidates"):
        left, right = getattr(counted, name), getattr(seen, name)
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    assert counted.now == seen.now
    return counted


RULES = (
    *dk.POLICIES,
    dk.ProgressPolicy("mine", population="all", unit="logical", numerator=("failed",)),
    dk.ProgressPolicy("rows", null="inferred", rounding="half_up"),
)


@pytest.mark.slow
@tries(15)
@given(projects=projects, tasks=st.lists(task, max_size=16))
def test_an_audit_by_counts_is_the_audit_by_tasks(database, projects, tasks):
    url, engine = database
    fill(engine, projects, tasks)
    same_audit(url, SCHEMA, policies=RULES)
    same_audit(url, SCHEMA, gap="90min", now="2025-11-24 11:00", policies=())


# Of each kind some texts are one to the server, and are not one here.
FOLDING = ["citext", "char(9)", "varchar(9)", "text"]


@pytest.fixture(scope="module", params=FOLDING)
def folding(request, postgres_url):
    """PostgreSQL's tables, with texts that are compared in another way."""
    server = sa.make_url(postgres_url)
    name = f"folding_{FOLDING.index(request.param)}"
    with opened(server) as engine, engine.connect() as link:
        link.execution_options(isolation_level="AUTOCOMMIT")
        link.exec_driver_sql(f"create database {name}")
    url = server.set(database=name).render_as_string(hide_password=False)
    with opened(url) as engine:
        with engine.begin() as link:
            link.exec_driver_sql("create extension citext")
            for table, columns in COLUMNS.items():
                kinds = (
                    f"{c} {'timestamptz' if c in TIMES[table] else request.param}"
                    for c in columns
                )
                link.exec_driver_sql(f"create table {table} ({', '.join(kinds)})")
        yield url, engine


def many_tasks(rng, projects, tasks):
    """Projects beyond one packed value, with twins, orphans and holes."""
    rows = [
        (f"p{p}", "running", rng.choice([None, BASE, BASE - dt.timedelta(hours=1)]))
        for p in range(projects)
    ]
    after = [None, *(BASE + dt.timedelta(seconds=s) for s in range(-7200, 7200, 37))]
    done = ["completed", "failed", "done", "Completed", None]
    return rows, [
        (
            str(i),
            rng.choice([f"p{rng.randrange(projects)}", f"P{rng.randrange(9)}", None]),
            rng.choice(["web", "Web", "", None]),
            rng.choice(["x", "X", "", "x\ty", None]),
            rng.choice(done),
            *(rng.choice(after) for _ in range(4)),
        )
        for i in range(tasks)
    ]


@pytest.mark.parametrize("way", ["packed", "there"])
def test_many_projects_and_columns_that_fold(folding, monkeypatch, way):
    url, engine = folding
    fill(engine, *many_tasks(random.Random(7), 300, 4000))
    if way == "there":
        monkeypatch.setattr("diagkit.sources.logical.MOST_TASKS", 0)
    progress = dk.read_progress(url, SCHEMA)
    counted = progress.counter.count(QUESTION)
    by_hand = dk.read_progress(url, SCHEMA)
    assert tally_as_dict(counted.tally) == tally_by_hand(by_hand)
    right = logical_by_hand(by_hand, run=True)
    assert len(right) > 128
    assert logical_as_dict(counted.run) == right
    assert logical_as_dict(counted.everything) == logical_by_hand(by_hand, run=False)
    alone = progress.counter.count(dataclasses.replace(QUESTION, everything=False))
    assert logical_as_dict(alone.run) == right
    assert alone.everything.empty
    same_audit(url, SCHEMA, policies=RULES)


def test_slots_before_1970_and_large_numbers(database):
    url, engine = database
    moment = dt.datetime(1969, 12, 31, 23, 50, tzinfo=dt.UTC)
    fill(
        engine,
        [("a", None, moment)],
        [("1", "a", "web", "x", "failed", moment, None, None, None)],
    )
    counted = dk.read_progress(url).counter.count(QUESTION)
    assert counted.run["slots"].tolist() == [2**63]


def test_sqlite_that_writes_times_otherwise_is_read(tmp_path):
    for text in (
        "2025-11-24 10:00:00+01:00",
        "2025-11-24 10:00",
        "2025-11-24 10:00:00.5",
    ):
        path = tmp_path / "x.sqlite"
        path.unlink(missing_ok=True)
        link = sqlite3.connect(path)
        link.execute(
            "create table llm_project_config "
            "(project_id text, execution_started_at text)"
        )
        link.execute(
            "create table agent_tasks (project_id text, status text, created_at text)"
        )
        link.execute("insert into agent_tasks values ('a', 'completed', ?)", (text,))
        link.commit()
        link.close()
        progress = dk.read_progress(path)
        assert progress.counter.count(QUESTION) is None
        assert progress.notes == ("tasks of no project that is there: 1",)
