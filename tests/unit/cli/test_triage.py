"""`diagkit http`, `triage`, `compare` and `check`: what they print, how they exit."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from diagkit.cli import main

if TYPE_CHECKING:
    from pathlib import Path

LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f00>>, which will "
    "be terminated.  Please ensure that SQLAlchemy pooled connections are returned."
)


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def stacks(sample: Path) -> Path:
    return sample.parent / "two_stacks"


@pytest.fixture
def night(tmp_path: Path):
    """Make a folder with a log of an hour, and so many leaks in it."""

    def make(name: str, leaks: int) -> str:
        folder = tmp_path / name
        folder.mkdir()
        lines = ["2025-11-24 10:00:00 [INFO ] api: up\n"]
        lines += [
            f"2025-11-24 10:{n + 1:02d}:00 [ERROR] sqlalchemy.pool.impl.Pool: {LEAK}\n"
            for n in range(leaks)
        ]
        lines += ["2025-11-24 11:00:00 [INFO ] api: down\n"]
        (folder / "api.log").write_text("".join(lines))
        (folder / "incident.toml").write_text('zone = "UTC"\n')
        return str(folder)

    return make


def test_http_for_people(stacks: Path, capsys) -> None:
    files = [str(stacks / "browser.har"), str(stacks / "backend.log")]
    assert main(["http", *files, "--every", "10s", "--fail-on", "high"]) == 1
    out, err = capsys.readouterr()
    assert "71 requests of 2 file(s)" in out
    assert "the backend's log has no failure for 46 of 46 requests that failed" in out
    assert "the backend's error rate with what its log lacks: 64.8% to 64.8%" in out
    assert "25 have no time and are in no bin" in out
    assert err == ""


def test_http_for_programs(stacks: Path, capsys) -> None:
    assert main(["http", str(stacks / "browser.har"), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["observers"] == [
        {"observer": "client", "requests": 46, "failed": 46, "rate": 1.0}
    ]
    assert sum(row["requests"] for row in body["counts"]) == 46
    assert body["unseen"] == []


def test_triage_for_people(stacks: Path, capsys) -> None:
    assert main(["triage", str(stacks)]) == 0
    out, err = capsys.readouterr()
    assert "a service that is needed from outside publishes no port there (95 %)" in out
    assert "refuted by: A request from where the clients are" in out
    assert "infrastructure" in out
    assert err == ""


def test_triage_for_programs(stacks: Path, capsys) -> None:
    assert main(["triage", str(stacks), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["hypotheses"][0]["code"] == "not_exposed"
    areas = [row["area"] for row in body["checklist"]]
    assert list(dict.fromkeys(areas)) == [
        "infrastructure",
        "service",
        "logs",
        "code",
        "data",
    ]


@pytest.mark.parametrize(("after", "code"), [(0, 0), (40, 0)])
def test_compare(night, capsys, after: int, code: int) -> None:
    before, now = night("before", 40), night("after", after)
    assert main(["compare", before, now, "--fail"]) == code
    out, err = capsys.readouterr()
    assert ("1 gone" if after == 0 else "1 same") in out
    assert err == ""


def test_a_fix_that_made_it_worse_fails(night, capsys) -> None:
    before, now = night("before", 2), night("after", 40)
    assert main(["compare", before, now]) == 0
    assert main(["compare", before, now, "--fail", "--json"]) == 1
    body = json.loads(capsys.readouterr().out.partition("1 worse")[2].strip())
    (row,) = body["findings"]
    assert (row["code"], row["before"], row["after"]) == ("connection_leak", 2, 40)
    assert row["verdict"] == "worse"
    assert 1 < row["low"] < row["rate_ratio"] == 20 < row["high"]


def test_nothing_to_compare(night, capsys) -> None:
    assert main(["compare", night("before", 0), night("after", 0)]) == 0
    assert "neither has a finding" in capsys.readouterr().out


def test_check_fails_for_leaks(night, capsys) -> None:
    folder = night("after", 3)
    assert main(["check", folder]) == 1
    out, err = capsys.readouterr()
    assert "3 connections leaked" in out
    assert "1 passed, 1 failed, 4 not done" in out
    assert err == ""


def test_check_with_a_baseline(night, capsys) -> None:
    before, now = night("before", 3), night("after", 3)
    assert main(["check", now, "--before", before]) == 0
    assert main(["check", now, "--before", before, "--strict"]) == 1
    assert "1 of before, none worse" in capsys.readouterr().out
    assert main(["check", night("worse", 40), "--before", before]) == 1


def test_check_for_programs(sample: Path, tmp_path: Path, capsys) -> None:
    ignore = shutil.ignore_patterns("capture")
    folder = shutil.copytree(sample, tmp_path / "incident", ignore=ignore)
    assert main(["check", str(folder), "--json"]) == 1
    body = json.loads(capsys.readouterr().out)
    assert {row["check"]: row["result"] for row in body["checks"]} == dict.fromkeys(
        (
            "no_new_leaks",
            "whole_percentages",
            "subscriptions_without_errors",
            "old_projects_right",
            "filtering_right",
            "pool_in_bounds",
        ),
        "failed",
    )


@pytest.mark.parametrize("command", ["triage", "check"])
def test_a_folder_that_is_none(command: str, capsys) -> None:
    assert main([command, "nowhere"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "nowhere: no such file or folder" in err
