from __future__ import annotations

import gzip
import sqlite3
import sys
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

import diagkit as dk
from diagkit.sources.databases import describe_url, open_readonly

PROJECT = "project_id,execution_status,execution_started_at\n"
TASK = "task_id,project_id,status,created_at\n"


def write(folder, projects="", tasks="", head=PROJECT, task_head=TASK):
    folder.mkdir(exist_ok=True)
    (folder / "llm_project_config.csv").write_text(head + projects, encoding="utf-8")
    (folder / "agent_tasks.csv").write_text(task_head + tasks, encoding="utf-8")
    return folder


def database(path, *statements):
    link = sqlite3.connect(path)
    for statement in statements:
        link.execute(statement)
    link.commit()
    link.close()
    return path


MAKE = (
    "create table llm_project_config (project_id text, execution_started_at text)",
    "create table agent_tasks (project_id text, status text, created_at text)",
)


def starts(folder, **options):
    return dk.read_progress(folder, **options).projects["execution_started_at"]


@pytest.mark.parametrize("form", ["url", "path", "pathlib"])
def test_sqlite_and_csv_hold_the_same(case_study, form):
    file = case_study / "progress" / "progress.sqlite"
    where = {"url": f"sqlite:///{file}", "path": str(file), "pathlib": file}[form]
    one, two = dk.read_progress(where), dk.read_progress(case_study / "progress")
    pd.testing.assert_frame_equal(one.projects, two.projects)
    pd.testing.assert_frame_equal(one.tasks, two.tasks)
    assert (len(one.projects), len(one.tasks)) == (66, 4044)
    assert one.source == "progress.sqlite"
    assert one.notes == ("tasks of no project that is there: 45",)
    assert str(one.tasks["created_at"].dtype) == "datetime64[us, UTC]"


def test_a_session_in_another_zone_gives_the_same_instants(case_study, tmp_path):
    folder = case_study / "progress"
    (tmp_path / "llm_project_config.csv").write_bytes(
        (folder / "llm_project_config.csv").read_bytes()
    )
    (tmp_path / "agent_tasks.csv").write_bytes(
        (folder / "agent_tasks_tz_jamaica.csv").read_bytes()
    )
    assert "-05" in (tmp_path / "agent_tasks.csv").read_text(encoding="utf-8")[:2000]
    pd.testing.assert_frame_equal(
        dk.read_progress(tmp_path).tasks, dk.read_progress(folder).tasks
    )


@pytest.mark.parametrize("suffix", [".csv.gz", ".parquet"])
def test_other_kinds_of_tables(case_study, tmp_path, suffix):
    folder = case_study / "progress"
    for name in ("llm_project_config", "agent_tasks"):
        source = folder / f"{name}.csv"
        if suffix == ".csv.gz":
            (tmp_path / f"{name}.csv.gz").write_bytes(
                gzip.compress(source.read_bytes())
            )
            continue
        frame = pd.read_csv(source, keep_default_na=False, na_values=[""])
        for column in ("created_at", "execution_started_at"):
            if column in frame:
                zoned = pd.to_datetime(frame[column], format="ISO8601", utc=True)
                naive = column == "execution_started_at"
                frame[column] = zoned.dt.tz_localize(None) if naive else zoned
        frame.to_parquet(tmp_path / f"{name}.parquet")
    one, two = dk.read_progress(tmp_path), dk.read_progress(folder)
    pd.testing.assert_frame_equal(one.projects, two.projects)
    pd.testing.assert_frame_equal(one.tasks, two.tasks)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2025-11-24 10:00:00", "10:00"),
        ("2025-11-24T10:00:00Z", "10:00"),
        ("2025-11-24 10:00:00.5-05", "15:00"),
        ("2025-11-24 10:00:00+05:30", "04:30"),
        ("2025-11-24 10:00:00 +0100", "09:00"),
        ('"2025-11-24 10:00:00,25"', "10:00"),
    ],
)
def test_times_become_utc(tmp_path, written, utc):
    found = starts(write(tmp_path / "f", f"a,running,{written}\n"))[0]
    assert f"{found:%Y-%m-%d %H:%M}" == f"2025-11-24 {utc}"


def test_a_zone_is_for_the_times_without_one(tmp_path):
    folder = write(
        tmp_path / "f",
        "a,x,2025-11-24 10:00:00\nb,x,2025-11-24 10:00:00+00\nc,x,2025-10-26 02:30\n"
        "d,x,2025-11-24\n",
    )
    found = starts(folder, tz="Europe/Berlin")
    assert [f"{t:%d %H:%M}" for t in found] == [
        "24 09:00",
        "24 10:00",
        "26 00:30",
        "23 23:00",
    ]
    with pytest.raises(dk.SettingError, match="no time zone 'Mars'"):
        starts(folder, tz="Mars")


@pytest.mark.parametrize("word", ["", "NULL", "\\N", "None", "NaT"])
def test_a_missing_time(tmp_path, word):
    assert starts(write(tmp_path / "f", f"a,x,{word}\n")).isna().all()


def test_words_for_nothing_are_names_like_any_other(tmp_path):
    folder = write(
        tmp_path / "f",
        "".join(f"{n},x,\n" for n in ("NA", "null", "nan", "None", "007")),
        "1,NA,completed,2025-11-24\n2,007,completed,2025-11-24\n",
    )
    found = dk.read_progress(folder)
    assert found.projects["project_id"].tolist() == ["NA", "null", "nan", "None", "007"]
    assert found.tasks["project_id"].tolist() == ["NA", "007"]
    assert found.notes == ()


def test_nothing_is_dropped_without_a_word(tmp_path):
    folder = write(
        tmp_path / "f",
        "a,archived,\n,running,\n",
        "1,a,paused?,2025-11-24\n2,,completed,2025-11-24\n3,a,completed,\n",
    )
    found = dk.read_progress(folder)
    assert found.notes == (
        "project rows left out for want of a project_id: 1",
        "tasks of no project that is there: 1",
        "tasks of no run, for want of a created_at: 1",
    )
    assert found.projects["execution_status"].tolist() == ["archived"]
    assert found.tasks["status"].tolist() == ["paused?", "completed", "completed"]


def test_two_files_of_one_table_are_noted(tmp_path):
    folder = write(tmp_path / "f", "a,x,\n")
    (folder / "agent_tasks.csv.gz").write_bytes(b"")
    note = "agent_tasks.csv is read; agent_tasks.csv.gz beside it is not"
    assert dk.read_progress(folder).notes == (note,)


def test_another_systems_names(tmp_path):
    path = database(
        tmp_path / "x.db",
        "create table jobs (key int, begin text, state text)",
        "create table steps (job int, state text, made text)",
        "insert into jobs values (7, '2025-11-24 10:00', 'done')",
        "insert into steps values (7, 'ok', '2025-11-24 10:01')",
    )
    schema = dk.ProgressSchema(
        "jobs",
        "steps",
        {
            "project_id": "key",
            "execution_started_at": "begin",
            "execution_status": "state",
        },
        {"project_id": "job", "status": "state", "created_at": "made"},
        {"done": "completed", "ok": "completed"},
    )
    found = dk.read_progress(path, schema)
    assert found.schema is schema
    assert found.projects["execution_status"].tolist() == ["completed"]
    assert found.tasks[["project_id", "status"]].to_numpy().tolist() == [
        ["7", "completed"]
    ]
    assert dk.audit_started_at(found).projects["percent_inferred"].tolist() == [100]


def test_empty_tables(tmp_path):
    found = dk.read_progress(database(tmp_path / "x.db", *MAKE))
    assert (len(found.projects), len(found.tasks)) == (0, 0)
    assert len(dk.read_progress(write(tmp_path / "f")).projects) == 0


@pytest.mark.parametrize(
    "name", ["with blank.db", "what?.db", "hash#1.db", "100%.db", "Ü.db"]
)
def test_paths_with_signs_that_urls_read_otherwise(tmp_path, name):
    if sys.platform == "win32" and "?" in name:
        pytest.skip("Windows has no such file")
    path = database(tmp_path / name, *MAKE)
    assert dk.read_progress(path).source == name
    assert dk.read_progress(f"sqlite:///{path}").source == name
    assert dk.read_progress(f"sqlite:///{path}?mode=ro").source == name


def test_a_relative_path(tmp_path, monkeypatch):
    write(tmp_path / "f", "a,x,\n")
    monkeypatch.chdir(tmp_path / "f")
    assert dk.read_progress(".").source == "f"


def test_a_write_is_refused(tmp_path):
    path = database(tmp_path / "x.db", *MAKE)
    for statement in (MAKE[0].replace("llm", "other"), "delete from agent_tasks"):
        with (
            pytest.raises(dk.SourceAccessError, match="readonly database"),
            open_readonly(path) as link,
        ):
            link.execute(sa.text(statement))
    with open_readonly(path) as link:
        assert link.engine.pool.status() == "NullPool"


def test_an_error_of_ones_own_passes_through(tmp_path):
    path = database(tmp_path / "x.db", *MAKE)
    with pytest.raises(ZeroDivisionError), open_readonly(path):
        raise ZeroDivisionError


def fails(where, kind, *texts, **options):
    with pytest.raises(kind) as caught:
        dk.read_progress(where, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert "hunter2" not in line
    for text in texts:
        assert text in line


def test_what_is_not_there(tmp_path):
    fails(tmp_path / "no", dk.SourceNotFoundError, "no: no such file or folder")
    fails(f"sqlite:///{tmp_path}/no.db", dk.SourceNotFoundError, "no.db: no such file")
    (tmp_path / "e").mkdir()
    fails(
        tmp_path / "e",
        dk.SourceNotFoundError,
        "no table 'llm_project_config': neither llm_project_config.parquet nor",
        "it has no CSV or parquet file",
    )
    (tmp_path / "e" / "llm_project_configs.csv").write_text("")
    fails(
        tmp_path / "e",
        dk.SourceNotFoundError,
        "did you mean 'llm_project_configs'",
        "it has llm_project_configs.csv",
    )


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"this is not a database at all" * 50)
    fails(path, dk.SourceFormatError, "x.sqlite: is not a SQLite database")
    path.write_bytes(b"")
    fails(path, dk.SourceFormatError, "x.sqlite: is empty")
    fails(f"sqlite:///{tmp_path}", dk.SourceAccessError, "cannot be read")


def test_a_damaged_database(tmp_path):
    path = database(tmp_path / "x.db", *MAKE)
    data = bytearray(path.read_bytes())
    data[100:1000] = b"\xff" * 900
    path.write_bytes(data)
    fails(path, dk.SourceFormatError, "x.db is a damaged SQLite database")


def test_a_locked_database(tmp_path, monkeypatch):
    monkeypatch.setattr("diagkit.sources.sessions.BUSY_S", 0.1)
    path = database(tmp_path / "x.db", *MAKE)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("begin exclusive")
    fails(path, dk.SourceAccessError, "x.db is locked by a writer")
    writer.close()


def test_a_file_that_may_not_be_read(tmp_path, request):
    path = database(tmp_path / "x.db", *MAKE)
    path.chmod(0)
    request.getfixturevalue("unprivileged")
    fails(path, dk.SourceAccessError, "x.db: may not be read (permission denied)")


def test_tables_and_columns_that_are_missing(tmp_path):
    path = database(tmp_path / "a.db", "create table t (a)")
    fails(
        path,
        dk.SourceNotFoundError,
        "a.db: no table 'llm_project_config'; no table 'agent_tasks'; it has t",
    )
    path = database(
        tmp_path / "b.db", MAKE[0].replace("project_config", "project_configs"), MAKE[1]
    )
    fails(path, dk.SourceNotFoundError, "did you mean 'llm_project_configs'?")
    path = database(
        tmp_path / "c.db",
        MAKE[0].replace("execution_started_at", "started_at"),
        MAKE[1],
    )
    fails(
        path,
        dk.SourceNotFoundError,
        "c.db, table llm_project_config: no column 'execution_started_at' (the "
        "migration that adds it has not run here)",
    )
    path = database(tmp_path / "d.db", MAKE[0], MAKE[1].replace("status", "state"))
    fails(
        path, dk.SourceNotFoundError, "table agent_tasks: no column 'status'; did you"
    )
    folder = write(tmp_path / "f", head="project_id,begin\n")
    fails(
        folder, dk.SourceNotFoundError, "llm_project_config.csv: no column 'execution"
    )
    fails(
        path,
        dk.SourceNotFoundError,
        "no column 'name'; it has project_id, execution_started_at; map another name "
        "with ProgressSchema(project_columns=",
        schema=dk.ProgressSchema(project_columns={"client_name": "name"}),
    )


def test_a_mapped_start_that_is_missing_blames_no_migration(tmp_path):
    path = database(tmp_path / "x.db", *MAKE)
    schema = dk.ProgressSchema(project_columns={"execution_started_at": "begin"})
    with pytest.raises(dk.SourceNotFoundError) as caught:
        dk.read_progress(path, schema)
    assert "migration" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "kind", "text"),
    [
        ("oracle://u:hunter2@h/d", dk.SettingError, "does not read 'oracle'"),
        ("postgresql://u:hunter2@h:port/d", dk.SettingError, "not a database URL"),
        ("sqlite://", dk.SettingError, "names no file"),
        ("sqlite:///:memory:", dk.SettingError, "names no file"),
        ("postgresql+nothing://u:hunter2@h/d", dk.SettingError, "no driver"),
        (
            "postgresql://u:hunter2@localhost:1/d",
            dk.SourceNotFoundError,
            "postgresql://localhost:1/d refuses the connection; is it up?",
        ),
        (
            "postgres://u:hunter2@no-such-host.invalid/d",
            dk.SourceNotFoundError,
            "has a host name that cannot be resolved",
        ),
    ],
)
def test_urls_that_lead_nowhere(url, kind, text):
    fails(url, kind, text)


def test_the_driver_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    fails(
        "postgresql://u:hunter2@h/d",
        dk.MissingExtraError,
        'pip install "diagkit[postgres]"',
    )


def test_a_time_that_is_none(tmp_path):
    fails(
        write(tmp_path / "f", ",x,2025-11-24\nb,x,24th of November\n"),
        dk.SourceFormatError,
        "f, table llm_project_config, column execution_started_at: row 2 holds "
        "'24th of November', which is no time",
    )


def test_a_project_that_is_there_twice(tmp_path):
    fails(
        write(tmp_path / "f", "a,x,\nb,x,\na,y,\n"),
        dk.SourceFormatError,
        "table llm_project_config: 1 project_id are there more than once, first 'a'",
    )


def test_damaged_tables(tmp_path):
    folder = write(tmp_path / "f", "a,x,\nb,x,,,,\n")
    fails(
        folder,
        dk.SourceFormatError,
        "llm_project_config.csv: damaged CSV table",
        "Row #3",
    )
    (folder / "llm_project_config.csv").write_text("")
    fails(folder, dk.SourceFormatError, "llm_project_config.csv: the file is empty")
    (folder / "llm_project_config.parquet").write_bytes(b"PAR1 and nothing else")
    fails(folder, dk.SourceFormatError, "damaged parquet table")
    (folder / "llm_project_config.parquet").unlink()
    (folder / "llm_project_config.csv").unlink()
    (folder / "llm_project_config.csv.gz").write_bytes(
        gzip.compress((PROJECT + "a,x,\n" * 99_999).encode())[:-90]
    )
    fails(folder, dk.SourceFormatError, "llm_project_config.csv.gz")


def test_numbers_as_ids(tmp_path):
    projects = pd.DataFrame({"project_id": [7, 8], "execution_started_at": [None] * 2})
    projects.to_parquet(tmp_path / "llm_project_config.parquet")
    when = pd.Timestamp("2025-11-24", tz="UTC")
    pd.DataFrame(
        {
            "project_id": [7.0, None],
            "status": ["completed"] * 2,
            "created_at": [when] * 2,
        }
    ).to_parquet(tmp_path / "agent_tasks.parquet")
    found = dk.read_progress(tmp_path)
    assert found.projects["project_id"].tolist() == ["7", "8"]
    assert found.tasks["project_id"].tolist()[0] == "7"
    assert found.notes == ("tasks of no project that is there: 1",)


def test_a_table_of_another_separator_shows_what_it_has(tmp_path):
    folder = write(tmp_path / "f", head="project_id;execution_started_at\n")
    fails(folder, dk.SourceNotFoundError, "it has project_id;execution_started_at")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("diagkit.sources.files.FREE_BYTES", 1000)
    folder = write(tmp_path / "f", "a,x,\n")
    rows = PROJECT + "\n".join(f"p{i},x," for i in range(10)) + "\n" + " " * 5_000_000
    (folder / "llm_project_config.csv").unlink()
    (folder / "llm_project_config.csv.gz").write_bytes(gzip.compress(rows.encode()))
    fails(folder, dk.SourceFormatError, "unpacks to more than")


def test_windows_and_utf_16_files(tmp_path):
    folder = write(tmp_path / "f", "a,x,2025-11-24\n")
    text = (PROJECT + "a,x,2025-11-24 10:00\n").replace("\n", "\r\n")
    for encoding in ("utf-8-sig", "utf-16"):
        (folder / "llm_project_config.csv").write_bytes(text.encode(encoding))
        found = dk.read_progress(folder).projects
        assert found["project_id"].tolist() == ["a"]
        assert found["execution_started_at"].notna().all()


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("postgresql+psycopg://u:hunter2@db:6543/shop", "postgresql://db:6543/shop"),
        (
            "postgresql://u:hunter2@/shop?host=/var/run/pg",
            "postgresql://localhost/shop",
        ),
        (Path("/srv/secret/x.db"), "x.db"),
    ],
)
def test_a_source_is_named_without_secrets_or_folders(where, name):
    assert describe_url(where) == name
