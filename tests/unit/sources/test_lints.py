from __future__ import annotations

import sys

import pytest

import diagkit as dk
from diagkit.frames.lints import LINT
from diagkit.sources.lints import find_squawk, read_lint

needs_squawk = pytest.mark.skipif(
    find_squawk() is None, reason="squawk is not installed (pip install squawk-cli)"
)
SQL = """-- a migration
ALTER TABLE t ADD COLUMN IF NOT EXISTS s timestamp NULL;
CREATE INDEX IF NOT EXISTS i ON t (s);
"""


@pytest.fixture
def sql(tmp_path):
    path = tmp_path / "00[8] a.sql"
    path.write_bytes(b"\xef\xbb\xbf" + SQL.replace("\n", "\r\n").encode())
    return path


@needs_squawk
def test_a_file_is_linted(sql):
    found = read_lint(sql)
    assert list(LINT.check(found).columns) == LINT.names
    assert set(found["file"]) == {"00[8] a.sql"}
    assert set(found["level"]) == {"Warning"}
    rules = found.set_index("rule")
    assert rules.loc["prefer-timestamp-tz", "line"] == 2
    assert rules.loc["require-concurrent-index-creation", "line"] == 3
    assert "timestamptz" in rules.loc["prefer-timestamp-tz", "help"]
    assert found["line"].is_monotonic_increasing


@needs_squawk
def test_the_case_studys_migration_is_linted(sample):
    path = sample / "capture" / "migrations" / "008_execution_tracking.sql"
    found = read_lint(path)
    assert (found["rule"] == "prefer-timestamp-tz").sum() == 2
    assert "constraint-missing-not-valid" in set(found["rule"])


@needs_squawk
def test_sql_that_is_none_is_an_error_of_the_file(sql):
    sql.write_text("selec x;")
    found = read_lint(sql)
    assert set(found["level"]) == {"Error"}
    assert set(found["rule"]) == {"syntax-error"}
    sql.write_text("SELECT 1;")
    assert len(read_lint(sql)) == 0


def test_without_squawk(sql, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_squawk() is None
    with pytest.raises(dk.MissingExtraError, match="pip install squawk-cli"):
        read_lint(sql)


def test_what_is_no_sql(tmp_path, monkeypatch):
    path = tmp_path / "x.sql"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(dk.SourceFormatError, match="is no text in UTF-8"):
        read_lint(path)
    monkeypatch.setattr("diagkit.sources.lints.MOST_BYTES", 3)
    with pytest.raises(dk.SourceFormatError, match="4 bytes are no migration"):
        read_lint(path)
    with pytest.raises(dk.SourceNotFoundError, match="no such file"):
        read_lint(tmp_path / "no.sql")


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
@pytest.mark.parametrize(
    ("does", "kind", "text"),
    [
        (
            "echo 'unexpected argument --reporter, password=hunter2' >&2; exit 2",
            dk.SourceFormatError,
            "answers with 2 and says: unexpected argument --reporter, password=[",
        ),
        ("exit 1", dk.SourceFormatError, "squawk answers with 1 and says: nothing"),
        ("echo '{}'", dk.SourceFormatError, "squawk answers with 0"),
        ("echo '[{\"line\": 1}]'", dk.SourceFormatError, "not as squawk 2 writes it"),
        ("sleep 60", dk.SourceError, "squawk cannot be run (TimeoutExpired)"),
    ],
)
def test_a_program_of_that_name_that_is_another(
    sql, tmp_path, monkeypatch, does, kind, text
):
    program = tmp_path / "bin" / "squawk"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec 3<&0\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(
        "diagkit.sources.lints.TIMEOUT_S", 0.2 if "sleep" in does else 20
    )
    with pytest.raises(kind) as caught:
        read_lint(sql)
    assert text in str(caught.value)
    assert "hunter2" not in str(caught.value)
