from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import diagkit as dk
from diagkit.cli import main
from diagkit.cli.commands import COMMANDS
from diagkit.cli.output import printable

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 3"
)
LOG = f"2025-11-25 22:00:14 [ERROR] a.b: {TIMEOUT}\n"


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "api.log"
    path.write_text(LOG)
    return path


def test_leaks_prints_tables_for_people(log: Path, capsys) -> None:
    assert main(["leaks", str(log), "--tz", "UTC"]) == 0
    out, err = capsys.readouterr()
    assert "1 failed attempt to get a connection" in out
    assert "2025-11-25 22:00:00Z" in out
    assert "1 records read from 1 file(s)" in out
    assert err == ""


def test_leaks_prints_json_for_programs(log: Path, capsys) -> None:
    assert main(["leaks", str(log), "--tz", "UTC", "--json"]) == 0
    out, err = capsys.readouterr()
    body = json.loads(out)
    assert err == ""
    assert body["findings"][0]["code"] == "pool_exhausted"
    assert body["counts"] == [
        {"timestamp": "2025-11-25T22:00:00.000000Z", "leak": 0, "exhaustion": 1}
    ]
    assert body["events"][0]["message"] == TIMEOUT
    assert body["events"][0]["line"] == 1


@pytest.mark.parametrize(("fail_on", "code"), [("critical", 1), ("low", 1), (None, 0)])
def test_findings_decide_the_exit_code(
    log: Path, capsys, fail_on: str | None, code: int
) -> None:
    option = ["--fail-on", fail_on] if fail_on else []
    assert main(["leaks", str(log), "--tz", "UTC", *option]) == code


def test_less_severe_findings_do_not_fail(tmp_path: Path, capsys) -> None:
    log = tmp_path / "api.log"
    log.write_text("2025-11-25 22:00:14 [ERROR] a: unexpected connection_lost() call\n")
    assert main(["leaks", str(log), "--tz", "UTC", "--fail-on", "high"]) == 0
    assert main(["leaks", str(log), "--tz", "UTC", "--fail-on", "medium"]) == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["leaks", "nowhere.log"], "nowhere.log: no such file or folder"),
        (["leaks", "{log}", "--tz", "Mars"], "no time zone 'Mars'"),
        (["leaks", "{log}", "--tz", "UTC", "--every", "x"], "every='x' is no length"),
        (["leaks", "{log}", "--tz", "UTC", "--fail-on", "hihg"], "did you mean 'high'"),
        (["leaks", "{log}", "--tz", "UTC", "--chart", "no/x.png"], "no/x.png: cannot"),
        (["report", "nowhere"], "nowhere: no such file or folder"),
        (["report", "{log}"], "an incident is a folder"),
        (["report", "{folder}", "-o", "x.docx"], "no report format '.docx'"),
        (["demo", "--to", "{log}/x"], "cannot be written"),
        (["notebooks", "{log}"], "cannot be written"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    log: Path, capsys, argv: list[str], said: str
) -> None:
    argv = [a.format(log=log, folder=log.parent) for a in argv]
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("diagkit: ")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err + out


def test_what_was_read_only_in_part_is_said(log: Path, capsys) -> None:
    (log.parent / "README.md").write_text("# x\n")
    assert main(["leaks", str(log.parent), "--json"]) == 0
    err = capsys.readouterr().err
    assert "diagkit: left out, for they are no logs: README.md" in err
    assert "diagkit: api.log: its times have no zone" in err


def test_hostile_text_does_not_reach_the_terminal(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.log").write_text(f"2025-11-25 22:00:14 [ERROR] a.b: {TIMEOUT}\n")
    (tmp_path / "\x1b[31mred.log").write_text(LOG)
    assert main(["leaks", str(tmp_path), "--tz", "UTC"]) == 0
    assert main(["leaks", str(tmp_path / "\x1b[2J.log")]) == 2
    out, err = capsys.readouterr()
    assert "\x1b[31m" not in out
    assert "\x1b" not in err


def test_secrets_are_not_printed(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.log").write_text(LOG.strip() + " password=hunter2hunter2\n")
    assert main(["leaks", str(tmp_path / "x.log"), "--tz", "UTC", "--json"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert "[redacted:secret]" in out


def test_a_chart_is_drawn(log: Path, tmp_path: Path, capsys) -> None:
    chart = tmp_path / "leaks.png"
    assert main(["leaks", str(log), "--tz", "UTC", "--chart", str(chart)]) == 0
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert f"chart: {chart}" in " ".join(capsys.readouterr().out.split())


def test_report_writes_the_file_it_names(log: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "pm.html"
    argv = ["report", str(log.parent), "-o", str(output), "--fail-on", "critical"]
    assert main(argv) == 1
    assert output.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "pm.html" in capsys.readouterr().out


def test_demo_does_the_main_job(tmp_path: Path, capsys) -> None:
    assert main(["demo", "--to", str(tmp_path / "demo")]) == 0
    out = capsys.readouterr().out
    assert "connections leaked" in out
    assert "no execution_started_at" in " ".join(out.split())
    last = " ".join(out.strip().splitlines()[-1:])
    assert "postmortem.html" in last
    assert "jupyter lab" in last
    assert (tmp_path / "demo/postmortem.html").is_file()
    assert sorted(p.name for p in (tmp_path / "demo/notebooks").iterdir())[0] == (
        "00_start_here.ipynb"
    )


def test_notebooks_that_people_changed_are_not_replaced(tmp_path: Path, capsys) -> None:
    assert main(["notebooks", str(tmp_path / "nb")]) == 0
    assert main(["notebooks", str(tmp_path / "nb")]) == 0
    mine = tmp_path / "nb/01_connection_leaks.ipynb"
    mine.write_text("{}")
    assert main(["notebooks", str(tmp_path / "nb")]) == 2
    assert "01_connection_leaks.ipynb was changed there" in capsys.readouterr().err
    assert mine.read_text() == "{}"
    assert main(["notebooks", str(tmp_path / "nb"), "--force"]) == 0
    assert mine.read_text() != "{}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys) -> None:
    assert main([command, "--help"]) == 0
    assert f"Example: diagkit {command}" in " ".join(capsys.readouterr().out.split())


def test_without_a_command_help_is_shown(capsys) -> None:
    assert main([]) in (0, 2)
    out, err = capsys.readouterr()
    assert "Usage: diagkit" in out + err


def test_an_unknown_option_is_an_error(capsys) -> None:
    assert main(["leaks", "--nonsense"]) == 2


def test_controls_are_spelled_out() -> None:
    assert printable("a\tb\x00\u202ec") == "a\tb\\x00\\u202ec"


def test_the_module_is_the_command_line_too() -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "diagkit", "leaks", "nowhere.log"],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert done.stderr.startswith("diagkit: nowhere.log")
    assert dk.__version__ == "0.1.0"


def test_a_fault_of_our_own_is_one_line_too(
    log: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("token=hunter2hunter2")  # noqa: EM101

    monkeypatch.setattr(dk, "find_leaks", fail, raising=False)
    assert main(["leaks", str(log), "--tz", "UTC"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("diagkit: a fault of diagkit itself (KeyError: ")
    assert len(err.splitlines()) == 1
    assert "hunter2" not in err
    monkeypatch.setenv("DIAGKIT_DEBUG", "1")
    with pytest.raises(KeyError):
        main(["leaks", str(log), "--tz", "UTC"])


def test_what_the_system_refuses_is_one_line(
    log: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "x.log")

    monkeypatch.setattr(dk, "find_leaks", fail, raising=False)
    assert main(["leaks", str(log), "--tz", "UTC"]) == 2
    assert capsys.readouterr().err == "diagkit: x.log: No space left on device\n"
