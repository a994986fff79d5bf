"""A migration that stopped anywhere, on real servers: found, and mended as is said.

Each database is brought into a state that a migration can leave, is checked, gets the
remedies from top to bottom, and then there is nothing left to find.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from itertools import count

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.migrations import check_migration, list_steps
from diagkit.frames.migrations import (
    MIGRATION_008,
    AddCheck,
    AddColumn,
    AddIndex,
    FillNulls,
    Migration,
    NullRule,
)
from diagkit.frames.schemas import TableKey
from diagkit.sources.schemas import read_schema

# The server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")

TABLE = "llm_project_config"
TYPES = {
    "postgresql": {"zoned": "timestamptz", "time": "timestamp", "bool": "boolean"},
    "mysql": {"zoned": "timestamp(6)", "time": "datetime(6)", "bool": "tinyint(1)"},
    "sqlite": {"zoned": "timestamp", "time": "timestamp", "bool": "boolean"},
}
BASE = """
CREATE TABLE llm_project_config (id integer PRIMARY KEY,
  project_id varchar(100) NOT NULL UNIQUE, client_name varchar(255) NOT NULL,
  is_active {bool} NOT NULL DEFAULT true, activation_code_id integer,
  created_at {zoned} NOT NULL DEFAULT {now}, updated_at {zoned} {null}{touch});
CREATE TABLE agent_tasks (id integer PRIMARY KEY, task_id varchar(100) NOT NULL UNIQUE,
  project_id varchar(100) NOT NULL, status varchar(20) NOT NULL,
  created_at {zoned} NOT NULL);
CREATE INDEX idx_tasks ON agent_tasks (project_id, status)"""
MIGRATION = """
ALTER TABLE llm_project_config ADD COLUMN execution_status varchar(20)
  DEFAULT 'pending';
ALTER TABLE llm_project_config ADD COLUMN execution_started_at {time} NULL;
ALTER TABLE llm_project_config ADD COLUMN execution_completed_at {time} NULL;
ALTER TABLE llm_project_config ADD COLUMN execution_error text NULL;
ALTER TABLE llm_project_config ADD COLUMN output_folder_path varchar(500) NULL;
UPDATE llm_project_config SET execution_status = 'pending'
  WHERE execution_status IS NULL;
ALTER TABLE llm_project_config ADD CONSTRAINT chk_execution_status CHECK
  (execution_status IN ('pending', 'running', 'completed', 'failed', 'paused'));
CREATE INDEX ix_llm_projects_execution_status ON llm_project_config (execution_status);
CREATE INDEX ix_llm_projects_activation_code ON llm_project_config (activation_code_id);
CREATE INDEX ix_llm_projects_execution_started ON llm_project_config
  (execution_started_at)"""
WORDS = {
    "postgresql": {"now": "now()", "null": "", "touch": ""},
    "mysql": {
        "now": "CURRENT_TIMESTAMP(6)",
        "null": "NULL",
        "touch": " ON UPDATE CURRENT_TIMESTAMP(6)",
    },
    "sqlite": {"now": "CURRENT_TIMESTAMP", "null": "", "touch": ""},
}
PROJECTS = [
    (1, "waits", "2025-11-01 08:00:00", None),
    (2, "runs", "2025-11-01 08:00:00", "2025-11-24 12:00:00"),
    (3, "done", "2025-11-02 08:00:00", "2025-11-24 13:00:00"),
    (4, "failed", "2025-11-02 08:00:00", "2025-11-24 14:00:00"),
]
# `runs` ran twice: the second time from 11:00:00.25 on.
TASKS = [
    (1, "t1", "runs", "completed", "2025-11-23 09:00:00"),
    (2, "t2", "runs", "completed", "2025-11-23 09:20:00"),
    (3, "t3", "runs", "completed", "2025-11-24 11:00:00.25"),
    (4, "t4", "runs", "running", "2025-11-24 11:30:00"),
    (5, "t5", "done", "completed", "2025-11-24 10:05:00"),
]
STATES = [
    ("runs", "running", None),
    ("done", "completed", "2025-11-24 10:00:00"),
    ("failed", "failed", None),
]


def split(script):
    """Return the statements of a script that has no semicolon within one."""
    parts = [part.strip().rstrip(";") for part in re.split(r";\s*\n", script + "\n")]
    return [p for p in parts if re.sub(r"/\*.*?\*/", "", p, flags=re.DOTALL).strip()]


class Postgres:
    dialect = "postgresql"
    numbers = count()

    def __init__(self, url):
        self.server = sa.make_url(url)
        self.link = None

    def reset(self):
        name = f"migration_{next(self.numbers)}"
        self._connect("postgres").execute(f"create database {name}")
        self.url = render(self.server.set(database=name))
        self.link = self._connect(name)
        self.link.execute("set timezone = 'UTC'")

    def _connect(self, name):
        if self.link is not None:
            self.link.close()
        url = render(self.server.set(database=name, drivername="postgresql"))
        self.link = psycopg.connect(url, autocommit=True)
        return self.link

    def run(self, script):
        for statement in split(script):
            self.link.execute(statement)

    def many(self, query, rows):
        self.link.cursor().executemany(query, rows)

    def ask(self, query):
        return [tuple(row) for row in self.link.execute(query).fetchall()]

    def close(self):
        self.link.close()


class MariaDB:
    dialect = "mysql"
    numbers = count()

    def __init__(self, url):
        at = sa.make_url(url)
        self.server = at
        self.link = pymysql.connect(
            host=at.host,
            port=at.port,
            user=at.username,
            password=at.password,
            autocommit=True,
            init_command="SET time_zone = '+00:00'",
        )

    def reset(self):
        name = f"migration_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name};\nUSE {name}")
        self.url = render(self.server.set(database=name))

    def run(self, script):
        for statement in split(script):
            self.link.cursor().execute(statement)

    def many(self, query, rows):
        self.link.cursor().executemany(query, rows)

    def ask(self, query):
        cursor = self.link.cursor()
        cursor.execute(query)
        return list(cursor.fetchall())

    def close(self):
        self.link.close()


class SQLite:
    dialect = "sqlite"
    numbers = count()

    def __init__(self, folder):
        self.folder = folder
        self.link = None

    def reset(self):
        if self.link is not None:
            self.link.close()
        path = self.folder / f"{next(self.numbers)}.sqlite"
        self.url = f"sqlite:///{path}"
        self.link = sqlite3.connect(path, isolation_level=None)

    def run(self, script):
        self.link.executescript(script)

    def many(self, query, rows):
        self.link.executemany(query.replace("%s", "?"), rows)

    def ask(self, query):
        return self.link.execute(query).fetchall()

    def close(self):
        self.link.close()


def render(url):
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def postgresql(postgres_url):
    made = Postgres(postgres_url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def mysql(mariadb_url):
    made = MariaDB(mariadb_url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory):
    made = SQLite(tmp_path_factory.mktemp("sqlite"))
    yield made
    made.close()


@pytest.fixture(scope="module", params=["postgresql", "mysql", "sqlite"])
def server(request):
    return request.getfixturevalue(request.param)


def statements(dialect):
    """The migration's statements, as each database takes them."""
    parts = split(MIGRATION.format(**TYPES[dialect]))
    if dialect == "sqlite":
        # It has no ADD CONSTRAINT: there the column comes with it.
        check = parts.pop(6).partition("ADD ")[2].replace("\n", " ")
        parts[0] += f" {check}"
    return parts


def base(server):
    server.reset()
    server.run(BASE.format(**TYPES[server.dialect], **WORDS[server.dialect]))
    server.many(
        "insert into llm_project_config (id, project_id, client_name, created_at, "
        "updated_at) values (%s, %s, 'x', %s, %s)",
        PROJECTS,
    )
    server.many("insert into agent_tasks values (%s, %s, %s, %s, %s)", TASKS)


def use(server):
    """Let the application write, as far as the columns are there."""
    columns = read(server).tables[TABLE]
    for project, state, start in STATES:
        for column, value in (
            ("execution_status", state),
            ("execution_started_at", start),
        ):
            if columns.column(column):
                server.many(
                    f"update {TABLE} set {column} = %s, updated_at = updated_at "
                    "where project_id = %s",
                    [(value, project)],
                )


def read(server, migration=MIGRATION_008):
    return read_schema(server.url, migration)


def check(server, migration=MIGRATION_008):
    return check_migration(read(server, migration), migration)


def mend(server, found):
    for remedy in found["remedy"]:
        server.run(remedy)


def mend_whole(server, migration=MIGRATION_008):
    """Apply what is said from top to bottom, once: then nothing is left."""
    found = check(server, migration)
    mend(server, found)
    again = check(server, migration)
    assert again["summary"].tolist() == []
    return found


def everything(server):
    """What stands in the projects' table, as text."""
    asked = f"select * from {TABLE} order by id"
    return [tuple(str(v) for v in row) for row in server.ask(asked)]


SAID = [step.said for step in MIGRATION_008.steps]


@pytest.mark.parametrize("done", range(11))
def test_a_migration_that_stopped(server, done):
    parts = statements(server.dialect)
    if done > len(parts):
        pytest.skip("this database needs no such statement")
    base(server)
    before = everything(server)
    for statement in parts[:done]:
        server.run(statement)
    use(server)
    schema = read(server)
    steps = list_steps(schema)
    effect = steps["in_effect"].tolist()
    found = check_migration(schema)
    codes = found["code"].tolist()
    if done == 0:
        assert codes[0] == "migration_not_applied"
    elif done < len(parts):
        assert codes[0] == "migration_half_applied"
        last = len(effect) - 1 - effect[::-1].index(True)
        first = effect.index(False)
        if server.dialect != "sqlite":
            # A column that comes with a default leaves no NULL: the UPDATE was not
            # needed, and what it was for is there.
            assert last in (done - 1, 5)
            assert first == (done if done != 5 else 6)
        assert f"the last that did: {SAID[last]}" in found["evidence"][0]
        assert f"the first that did not: {SAID[first]}" in found["evidence"][0]
        assert f"{sum(effect)} of 10 statements took effect" in found["summary"][0]
    else:
        assert not [c for c in codes if c.startswith("migration_")]
    mend_whole(server)
    after = everything(server)
    assert [row[:7] for row in after] == before
    starts = {r[0]: r[1] for r in starts_of(server)}
    if done >= 2:
        assert starts == {
            "waits": None,
            "runs": "2025-11-24 11:00:00.250000",
            "done": "2025-11-24 10:00:00.000000",
            "failed": "2025-11-24 14:00:00.000000",
        }


def starts_of(server):
    shown = {
        "postgresql": "to_char(execution_started_at, 'YYYY-MM-DD HH24:MI:SS.US')",
        "mysql": "cast(execution_started_at as char)",
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', execution_started_at)",
    }[server.dialect]
    return server.ask(f"select project_id, {shown} from {TABLE}")


@pytest.mark.slow
@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_of_its_statements(server, data):
    """Also what no order gives: statements that failed while later ones did not."""
    base(server)
    parts = statements(server.dialect)
    chosen = data.draw(st.lists(st.sampled_from(range(len(parts))), unique=True))
    for i in sorted(chosen):
        try:
            server.run(parts[i])
        except (psycopg.Error, pymysql.Error, sqlite3.Error):
            continue  # its column is not there
    use(server)
    if data.draw(st.booleans()) and read(server).tables[TABLE].column(
        "execution_status"
    ):
        if "chk_execution_status" not in str(read(server).tables[TABLE].checks):
            server.many(
                f"update {TABLE} set execution_status = %s where project_id = %s",
                data.draw(st.sampled_from(ODD)),
            )
        server.run(
            f"update {TABLE} set execution_status = null where project_id = 'waits'"
        )
    mend_whole(server)


ODD = [
    [("Complete", "done")],
    [("it's {odd} \\ %s", "done"), ("RUNNING!", "runs")],
    [("żółw;\n--", "done")],
]


def full(server):
    base(server)
    for statement in statements(server.dialect):
        server.run(statement)
    use(server)


# What somebody may have done to the tables, and what is then found first.
CHANGES = {
    "postgresql": {
        "alter table {t} alter execution_status type varchar(12)": "column_type",
        "alter table {t} alter execution_status type text": "column_type",
        "alter table {t} alter output_folder_path type integer using 1": "column_type",
        "alter table {t} alter execution_error type varchar(50)": "column_type",
        "alter table {t} alter execution_status set default 'new'": "column_default",
        "alter table {t} alter execution_status drop default": "column_default",
        "alter table {t} alter execution_error set default 'x'": "column_default",
        "update {t} set execution_error = '';\n"
        "alter table {t} alter execution_error set not null": "column_null",
        "alter table {t} drop constraint chk_execution_status": "missing_check",
        "alter table {t} rename constraint chk_execution_status to other": (
            "check_renamed"
        ),
        "alter table {t} drop constraint chk_execution_status;\nalter table {t} add "
        "constraint chk_execution_status check (execution_status in ('pending', "
        "'running', 'completed', 'failed', 'archived'))": "check_differs",
        "alter table {t} drop constraint chk_execution_status;\nalter table {t} add "
        "constraint chk_execution_status check (length(execution_status) > 2)": (
            "check_differs"
        ),
        "alter table {t} drop constraint chk_execution_status;\nalter table {t} add "
        "constraint chk_execution_status check (execution_status in ('pending', "
        "'running', 'completed', 'failed', 'paused')) not valid": "check_not_valid",
        "alter table {t} drop constraint chk_execution_status;\nalter table {t} add "
        "constraint chk_execution_status check (execution_status in ('pending', "
        "'running', 'completed', 'failed', 'paused')) not enforced": "check_not_valid",
        "drop index ix_llm_projects_execution_status": "missing_index",
        "alter index ix_llm_projects_execution_status rename to other": "index_renamed",
        "drop index ix_llm_projects_execution_status;\ncreate index "
        "ix_llm_projects_execution_status on {t} (project_id)": "index_differs",
        "drop index ix_llm_projects_execution_status;\ncreate index "
        "ix_llm_projects_execution_status on {t} (execution_status) "
        "where is_active": "index_differs",
        "update pg_index set indisvalid = false where indexrelid = "
        "'ix_llm_projects_execution_status'::regclass": "index_invalid",
    },
    "mysql": {
        "alter table {t} modify execution_status varchar(10) default 'pending'": (
            "column_type"
        ),
        "alter table {t} modify execution_status varchar(50) default 'pending' "
        "comment 'it''s \\\\ so'": "column_type",
        "alter table {t} modify execution_error varchar(50)": "column_type",
        "alter table {t} modify output_folder_path int": "column_type",
        "alter table {t} alter execution_status set default 'new'": "column_default",
        "alter table {t} alter execution_status drop default": "column_default",
        "update {t} set execution_error = '';\n"
        "alter table {t} modify execution_error text not null": "column_null",
        "alter table {t} drop constraint chk_execution_status": "missing_check",
        "alter table {t} drop constraint chk_execution_status;\nalter table {t} add "
        "constraint other check (execution_status in ('pending', 'running', "
        "'completed', 'failed', 'paused'))": "check_renamed",
        "alter table {t} drop constraint chk_execution_status;\nalter table {t} add "
        "constraint chk_execution_status check (execution_status in ('pending', "
        "'running', 'completed', 'failed', 'it''s \\\\ odd'))": "check_differs",
        "alter table {t} drop constraint chk_execution_status;\nalter table {t} add "
        "constraint chk_execution_status check (length(execution_status) > 2)": (
            "check_differs"
        ),
        "drop index ix_llm_projects_execution_status on {t}": "missing_index",
        "alter table {t} rename index ix_llm_projects_execution_status to other": (
            "index_renamed"
        ),
        "drop index ix_llm_projects_execution_status on {t};\ncreate index "
        "ix_llm_projects_execution_status on {t} (execution_status(5))": (
            "index_differs"
        ),
    },
    "sqlite": {
        "drop index ix_llm_projects_execution_status": "missing_index",
        "drop index ix_llm_projects_execution_status;\ncreate index other on {t} "
        "(execution_status)": "index_renamed",
        "drop index ix_llm_projects_execution_status;\ncreate index "
        "ix_llm_projects_execution_status on {t} (execution_status) where "
        "is_active": "index_differs",
        "drop index ix_llm_projects_execution_status;\ncreate index "
        "ix_llm_projects_execution_status on {t} (lower(execution_status))": (
            "index_differs"
        ),
    },
}
# How the column's definition in a SQLite file may read instead.
OTHERWISE = {
    "varchar(20) DEFAULT 'new'": "missing_check",
    "integer DEFAULT 'pending' CHECK (execution_status <> '')": "column_type",
    "varchar(20) CHECK (execution_status IN ('pending', 'x'))": "check_differs",
    "varchar(20) NOT NULL DEFAULT 'pending' COLLATE nocase CONSTRAINT "
    "chk_execution_status CHECK (execution_status IN ('pending', 'running', "
    "'completed', 'failed', 'paused'))": "column_null",
}


# The migration without what it leaves to be found of itself.
PLAIN = replace(
    MIGRATION_008,
    steps=tuple(
        replace(step, model=None) if isinstance(step, AddColumn) else step
        for step in MIGRATION_008.steps
    ),
    null_rules=(),
)
CASES = [
    pytest.param(dialect, change, code, id=f"{dialect}-{code}-{change[-30:]}")
    for dialect, changes in CHANGES.items()
    for change, code in changes.items()
]


@pytest.mark.parametrize(("dialect", "change", "code"), CASES)
def test_what_somebody_changed(request, dialect, change, code):
    server = request.getfixturevalue(dialect)
    full(server)
    assert len(check(server, PLAIN)) == 0
    server.run(change.format(t=TABLE))
    found = mend_whole(server, PLAIN)
    assert code in found["code"].tolist()


@pytest.mark.parametrize(("column", "code"), list(OTHERWISE.items()))
def test_a_column_of_sqlite_that_reads_otherwise(sqlite, column, code):
    server = sqlite
    base(server)
    server.run(f"alter table {TABLE} add column execution_status {column}")
    server.run(
        f"create trigger touched after update of client_name on {TABLE} begin\n"
        f"  update {TABLE} set is_active = 0 where id = new.id;\nend"
    )
    server.run(f"create view seen as select project_id from {TABLE}")
    for statement in statements("sqlite")[1:]:
        server.run(statement)
    before = everything(server)
    assert code in check(server)["code"].tolist()
    mend_whole(server)
    assert [row[:7] for row in everything(server)] == [row[:7] for row in before]
    server.run(f"update {TABLE} set client_name = 'y' where id = 1")
    assert server.ask(f"select is_active from {TABLE} where id = 1") == [(0,)]
    assert len(server.ask("select * from seen")) == 4
    made = server.ask(f"select sql from sqlite_master where name = '{TABLE}'")[0][0]
    assert ("COLLATE nocase" in made) == ("nocase" in column)


def test_a_check_is_in_force_afterwards(server):
    base(server)
    mend_whole(server)
    errors = (psycopg.Error, pymysql.Error, sqlite3.Error)
    with pytest.raises(errors, match=r"(?i)check|constraint"):
        server.run(f"update {TABLE} set execution_status = 'odd'")
    server.run(
        f"insert into {TABLE} (id, project_id, client_name) values (9, 'n', 'n')"
    )
    asked = f"select execution_status from {TABLE} where id = 9"
    assert server.ask(asked) == [("pending",)]


def test_values_outside_are_counted_and_mended(server):
    base(server)
    parts = statements(server.dialect)
    parts[0] = parts[0].partition(" CONSTRAINT")[0]
    for statement in parts[:5]:
        server.run(statement)
    server.many(
        f"update {TABLE} set execution_status = %s where project_id = %s",
        [("Complete", "done"), ("archived", "failed"), (None, "waits")],
    )
    found = check(server).set_index("code")
    assert found.loc["values_outside_check", "summary"].startswith(
        "2 of 4 rows have a execution_status that chk_execution_status does not allow"
    )
    assert (
        "'Complete' (1), 'archived' (1)"
        in found.loc["values_outside_check", "evidence"]
    )
    assert "choose" in found.loc["values_outside_check", "remedy"]
    assert found.loc["nulls_left", "summary"].startswith(
        "1 of 4 rows have no execution_status"
    )
    mend_whole(server)
    asked = f"select project_id, execution_status from {TABLE} order by id"
    assert server.ask(asked) == [
        ("waits", "pending"),
        ("runs", "pending"),
        ("done", "completed"),
        ("failed", "pending"),
    ]


def test_illegal_nulls_are_counted_by_status(server):
    full(server)
    schema = read(server)
    count = schema.nulls[TABLE, "execution_started_at"]
    assert count.states == (("failed", 1), ("running", 1))
    assert (count.legal, count.without_evidence) == (1, 0)
    found = check_migration(schema).set_index("code")
    assert found.loc["illegal_nulls", "evidence"] == (
        "by execution_status: 1 failed, 1 running; NULL is right in 1 more"
    )
    # As the audit of the same tables says.
    audit = dk.audit_started_at(dk.read_progress(server.url)).projects
    assert int((audit["null"] & ~audit["legal"].fillna(True).astype(bool)).sum()) == 2


def test_what_the_audit_infers_is_what_the_remedy_sets(server):
    full(server)
    audit = dk.audit_started_at(dk.read_progress(server.url)).projects
    inferred = audit.set_index("project_id")["inferred_start"]
    mend(server, check(server))
    starts = {k: v for k, v in starts_of(server) if v is not None}
    assert starts["runs"] == f"{inferred['runs']:%Y-%m-%d %H:%M:%S.%f}"


def test_a_null_that_nothing_tells(server):
    full(server)
    server.run(f"update {TABLE} set updated_at = null where project_id = 'failed'")
    evidence = check(server).set_index("code").loc["illegal_nulls", "evidence"]
    assert evidence.endswith("for 1 of them nothing in the database tells it")
    mend(server, check(server))
    assert check(server)["code"].tolist() == ["illegal_nulls"]


def test_no_remedy_touches_what_sets_itself(server):
    base(server)
    asked = f"select id, updated_at from {TABLE} order by id"
    before = server.ask(asked)
    for statement in statements(server.dialect)[:5]:
        server.run(statement)
    server.run(f"update {TABLE} set execution_status = null, updated_at = updated_at")
    mend_whole(server)
    assert server.ask(asked) == before


MINE = Migration(
    "mine",
    (
        AddColumn("jobs", "seen", "timestamptz", False, "now()"),
        AddColumn("jobs", "state", "varchar(20)", False, "'new'"),
        AddColumn("jobs", "tries", "integer", False, "0"),
        AddColumn("jobs", "live", "boolean", True, "true"),
        AddColumn("jobs", "extra", "jsonb"),
        AddColumn("jobs", "weight", "numeric(8,2)", default="1.5"),
        FillNulls("jobs", "state", "'new'"),
        AddCheck("jobs", "jobs_state", "state", ("new", "it's \\ done")),
        AddIndex("jobs", "jobs_key", ("name", "state"), unique=True),
    ),
    (NullRule("jobs", "began", "state", ("new",)),),
)


def test_a_migration_of_ones_own(server):
    server.reset()
    zoned = TYPES[server.dialect]["zoned"]
    auto = {"sqlite": "integer primary key autoincrement"}.get(
        server.dialect, "integer primary key"
    )
    server.run(
        f"create table jobs (id {auto}, name varchar(50) not null, began {zoned} null)"
    )
    server.many("insert into jobs (id, name) values (%s, %s)", [(1, "a"), (2, "b")])
    found = mend_whole(server, MINE)
    assert found["code"].tolist().count("missing_column") == 6
    assert server.ask("select state, tries from jobs") == [("new", 0), ("new", 0)]
    server.many("update jobs set state = %s where id = 1", [("it's \\ done",)])
    left = check(server, MINE)
    assert left["code"].tolist() == ["illegal_nulls"]
    assert "nothing in the database tells the value" in left["remedy"][0]


LOOSER = {
    "postgresql": "alter table jobs alter tries drop not null",
    "mysql": "alter table jobs modify tries int null default 0",
    "sqlite": "alter table jobs rename tries to gone;\n"
    "alter table jobs add column tries integer default 0",
}


def test_a_column_that_has_to_be_filled(server):
    server.reset()
    server.run("create table jobs (id integer primary key, name varchar(50) not null)")
    mend_whole(server, MINE)
    server.run(LOOSER[server.dialect])
    found = check(server, MINE)
    assert found[["code", "severity", "summary"]].to_numpy().tolist() == [
        [
            "column_null",
            "high",
            "jobs.tries allows NULL, and the migration forbids it",
        ]
    ]
    mend_whole(server, MINE)


def test_foreign_keys_of_mariadb(mysql):
    mysql.reset()
    mysql.run(
        "create table people (a int, b int, primary key (a, b));\ncreate table jobs "
        "(id int, x int, y int, constraint of foreign key (x, y) references people "
        "(a, b))"
    )
    keys = read(mysql, MINE).tables["jobs"].keys
    assert keys == (TableKey("of", ("x", "y"), "people", ("a", "b")),)


def test_a_schema_that_is_named(postgresql):
    server = postgresql
    base(server)
    server.run("create schema other")
    server.run(f"alter table {TABLE} set schema other")
    steps = tuple(replace(s, table=f"other.{TABLE}") for s in MIGRATION_008.steps)
    rules = tuple(replace(r, table=f"other.{TABLE}") for r in MIGRATION_008.null_rules)
    there = replace(MIGRATION_008, steps=steps, null_rules=rules)
    mend_whole(server, there)
    server.run(
        "drop index other.ix_llm_projects_execution_status;\ncreate index "
        f"ix_llm_projects_execution_status on other.{TABLE} (id)"
    )
    server.run(
        f"create index odd on other.{TABLE} (activation_code_id);\n"
        "drop index other.ix_llm_projects_activation_code"
    )
    server.run(
        f"update other.{TABLE} set execution_status = 'running', "
        "execution_started_at = null where id = 2"
    )
    codes = mend_whole(server, there)["code"].tolist()
    assert sorted(codes) == ["illegal_nulls", "index_differs", "index_renamed"]


def test_the_drift_is_mended_to_the_same_instants(postgresql):
    server = postgresql
    full(server)
    name = sa.make_url(server.url).database
    server.run(f"alter database {name} set timezone = 'America/Jamaica'")
    found = check(server)
    drift = found[found["code"] == "time_zone_drift"]
    assert len(drift) == 2
    assert (
        "a session that sets no zone is in America/Jamaica here"
        in (drift["evidence"].iloc[0])
    )
    assert drift["evidence"].iloc[0].startswith("1 values")
    node = f"select pg_relation_filenode('{TABLE}')"
    before = server.ask(node)
    mend(server, drift)
    # The table was not written anew.
    assert server.ask(node) == before
    asked = f"select execution_started_at from {TABLE} where project_id = 'done'"
    assert f"{server.ask(asked)[0][0]:%Y-%m-%d %H:%M %Z}" == "2025-11-24 10:00 UTC"


def test_the_drift_from_another_zone(postgresql):
    server = postgresql
    full(server)
    local = replace(MIGRATION_008, zone="Europe/Berlin")
    mend_whole(server, local)
    asked = f"select execution_started_at from {TABLE} where project_id = 'done'"
    assert f"{server.ask(asked)[0][0]:%Y-%m-%d %H:%M %Z}" == "2025-11-24 09:00 UTC"


def test_a_time_with_a_zone_that_nobody_wants(server):
    if server.dialect == "sqlite":
        pytest.skip("it knows no zone")
    full(server)
    mend(server, check(server))
    found = mend_whole(server, PLAIN)
    assert found["code"].tolist() == ["time_zone_drift"] * 2
    assert (
        "the migration takes it for a timestamp without time zone"
        in (found["summary"][0])
    )


def test_a_table_that_is_not_there(server):
    server.reset()
    server.run("create table llm_project_configs (id integer)")
    found = check(server)
    assert found["code"].tolist() == ["migration_not_applied", "missing_table"]
    assert "did you mean 'llm_project_configs'?" in found["summary"][1]


def test_nothing_stays_open_after_a_schema_is_read(postgresql):
    server = postgresql
    base(server)
    read(server)
    asked = "select count(*) from pg_stat_activity where application_name = 'diagkit'"
    for _ in range(50):
        if server.ask(asked) == [(0,)]:
            break
        server.ask("select pg_sleep(0.02)")
    assert server.ask(asked) == [(0,)]
