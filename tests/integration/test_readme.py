"""What the README and the other pages say is so."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from diagkit.cli import main
from diagkit.sources.settings import read_settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    lines = "".join(blocks(text, "sh")).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def test_the_first_screen_has_what_it_must() -> None:
    top = "\n".join(README.splitlines()[:14])
    assert "pip install uv && uv run diagkit demo" in top
    assert "pip install uv && uv run pytest" in top
    assert "![" in top
    for picture in re.findall(r"\]\((docs/images/[^)]+)\)", README):
        assert (ROOT / picture).is_file()


def test_links_lead_somewhere() -> None:
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_policies_are_described_as_they_are() -> None:
    import diagkit as dk

    page = (ROOT / "docs/audit.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    described = {row[0].strip("| `"): row[1:] for row in rows}
    assert list(described) == [policy.name for policy in dk.POLICIES]
    for policy in dk.POLICIES:
        tasks, _, unit, done, shown = described[policy.name]
        assert tasks.startswith("every" if policy.population == "all" else "the run")
        assert unit == {"row": "rows", "logical": "logical tasks"}[policy.unit]
        assert tuple(done.split(", ")) == policy.numerator
        assert shown.startswith("rounded" if policy.rounding else "raw float")
    codes = blocks(page, "python")
    assert "dk.ProgressPolicy(" in codes[0]
    incident = dk.open_sample()
    names = {"dk": dk, "incident": incident, "progress": incident.progress}
    names["audit"] = dk.audit_started_at(incident.progress)
    for code in codes:
        exec(code, names)


@pytest.mark.filterwarnings("ignore:.*FigureCanvasAgg is non-interactive")
def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(README, "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "postmortem.html").is_file()


RUN = [c for c in commands(README) if c[0] == "diagkit" and "postgresql" not in c[2]]


@pytest.mark.parametrize("command", RUN, ids=" ".join)
def test_the_commands_run(
    command: list[str], tmp_path: Path, sample: Path, monkeypatch, capsys
) -> None:
    shutil.copy(sample / "api.log", tmp_path)
    shutil.copy(sample / "progress.sqlite", tmp_path)
    shutil.copytree(
        sample,
        tmp_path / "incidents/2025-11-24",
        ignore=shutil.ignore_patterns("capture"),
    )
    monkeypatch.chdir(tmp_path)
    assert main(command[1:]) == ("--fail-on" in command)
    assert capsys.readouterr().err == ""


def test_there_are_commands_to_run() -> None:
    assert {command[1] for command in RUN} == {
        "leaks",
        "logs",
        "audit",
        "backfill",
        "migration",
        "ports",
        "http",
        "triage",
        "compare",
        "report",
        "notebooks",
    }


def test_the_entries_of_the_settings_are_those_that_are_read(tmp_path: Path) -> None:
    from diagkit.sources.settings import ENTRIES

    page = (ROOT / "docs/incidents.md").read_text(encoding="utf-8")
    (text,) = blocks(page, "toml")
    (tmp_path / "incident.toml").write_text(text, encoding="utf-8")
    settings = read_settings(tmp_path / "incident.toml")
    assert settings.schema.tasks_table == "job"
    assert set(tomllib.loads(text)) == set(ENTRIES)


def test_no_page_names_a_registry_or_a_path_of_a_machine() -> None:
    for path in subprocess.run(
        ["git", "ls-files", "*.md", "*.toml", ".ci/*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(?:home|root|work)/", text), path
        assert "index-url" not in text, path
