from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from diagkit.cli import main
from diagkit.cli.ports import write_markdown

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
services:
  api: {image: x, ports: ["8000:80"], environment: {U: "redis://:hunter2@localhost"}}
  mock: {image: x, ports: ["${PORT:-8000}:80"]}
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "250")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/compose.yaml").write_text(TEXT)
    return tmp_path / "dev"


def test_tables_for_people(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ports", str(stack), "--fail-on", "high"]) == 1
    out, err = capsys.readouterr()
    assert "dev/api and dev/mock both publish tcp port 8000 of the host" in out
    assert "localhost_target" in out
    assert "read 1 stacks, 2 services, 2 ports" in out
    assert "hunter2" not in out
    assert str(stack) not in out
    assert err == ""


def test_json_for_programs(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        argv = ["ports", str(stack), "--json", "--target", target, "--probe"]
        assert main([*argv, "--listeners"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["findings"][0]["code"] == "port_conflict"
    assert body["ports"][0] == {"service": "api", "container": "80/tcp", "dev": "8000"}
    assert [p["host_port"] for p in body["published"]] == [8000, 8000]
    assert [(p["target"], p["ok"]) for p in body["probes"]] == [(target, True)]


def test_the_port_map_as_markdown(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stack.parent / "prod").mkdir()
    (stack.parent / "prod/compose.yaml").write_text("services: {api: {image: x}}")
    files = [str(stack / "compose.yaml"), str(stack.parent / "prod/compose.yaml")]
    assert main(["ports", *files, "--markdown"]) == 0
    assert capsys.readouterr().out == (
        "| service | container | dev | prod |\n|---|---|---|---|\n"
        "| api | 80/tcp | 8000 | not published |\n| mock | 80/tcp | 8000 | – |\n"
    )


def test_hostile_text_does_not_act_in_markdown() -> None:
    table = pd.DataFrame(
        {"a": ["<b>|x|\n`[y](z)`\\", "\x1b[2J", "token=hunter2hunter2"]}
    )
    assert write_markdown(table).splitlines()[2:] == [
        "| &lt;b&gt;\\|x\\| \\`\\[y\\](z)\\`\\\\ |",
        "| \\\\x1b\\[2J |",
        "| token=\\[redacted:secret\\] |",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: [", "compose.yaml:1: is no YAML"),
        ("services: {a: {image: x, ports: ['a:b']}}", "compose.yaml:1: the port 'a:b'"),
        ("a: 1", "compose.yaml: no compose file"),
    ],
)
def test_an_error_is_one_line(
    stack: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (stack / "compose.yaml").write_text(text)
    assert main(["ports", str(stack)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"diagkit: {said}")
    assert len(err.splitlines()) == 1


def test_a_scan_is_refused(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["ports", str(stack), "--probe", "--target", "tcp://10.0.0.1-9:80"]
    assert main(argv) == 2
    assert "names no single host" in capsys.readouterr().err
