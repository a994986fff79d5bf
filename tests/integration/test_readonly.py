"""Sessions that cannot write, on real servers: proved, harmless, and gone after."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import sys
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from functools import partial
from urllib.parse import quote

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st
from jupyter_client.manager import start_new_kernel
from jupyter_core.utils import ensure_event_loop
from sqlalchemy.pool import NullPool

import diagkit as dk
from diagkit.cli import main
from diagkit.sources.databases import open_readonly
from diagkit.sources.readonly import prove_readonly
from diagkit.sources.schemas import read_schema
from diagkit.sources.sessions import _insist

# The server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")

MAKE = (
    "create table agent_tasks (task_id varchar(20), project_id varchar(20), "
    "status varchar(20), created_at timestamp)",
    "create table llm_project_config (project_id varchar(20), "
    "execution_started_at timestamp)",
    "insert into agent_tasks values ('t', 'a', 'completed', '2025-11-24 10:00:00')",
    "insert into llm_project_config values ('a', '2025-11-24 09:00:00')",
)


def render(url):
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def postgres(postgres_url):
    """A database of this module's own: its URL, and a superuser's link to it."""
    raw = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(raw, autocommit=True) as link:
        link.execute("create database readonly_here")
    url = sa.make_url(postgres_url).set(database="readonly_here")
    plain = render(url).replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as link:
        for statement in MAKE:
            link.execute(statement)
        link.execute("create sequence numbers")
        yield render(url), link


@pytest.fixture(scope="module")
def mariadb(mariadb_url):
    url = sa.make_url(mariadb_url)
    link = pymysql.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        autocommit=True,
    )
    cursor = link.cursor()
    cursor.execute("create database readonly_here")
    cursor.execute("use readonly_here")
    for statement in MAKE:
        cursor.execute(statement)
    yield render(url.set(database="readonly_here")), cursor
    link.close()


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "x.sqlite"
    link = sqlite3.connect(path)
    for statement in MAKE:
        link.execute(statement)
    link.commit()
    yield path, link
    link.close()


def ask(link, query):
    found = link.execute(query)
    return list((link if isinstance(found, int) else found).fetchall())


# What a server shows of a session of ours.
SESSIONS = {
    "postgres": "select state, query from pg_stat_activity "
    "where application_name = 'diagkit'",
    "mariadb": "select command, info from information_schema.processlist "
    "where db = 'readonly_here' and id <> connection_id()",
}


def sessions(kind, link, wanted):
    """The sessions of ours, once they are as wanted; within ten seconds."""
    ends = time.monotonic() + 10
    while True:
        found = ask(link, SESSIONS[kind])
        if wanted(found) or time.monotonic() > ends:
            return found
        threading.Event().wait(0.02)


@pytest.fixture(params=["postgres", "mariadb"])
def server(request):
    return request.param, *request.getfixturevalue(request.param)


def test_the_session_of_postgresql(postgres):
    url, _ = postgres
    wanted = {
        "transaction_read_only": "on",
        "transaction_isolation": "repeatable read",
        "statement_timeout": "2min",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "2min",
        "application_name": "diagkit",
        "timezone": "UTC",
    }
    with open_readonly(url) as link:
        shown = {n: link.exec_driver_sql(f"show {n}").scalar() for n in wanted}
    assert shown == wanted


def test_the_session_of_mariadb(mariadb):
    url, _ = mariadb
    wanted = {
        "tx_read_only": 1,
        "tx_isolation": "REPEATABLE-READ",
        "autocommit": 0,
        "max_statement_time": 120,
        "lock_wait_timeout": 3,
        "innodb_lock_wait_timeout": 3,
        "idle_transaction_timeout": 120,
        "wait_timeout": 120,
        "time_zone": "+00:00",
    }
    with open_readonly(url) as link:
        shown = {n: link.exec_driver_sql(f"select @@{n}").scalar() for n in wanted}
    assert shown == wanted


@pytest.mark.parametrize(
    "options",
    [
        {"client_flag": "65536"},
        {"autocommit": "true"},
        {"init_command": "insert into agent_tasks values ('x', 'x', 'x', now())"},
    ],
)
def test_options_in_a_url_of_mariadb_do_not_lift_it(mariadb, options):
    url, link = mariadb
    before = ask(link, "select count(*) from agent_tasks")
    target = render(sa.make_url(url).update_query_dict(options))
    with pytest.raises(dk.SourceAccessError), open_readonly(target) as session:
        session.exec_driver_sql("select 1; delete from agent_tasks")
    with pytest.raises(dk.SourceAccessError), open_readonly(target) as session:
        session.exec_driver_sql("delete from agent_tasks")
    assert ask(link, "select count(*) from agent_tasks") == before


@pytest.mark.parametrize(
    "options",
    [
        {"autocommit": "true"},
        {"prepare_threshold": "5"},
        {"options": "-c default_transaction_read_only=off"},
        {"application_name": "mine"},
    ],
)
def test_options_in_a_url_of_postgresql_do_not_lift_it(postgres, options):
    url, link = postgres
    before = ask(link, "select count(*) from agent_tasks")
    target = render(sa.make_url(url).update_query_dict(options))
    for statement in ("commit; delete from agent_tasks", "delete from agent_tasks"):
        with pytest.raises(dk.SourceAccessError), open_readonly(target) as session:
            session.exec_driver_sql(statement)
    assert ask(link, "select count(*) from agent_tasks") == before


def test_what_was_done_is_rolled_back(postgres):
    url, link = postgres
    heard = []
    link.add_notify_handler(heard.append)
    link.execute("listen readonly_here")
    with open_readonly(url) as session:
        session.exec_driver_sql("notify readonly_here")
    link.execute("select 1")
    link.execute("notify readonly_here, 'mine'")
    assert [n.payload for n in heard] == ["mine"]


def test_a_snapshot_holds(server):
    kind, url, link = server
    count = "select count(*) from llm_project_config"
    with open_readonly(url) as session:
        before = session.exec_driver_sql(count).scalar()
        ask(link, "insert into llm_project_config values ('b', null)") if (
            kind == "mariadb"
        ) else link.execute("insert into llm_project_config values ('b', null)")
        assert session.exec_driver_sql(count).scalar() == before
    with open_readonly(url) as session:
        assert session.exec_driver_sql(count).scalar() == before + 1
    link.execute("delete from llm_project_config where project_id = 'b'")


@pytest.mark.parametrize("name", ["postgres", "mariadb", "sqlite"])
def test_every_write_that_matters_is_refused(request, name):
    url, _ = request.getfixturevalue(name)
    proof = prove_readonly(url)
    tried = proof[proof["verdict"] != "not tried"]
    assert set(tried.loc[tried["relied_on"], "verdict"]) == {"refused"}
    assert len(tried) >= 15
    assert not (proof["verdict"] == "unclear").any()
    assert (proof["answer"] != "").all()
    allowed = proof[proof["verdict"] == "allowed"]
    assert (allowed["note"] != "").all()
    assert not allowed["relied_on"].any()


def test_what_postgresql_lets_through_is_told(postgres):
    verdicts = prove_readonly(postgres[0]).set_index("write")["verdict"]
    for write in ("pg_terminate_backend()", "NOTIFY", "an advisory lock", "LOCK TABLE"):
        assert verdicts[write] == "allowed"


def test_what_is_not_tried_is_refused_as_it_says(postgres):
    url, link = postgres
    for statement in (
        "select nextval('numbers')",
        "select setval('numbers', 7)",
        "alter system set work_mem = '4MB'",
    ):
        with pytest.raises(dk.SourceAccessError), open_readonly(url) as session:
            session.exec_driver_sql(statement)
    assert ask(link, "select nextval('numbers')") == [(1,)]


CATALOGUES = {
    "postgres": (
        "select relname, relkind, relacl::text from pg_class order by oid",
        "select oid from pg_largeobject_metadata",
        "select * from pg_prepared_xacts",
        "select count(*) from pg_locks where pid <> pg_backend_pid() "
        "and locktype in ('advisory', 'relation')",
        "select last_value, is_called from numbers",
        "select * from agent_tasks",
        "select * from llm_project_config",
        "select rolname from pg_roles order by 1",
    ),
    "mariadb": (
        "select table_schema, table_name, table_type, create_time "
        "from information_schema.tables where table_schema = 'readonly_here' "
        "order by 1, 2",
        "select * from information_schema.columns where table_schema = 'readonly_here'",
        "select user, host from mysql.user order by 1, 2",
        "select * from agent_tasks",
        "select * from llm_project_config",
        "select @@global.lc_time_names",
        "select is_used_lock('diagkit_proof_of_reading')",
        "select schema_name from information_schema.schemata order by 1",
    ),
    "sqlite": (
        "select * from sqlite_master",
        "select * from agent_tasks",
        "select * from llm_project_config",
        "pragma journal_mode",
    ),
}
# What no session may do in a transaction, or in one call, however it was opened.
NEVER = {"VACUUM", "several statements in a call", "switching the mode off"}


@pytest.mark.parametrize("name", ["postgres", "mariadb", "sqlite"])
def test_the_proof_is_harmless_where_nothing_is_refused(request, monkeypatch, name):
    """The same statements over sessions that may write: they are done, in vain."""
    where, link = request.getfixturevalue(name)
    target = f"sqlite:///{where}" if name == "sqlite" else where
    options = {
        "postgres": {"prepare_threshold": 0},
        "sqlite": {"isolation_level": None},
    }.get(name, {})

    @contextmanager
    def open_writable(_):
        engine = sa.create_engine(
            target,
            connect_args=options,
            poolclass=NullPool,
            pool_reset_on_return=None,
        )
        connection = engine.connect()
        if name == "sqlite":
            connection.exec_driver_sql("begin")
        yield connection
        with suppress(sa.exc.DBAPIError):
            connection.rollback()
        connection.close()
        engine.dispose()

    before = [ask(link, query) for query in CATALOGUES[name]]
    monkeypatch.setattr("diagkit.sources.readonly.open_readonly", open_writable)
    proof = prove_readonly(where).set_index("write")
    assert [ask(link, query) for query in CATALOGUES[name]] == before
    refused = set(proof.index[proof["verdict"] == "refused"])
    assert refused <= NEVER | {"load_extension()", "changing the mode"}
    for write in ("INSERT", "UPDATE", "DELETE", "CREATE TABLE", "ALTER TABLE"):
        assert proof.loc[write, "verdict"] == "allowed"


def test_a_database_without_tables(postgres):
    url, link = postgres
    link.execute("create database readonly_empty")
    empty = render(sa.make_url(url).set(database="readonly_empty"))
    proof = prove_readonly(empty).set_index("write")
    assert proof.loc["INSERT", "answer"] == "the database has no table to try it on"
    assert proof.loc["CREATE TABLE", "verdict"] == "refused"


def test_columns_that_nobody_may_write_are_passed_over(postgres):
    url, link = postgres
    link.execute("create database readonly_computed")
    target = sa.make_url(url).set(database="readonly_computed")
    plain = render(target).replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as other:
        other.execute("create table a (i int generated always as identity)")
        other.execute("create table b (x int)")
    proof = prove_readonly(render(target)).set_index("write")
    assert proof.loc["UPDATE", "statement"] == "UPDATE b SET x = x WHERE 1 = 0"


def test_names_that_sql_reads_otherwise(postgres, tmp_path):
    url, link = postgres
    hostile = '"a%s {column} $$;""--"'
    link.execute("create database readonly_odd")
    odd = sa.make_url(url).set(database="readonly_odd")
    plain = render(odd).replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as other:
        other.execute(
            f"create table {hostile} (g int generated always as identity, "
            '"{table} %(x)s" text)'
        )
    proof = prove_readonly(render(odd)).set_index("write")
    assert proof.loc[["INSERT", "UPDATE", "COPY … FROM"], "verdict"].eq("refused").all()
    assert proof.loc["a write in a DO block", "answer"].startswith("cannot execute UPD")


def test_names_that_mariadb_reads_otherwise(mariadb):
    url, link = mariadb
    link.execute("create database readonly_odd")
    link.execute(
        "create table readonly_odd.`a%s {column} $$;``--` (`{table} %(x)s` int)"
    )
    odd = render(sa.make_url(url).set(database="readonly_odd"))
    proof = prove_readonly(odd).set_index("write")
    assert proof.loc[["INSERT", "UPDATE", "LOAD DATA"], "verdict"].eq("refused").all()
    assert "read only" in proof.loc["UPDATE", "answer"].lower()


def test_a_role_without_rights(mariadb):
    url, link = mariadb
    link.execute("create user looker identified by 'hunter2'")
    link.execute("grant select on readonly_here.* to looker")
    looker = render(sa.make_url(url).set(username="looker", password="hunter2"))
    proof = prove_readonly(looker).set_index("write")
    assert proof.loc["another transaction, then a write", "verdict"] == "refused"
    assert proof.loc["SET GLOBAL", "verdict"] == "refused"
    assert proof.loc[proof["relied_on"], "verdict"].eq("refused").all()


def test_on_the_command_line(postgres, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["audit", postgres[0], "--prove-readonly"]) == 0
    out = capsys.readouterr().out
    assert "cannot execute DELETE in a read-only transaction" in out
    assert "every write that diagkit relies on being refused is refused" in out
    assert main(["audit", str(tmp_path), "--prove-readonly"]) == 2
    assert "a folder has no session to prove" in capsys.readouterr().err


def test_a_write_that_goes_through_is_an_exit_code(sqlite, capsys, monkeypatch):
    path, _ = sqlite

    @contextmanager
    def open_writable(_):
        engine = sa.create_engine(f"sqlite:///{path}", poolclass=NullPool)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("diagkit.sources.readonly.open_readonly", open_writable)
    assert main(["audit", str(path), "--prove-readonly"]) == 1
    assert "NOT READ-ONLY: what had to be refused was not: INSERT, UPDATE" in " ".join(
        capsys.readouterr().out.split()
    )


def test_nothing_stays_open(server):
    kind, url, link = server
    dk.read_progress(url)
    with open_readonly(url):
        assert len(sessions(kind, link, bool)) == 1
    assert sessions(kind, link, lambda found: not found) == []


def test_nothing_stays_open_after_an_error(server):
    kind, url, link = server
    with pytest.raises(ZeroDivisionError), open_readonly(url) as session:
        session.exec_driver_sql("select 1").scalar() / 0
    with pytest.raises(dk.SourceError), open_readonly(url) as session:
        session.exec_driver_sql("select nothing from nowhere")
    with pytest.raises(dk.SourceNotFoundError):
        dk.read_progress(url, dk.ProgressSchema("nowhere"))
    assert sessions(kind, link, lambda found: not found) == []


SLOW = {
    "postgres": "select pg_sleep(60)",
    "mariadb": "select count(*) from information_schema.columns a, "
    "information_schema.columns b, information_schema.columns c",
}


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself one")
def test_nothing_stays_open_after_an_interrupt(server):
    kind, url, link = server

    def interrupt():
        # Once the server works at the statement.
        sessions(kind, link, lambda found: any(q == SLOW[kind] for _, q in found))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), open_readonly(url) as session:
        session.exec_driver_sql(SLOW[kind])
    thread.join()
    assert sessions(kind, link, lambda found: not found) == []


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel()
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    # The client's library opens a loop of its own, and leaves it.
    ensure_event_loop().close()


def run_cell(client, code):
    """Run a cell; what it said at the end."""
    done = client.execute_interactive(code, timeout=60, output_hook=lambda _: None)
    return done["content"]["status"], done["content"].get("ename", "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="an interrupt needs signals there")
def test_a_notebooks_kernel_holds_nothing_after_a_cell(server, kernel):
    kind, url, link = server
    manager, client = kernel
    none = partial(sessions, kind, link, lambda found: not found)
    setup = f"""
import diagkit as dk
from diagkit.sources.databases import open_readonly
def read(query):
    with open_readonly({url!r}) as link:
        return link.exec_driver_sql(query).fetchall()
"""
    assert run_cell(client, setup) == ("ok", "")
    assert run_cell(client, f"progress = dk.read_progress({url!r})") == ("ok", "")
    assert none() == []
    assert run_cell(client, "read('select x from nowhere')") == (
        "error",
        "SourceAccessError",
    )
    assert none() == []

    def interrupt():
        sessions(kind, link, lambda found: any(q == SLOW[kind] for _, q in found))
        os.kill(manager.provisioner.pid, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert run_cell(client, f"read({SLOW[kind]!r})") == ("error", "KeyboardInterrupt")
    thread.join()
    assert none() == []
    # The traceback that IPython keeps holds frames, and no connection in them.
    assert run_cell(client, "len(read('select 1'))") == ("ok", "")
    assert none() == []


def test_a_session_that_the_server_ends(server):
    kind, url, link = server
    end = {
        "postgres": ("select pg_backend_pid()", "select pg_terminate_backend({})"),
        "mariadb": ("select connection_id()", "kill {}"),
    }[kind]

    def read(then):
        with open_readonly(url) as session:
            link.execute(end[1].format(session.exec_driver_sql(end[0]).scalar()))
            for statement in then:
                session.exec_driver_sql(statement)

    with pytest.raises(dk.SourceAccessError, match="ended the session"):
        read(["select 1"])
    # Where nothing is asked after that, there is nothing to tell.
    read([])


def test_a_table_that_is_locked(mariadb, monkeypatch):
    url, link = mariadb
    monkeypatch.setitem(
        sys.modules["diagkit.sources.sessions"].MARIADB_SETTINGS,
        "lock_wait_timeout",
        "0",
    )
    link.execute("lock tables agent_tasks write, llm_project_config write")
    try:
        with pytest.raises(dk.SourceAccessError, match="has the table locked by"):
            dk.read_progress(url)
    finally:
        link.execute("unlock tables")


def test_a_statement_has_its_time(server, monkeypatch):
    kind, url, _ = server
    name, setting = {
        "postgres": ("POSTGRES_SETTINGS", ("statement_timeout", "100")),
        "mariadb": ("MARIADB_SETTINGS", ("max_statement_time", "0.1")),
    }[kind]
    table = getattr(sys.modules["diagkit.sources.sessions"], name)
    monkeypatch.setitem(table, *setting)
    with (
        pytest.raises(dk.SourceAccessError, match="took too long over the query"),
        open_readonly(url) as session,
    ):
        session.exec_driver_sql(SLOW[kind])


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"password": "hunter3"}, dk.SourceAccessError, "refused the user"),
        ({"database": "nowhere"}, dk.SourceNotFoundError, "no database 'nowhere'"),
        ({"port": 1}, dk.SourceNotFoundError, "refuses the connection"),
        ({"host": "h.invalid"}, dk.SourceNotFoundError, "cannot be resolved"),
        ({"query": {"no_option": "x"}}, dk.SourceAccessError, "no_option"),
        ({"query": {"connect_timeout": "x"}}, dk.SourceAccessError, "'x'"),
    ],
)
def test_what_mariadb_refuses(mariadb, change, kind, text):
    target = render(sa.make_url(mariadb[0]).set(**change))
    with pytest.raises(kind) as caught:
        dk.read_progress(target)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_user_without_a_password(mariadb):
    link = sa.make_url(mariadb[0])
    with pytest.raises(dk.SourceAccessError, match="refused the user"):
        dk.read_progress(f"mysql://nobody@{link.host}:{link.port}/readonly_here")


def test_a_server_that_opens_none_is_not_read():
    with pytest.raises(dk.SourceAccessError, match="does not open a READ ONLY"):
        _insist(False)


def test_a_server_without_a_database(mariadb):
    with pytest.raises(dk.SettingError, match="the URL names no database"):
        dk.read_progress(mariadb[0].removesuffix("readonly_here"))


def test_progress_is_read_from_mariadb(mariadb):
    found = dk.read_progress(mariadb[0])
    assert found.tasks["project_id"].tolist() == ["a"]
    assert str(found.projects["execution_started_at"][0]) == "2025-11-24 09:00:00+00:00"
    assert found.source.endswith("/readonly_here")


# Passwords with every sign in them; their ends are told apart from any other text.
PASSWORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20
).map(lambda text: f"Zq7{text}9xK")


def check_silence(capsys, caplog, entry, where):
    caplog.clear()
    said = []
    try:
        said.append(repr(entry(where)))
    except dk.DiagkitError as error:
        said += [str(error), repr(error), *traceback.format_exception(error)]
    said += [*capsys.readouterr(), caplog.text]
    for text in said:
        assert "Zq7" not in text
        assert "9xK" not in text
    return said


ENTRIES = [
    dk.read_progress,
    read_schema,
    lambda where: main(["migration", where]),
    lambda where: main(["audit", where]),
    lambda where: main(["audit", where, "--prove-readonly", "--json"]),
]
SHAPES = [
    "postgresql://app:{}@127.0.0.1:1/shop",
    "postgresql+asyncpg://app:{}@127.0.0.1:port/shop",
    "mysql://app:{}@127.0.0.1:1/shop?no_option=1",
    "mysql://app:{}@127.0.0.1:1/shop",
    "oracle://app:{}@127.0.0.1/shop",
    "postgresql:/app:{}@127.0.0.1/shop",
    "app:{}@127.0.0.1/shop",
    "postgresql://127.0.0.1:1/shop?user=app&password={}",
    "postgresql://127.0.0.1:1/shop?user=app&passwrd={}",
    "sqlite://app:{}@host/file",
]


@pytest.mark.slow
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(PASSWORDS, st.sampled_from(SHAPES), st.booleans(), st.sampled_from(ENTRIES))
def test_a_password_is_never_shown(capsys, caplog, password, shape, encoded, entry):
    caplog.set_level(logging.DEBUG)
    where = shape.format(quote(password, safe="") if encoded else password)
    check_silence(capsys, caplog, entry, where)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(PASSWORDS)
def test_a_password_that_lets_one_in_is_not_shown_either(
    capsys, caplog, mariadb, password
):
    url, link = mariadb
    link.execute("create or replace user odd identified by %s", (password,))
    link.execute("grant select on readonly_here.* to odd")
    caplog.set_level(logging.DEBUG)
    target = sa.make_url(url).set(username="odd", password=password)
    said = check_silence(capsys, caplog, dk.read_progress, render(target))
    assert said[0].startswith("Progress(1 projects")
    wrong = render(target.set(password=password + "!"))
    assert (
        "refused the user" in check_silence(capsys, caplog, dk.read_progress, wrong)[0]
    )
