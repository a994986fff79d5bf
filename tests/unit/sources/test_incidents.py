from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

import diagkit as dk
from diagkit.sources.identify import identify_file
from diagkit.sources.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

LOG = "2025-11-25 22:00:14 [INFO    ] a.b: one\n2025-11-25 23:00:14 [INFO] a.b: two\n"
POOL = "sampled_at,size,checkedout\n2025-11-25T22:30:00Z,5,1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "api.log").write_text(LOG)
    (tmp_path / "pool.csv").write_text(POOL)
    (tmp_path / "README.md").write_text("# what happened\n")
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/compose.yaml").write_text("services:\n  a: {image: x}\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "empty.log").touch()
    return tmp_path


def make_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as link:
        link.execute(
            "create table llm_project_config (project_id text, execution_status text,"
            " execution_started_at text, created_at text, updated_at text)"
        )
        link.execute(
            "create table agent_tasks (task_id text, project_id text, status text,"
            " created_at text)"
        )
        link.execute("insert into llm_project_config values ('p','running',null,'','')")
        link.commit()


def test_contents_say_what_is_used_and_why_not(folder: Path) -> None:
    contents = dk.open_incident(folder).contents
    said = {row.file: (row.kind, row.used) for row in contents.itertuples()}
    assert said == {
        "README.md": ("document", False),
        "api.log": ("logs", True),
        "empty.log": ("empty", False),
        "picture.png": ("binary", False),
        "pool.csv": ("pool", True),
        "stack/compose.yaml": ("compose", True),
    }
    notes = contents.set_index("file")["note"]
    assert notes["picture.png"] == "a PNG picture"


def test_parts_are_read_when_they_are_used(folder: Path) -> None:
    incident = dk.open_incident(folder)
    (folder / "api.log").write_text(LOG + LOG)
    assert len(incident.logs) == 4
    assert incident.logs is incident.logs
    assert incident.pool["checked_out"].tolist() == [1]
    assert incident.activity.empty
    assert incident.progress is None


def test_what_a_recorder_wrote_is_found(folder: Path) -> None:
    engine = sa.create_engine(
        "sqlite://", poolclass=sa.QueuePool, pool_size=3, logging_name="api"
    )
    with dk.PoolRecorder(engine, folder / "recordings"):
        with engine.connect():
            pass
        kept = engine.connect()
    incident = dk.open_incident(folder)
    (part,) = (folder / "recordings").iterdir()
    of_part = incident.contents.set_index("file").loc[f"recordings/{part.name}"]
    assert (of_part["kind"], of_part["used"]) == ("recording", True)
    assert incident.checkouts["outcome"].tolist() == ["returned", "held"]
    dk.CHECKOUTS.check(incident.checkouts)
    # The sample of the CSV, of the year before, comes first.
    assert incident.pool["checked_out"].tolist()[0] == 1
    assert incident.pool["pool"].nunique(dropna=False) == 2
    assert incident.pool["checked_out"].tolist()[-1] == 1
    dk.POOL.check(incident.pool)
    assert len(incident.logs) == 2
    kept.close()
    engine.dispose()


def test_without_a_recorder_there_are_no_checkouts(folder: Path) -> None:
    checkouts = dk.open_incident(folder).checkouts
    assert len(dk.CHECKOUTS.check(checkouts)) == 0


def test_progress_is_found_in_a_database(folder: Path) -> None:
    make_database(folder / "whatever.db")
    incident = dk.open_incident(folder)
    kinds = incident.contents.set_index("file")["kind"]
    assert kinds["whatever.db"] == "progress"
    assert incident.progress is not None
    assert incident.progress.projects["project_id"].tolist() == ["p"]


def test_progress_is_found_in_tables(folder: Path) -> None:
    (folder / "export").mkdir()
    (folder / "export/llm_project_config.csv").write_text(
        "project_id,execution_status,execution_started_at\np,running,\n"
    )
    (folder / "export/agent_tasks.csv").write_text(
        "task_id,project_id,status,created_at\nt,p,completed,2025-11-25T22:00:00Z\n"
    )
    incident = dk.open_incident(folder)
    used = incident.contents[incident.contents["kind"] == "progress"]
    assert used["used"].tolist() == [True, True]
    assert incident.progress is not None
    assert incident.progress.tasks["task_id"].tolist() == ["t"]


def test_a_database_named_by_the_environment_goes_first(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch
) -> None:
    other = tmp_path_factory.mktemp("db") / "x.sqlite"
    make_database(other)
    (folder / "incident.toml").write_text('database_url_env = "PROGRESS_URL"\n')
    assert dk.open_incident(folder).progress is None
    monkeypatch.setenv("PROGRESS_URL", f"sqlite:///{other}")
    progress = dk.open_incident(folder).progress
    assert progress is not None
    assert len(progress.projects) == 1


def test_settings_add_what_no_file_can_say(folder: Path) -> None:
    (folder / "incident.toml").write_text(
        'title = "Leaks"\nzone = "America/Jamaica"\ndisplay_zone = "Europe/Berlin"\n'
        'ignore = ["stack"]\nto = 2025-11-25T22:30:00\n'
        "[[marks]]\nat = 2025-11-25T22:10:00\nlabel = 'deploy'\n"
    )
    incident = dk.open_incident(folder)
    assert incident.title == "Leaks"
    assert "stack/compose.yaml" not in set(incident.contents["file"])
    assert incident.logs["message"].tolist() == ["one"]
    assert str(incident.logs["timestamp"][0]) == "2025-11-26 03:00:14+00:00"
    assert str(incident.marks["timestamp"][0]) == "2025-11-26 03:10:00+00:00"
    assert incident.marks["label"].tolist() == ["deploy"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("titel = 'x'", "no entry 'titel' is known; did you mean 'title'"),
        ("title = 5", "title = 5 must be a text"),
        ("zone = 'Mars'", "no time zone 'Mars'"),
        ("title = ", "is no TOML"),
        ("marks = ['x']", r"a mark is written \[\[marks\]\]"),
        ("from = 'x'", "must be a time"),
        ("[schema]\ntasks_tabel = 'x'", "tasks_tabel"),
        ("targets = [5]", "a target is written 'tcp://host:port'"),
        ("targets = [{where = 'tcp://a:1', expct = 2}]", "did you mean 'expect'"),
        ("targets = [{where = 'http://a', expect = 'x'}]", "expect is a number"),
        ("targets = [{where = 'http://a', expect = 1}]", "expect is a status of HTTP"),
        ("targets = ['ftp://a']", "no probe is known for ftp://"),
        ("targets = ['postgresql://u:p@db/x']", "a target holds a password"),
    ],
)
def test_settings_without_meaning_are_told(folder: Path, text: str, said: str) -> None:
    (folder / "incident.toml").write_text(text)
    with pytest.raises(dk.SettingError, match=said):
        dk.open_incident(folder)


def test_targets_are_kept_and_not_asked(folder: Path) -> None:
    (folder / "incident.toml").write_text(
        "targets = ['localhost:8000', "
        "{where = 'http://localhost:1/up', expect = 204}]\n"
    )
    incident = dk.open_incident(folder)
    assert [(t.where, t.expect) for t in incident.targets] == [
        ("localhost:8000", None),
        ("http://localhost:1/up", 204),
    ]
    summaries = dk.rank_findings(incident)["summary"].tolist()
    assert any("a client uses port 8000 of the host" in s for s in summaries)


def test_without_settings_the_defaults_hold(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "incident.toml").zone == "UTC"


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda f: None, dk.SourceNotFoundError, "the folder holds no file"),
        (lambda f: f.rmdir(), dk.SourceNotFoundError, "no such file or folder"),
        (
            lambda f: (f / "a.png").write_bytes(b"\x89PNG"),
            dk.SourceFormatError,
            r"holds nothing that can be used \(a.png: a PNG picture\)",
        ),
    ],
)
def test_a_folder_without_an_incident(
    tmp_path: Path, make, error: type[Exception], said: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder)
    with pytest.raises(error, match=said):
        dk.open_incident(folder)


def test_a_file_is_no_incident(folder: Path) -> None:
    with pytest.raises(dk.SourceNotFoundError, match="an incident is a folder"):
        dk.open_incident(folder / "api.log")


def test_hashes_are_of_what_is_used(folder: Path) -> None:
    import hashlib

    hashes = dk.open_incident(folder).hashes
    assert set(hashes) == {"api.log", "pool.csv", "stack/compose.yaml"}
    assert hashes["api.log"] == hashlib.sha256(LOG.encode()).hexdigest()


def test_a_file_that_cannot_be_unpacked_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00" + os.urandom(50))
    found = identify_file(path)
    assert found.kind == "unreadable"
    assert "damaged" in found.note


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.txt", LOG, "logs"),
        ("a.log", "nothing known\n", "logs"),
        ("a.txt", "nothing known\n", "unknown"),
        ("a.json", '{"x": 1}', "document"),
        ("a.jsonl", '{"message": "x", "level": "info"}\n', "logs"),
        ("a.csv", "a,b\n1,2\n", "table"),
        ("a.csv", "timestamp,pid,backend_start\n", "activity"),
        ("compose.yml", "services:\n", "compose"),
        ("stack.yml", "services:\n  a: {image: x}\n", "compose"),
        ("symfony.yml", "services:\n  _defaults: {autowire: true}\n", "document"),
        ("nginx.conf", "location / { proxy_pass http://a; }\n", "proxy"),
        ("other.yml", "x: 1\n", "document"),
        ("a.log", "\x1b[32m2025-11-25 22:00:14 [INFO] a.b: one\x1b[0m\n", "logs"),
    ],
)
def test_files_are_told_by_their_content(
    tmp_path: Path, name: str, text: str, kind: str
) -> None:
    (tmp_path / name).write_text(text)
    assert identify_file(tmp_path / name).kind == kind


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_that_is_not_there_or_empty_can_be_noted(tmp_path, made) -> None:
    folder = tmp_path / "in"
    if made:
        folder.mkdir()
    incident = dk.open_incident(folder, errors="note")
    (note,) = incident.notes
    assert note.startswith(f"{folder}: ")
    assert incident.title == "in"
    assert len(incident.contents) == len(incident.logs) == len(incident.http) == 0
    assert incident.progress is None
    assert incident.ports.stacks == []
    # All analyses go through.
    assert len(dk.rank_findings(incident)) == 0
    assert dk.triage(incident).hypotheses["code"].tolist() == ["undetermined"]
    dk.render_report(incident, tmp_path / "pm.html")


def test_what_cannot_be_read_is_noted_and_the_rest_is(tmp_path) -> None:
    (tmp_path / "api.log").write_text("2025-11-24 18:17:11 - root - INFO - up\n")
    # Its first bytes are those of a database, and no more.
    (tmp_path / "progress.sqlite").write_bytes(b"SQLite format 3\0" + bytes(400))
    (tmp_path / "incident.toml").write_text("titel = 'x'\n")
    with pytest.raises(dk.SettingError):
        dk.open_incident(tmp_path)
    incident = dk.open_incident(tmp_path, errors="note")
    assert ["no entry 'titel' is known" in note for note in incident.notes] == [True]
    assert incident.logs["message"].tolist() == ["up"]
    assert incident.progress is None
    assert len(incident.notes) == 2
    assert "progress.sqlite" in incident.notes[1]
    with pytest.raises(dk.SettingError, match="errors='ignore' is none of raise, note"):
        dk.open_incident(tmp_path, errors="ignore")
