from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading

import pytest
import sqlalchemy as sa

import diagkit as dk
from diagkit.sources.databases import open_readonly
from diagkit.sources.sqlite_guard import Watch, connect_readonly

ENDLESS = (
    "with recursive x(i) as (select 1 union all select i + 1 from x) "
    "select count(*) from x"
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.sqlite"
    link = sqlite3.connect(path)
    link.execute("create table t (a, b)")
    link.execute("insert into t values (1, 2)")
    link.commit()
    link.close()
    return path


def files(path):
    return {p.name: p.read_bytes() for p in path.parent.iterdir()}


@pytest.mark.parametrize(
    "statements",
    [
        ["attach '{folder}/other.sqlite' as other"],
        ["attach 'file:{folder}/other.sqlite?mode=rwc' as other"],
        ["commit", "vacuum into '{folder}/copy.sqlite'"],
        ["create temporary table z (a)"],
        ["create temporary view z as select 1"],
        ["create temporary trigger z after insert on t begin select 1; end"],
        ["pragma temp_store_directory = '{folder}'"],
        ["pragma writable_schema = on"],
        ["pragma optimize"],
        ["select load_extension('x')"],
        ["select fts3_tokenizer('x')"],
        ["detach main"],
        ["delete from t"],
        ["insert into t values (3, 4)"],
    ],
)
def test_nothing_is_written_anywhere(path, statements):
    before = files(path)
    *first, last = (statement.format(folder=path.parent) for statement in statements)

    def send():
        with open_readonly(path) as link:
            for statement in first:
                link.exec_driver_sql(statement)
            link.exec_driver_sql(last)

    with pytest.raises(dk.SourceAccessError):
        send()
    assert files(path) == before


def test_reading_is_allowed(path):
    with open_readonly(path) as link:
        look = sa.inspect(link)
        assert look.get_table_names() == ["t"]
        assert [c["name"] for c in look.get_columns("t")] == ["a", "b"]
        assert link.exec_driver_sql("pragma user_version").scalar() == 0
        assert link.exec_driver_sql("select upper('x'), a from t").all() == [("X", 1)]


def test_all_tables_are_read_as_of_one_moment(path):
    writer = sqlite3.connect(path)
    writer.execute("pragma journal_mode = wal")
    with open_readonly(path) as link:
        writer.execute("insert into t values (3, 4)")
        writer.commit()
        assert link.exec_driver_sql("select count(*) from t").scalar() == 1
    with open_readonly(path) as link:
        assert link.exec_driver_sql("select count(*) from t").scalar() == 2
    writer.close()


def test_a_statement_has_its_time(path, monkeypatch):
    monkeypatch.setattr("diagkit.sources.sessions.STATEMENT_S", 0.05)
    with (
        pytest.raises(dk.SourceAccessError, match=r"x\.sqlite took too long over the"),
        open_readonly(path) as link,
    ):
        link.exec_driver_sql(ENDLESS)


def test_every_statement_has_it_anew():
    now = [0.0]
    watch = Watch(10, clock=lambda: now[0])
    watch.start()
    now[0] = 9.0
    assert watch.look() == 0
    watch.start()
    now[0] = 18.0
    assert watch.look() == 0
    now[0] = 20.0
    assert watch.look() == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself one")
def test_a_ctrl_c_stops_a_statement(path):
    looked = threading.Event()

    def interrupt():
        looked.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()

    def read():
        with open_readonly(path) as link:
            link.connection.create_function("looked", 0, looked.set)
            link.exec_driver_sql(f"select looked(), ({ENDLESS})")

    with pytest.raises(KeyboardInterrupt):
        read()
    thread.join()
    # Nothing holds the file: a writer gets it at once.
    writer = sqlite3.connect(path, timeout=0)
    writer.execute("begin exclusive")
    writer.close()


def test_the_driver_begins_nothing_of_its_own(path):
    link = connect_readonly(path, 1.0, Watch(1.0))
    link.execute("select 1").fetchall()
    assert not link.in_transaction
    link.close()
