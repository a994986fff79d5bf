from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from diagkit.cli import main
from diagkit.sources.explanations import explain_logs
from diagkit.sources.paths import find_files

if TYPE_CHECKING:
    from pathlib import Path

LOG = """2025-11-25 22:00:14 [ERROR   ] a.b: password=hunter2hunter2
with a second line
INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK
\x1b[31mprinted by somebody
Jun 14 15:16:01 combo sshd[5]: lost it
"""


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "api.log"
    path.write_text(LOG, encoding="utf-8")
    return path


def test_formats_are_explained_to_people(log: Path, capsys) -> None:
    assert main(["logs", "explain", str(log)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "python.bracketed_level" in out
    assert "5 lines in 4 records, 3 of them without a time" in out
    assert "lines that no format explains: 1" in out
    assert "Unexplained" in out
    assert "\\x1b[31mprinted by somebody" in out
    assert "hunter2" not in out


def test_formats_are_explained_to_programs(log: Path, capsys) -> None:
    assert main(["logs", "explain", str(log), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    rows = {row["format"]: row for row in body["formats"]}
    assert {name: (r["records"], r["lines"]) for name, r in rows.items()} == {
        "python.bracketed_level": (1, 2),
        "uvicorn.access": (1, 1),
        "unknown": (1, 1),
        "syslog.rfc3164": (1, 1),
    }
    assert rows["syslog.rfc3164"]["without_time"] == 1
    assert rows["python.bracketed_level"]["without_time"] == 0
    assert rows["uvicorn.access"]["example"].startswith("INFO:     127.0.0.1:5")
    assert [row["line"] for row in body["unexplained"]] == [4]
    assert "hunter2" not in json.dumps(body)


def test_where_all_is_explained_nothing_is_shown(tmp_path: Path, capsys) -> None:
    path = tmp_path / "x.log"
    path.write_text("2025-11-24 18:17:11 - root - INFO - up\n")
    assert main(["logs", "explain", str(path)]) == 0
    assert "Unexplained" not in capsys.readouterr().out


def test_a_long_secret_is_not_cut_before_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    url = "postgresql://app:" + "s3cr3t" * 5 + "@db/prod"
    path.write_text("x" * 170 + " " + url + "\n")
    text = explain_logs(find_files(path)).formats["example"][0]
    assert "s3cr3t" not in text
    assert len(text) <= 200


def test_the_lines_add_up_over_many_records(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("2025-11-24 18:17:11 - root - INFO - up\nmore\n" * 60_000)
    found = explain_logs(find_files(path)).formats.iloc[0]
    assert (found["records"], found["lines"], found["without_time"]) == (
        60_000,
        120_000,
        0,
    )


def test_an_envelope_is_named(tmp_path: Path, capsys) -> None:
    path = tmp_path / "x.log"
    path.write_text("api-1  | 2025-11-24 18:17:11 - root - INFO - up\n" * 20)
    assert main(["logs", "explain", str(path)]) == 0
    out = capsys.readouterr().out
    assert "python.dashes" in out
    assert "taken out of compose" in out


def test_formats_of_ones_own_are_used(log: Path, capsys, monkeypatch) -> None:
    own = log.with_name("own.toml")
    own.write_text(
        '[[format]]\nname = "mine"\nlayout = "{level} in {logger}: {message}"\n'
        'examples = [{ line = "ERROR in db: lost it", logger = "db" }]\n'
    )
    log.write_text("ERROR in db: lost it\n")
    monkeypatch.setenv("DIAGKIT_FORMATS", str(own))
    assert main(["logs", "explain", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["formats"][0]["format"] == "mine"


@pytest.mark.parametrize("what", ["missing", "empty", "formats"])
def test_an_error_is_one_line(log: Path, capsys, monkeypatch, what: str) -> None:
    path = {"missing": log.with_name("no.log")}.get(what, log)
    if what == "empty":
        log.write_text("")
    if what == "formats":
        monkeypatch.setenv("DIAGKIT_FORMATS", "nowhere.toml")
    assert main(["logs", "explain", str(path)]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("diagkit: ")


def test_the_command_has_help_with_an_example(capsys) -> None:
    assert main(["logs", "explain", "--help"]) == 0
    assert "Example: diagkit logs explain" in " ".join(capsys.readouterr().out.split())
