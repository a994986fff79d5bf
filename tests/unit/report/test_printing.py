"""A report on paper, by a real browser."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

import diagkit as dk
from diagkit.cli import main
from diagkit.report.printing import BROWSER, find_browser

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def incident(sample: Path) -> dk.Incident:
    return dk.open_incident(sample.parent / "two_stacks")


@pytest.mark.slow
def test_the_same_report_is_the_same_pdf(incident, tmp_path: Path) -> None:
    try:
        find_browser()
    except dk.SourceNotFoundError as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI has no browser: {error}")
        pytest.skip(str(error))
    files = [tmp_path / "one.pdf", tmp_path / "two.pdf"]
    for path in files:
        dk.render_report(incident, path)
    body = files[0].read_bytes()
    assert body == files[1].read_bytes()
    assert body.startswith(b"%PDF-")
    assert body.count(b"/Type /Page\n") > 3
    # Pages with a structure that is read aloud, and no trace of when or where.
    assert b"/StructTreeRoot" in body
    assert set(re.findall(rb"\(D:([^)]*)\)", body)) == {b"20000101000000+00'00'"}
    assert str(tmp_path).encode() not in body


def test_without_a_browser_it_is_told(
    incident, sample: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(BROWSER, raising=False)
    path = tmp_path / "pm.pdf"
    with pytest.raises(dk.SourceNotFoundError, match="a PDF needs a browser: none of"):
        dk.render_report(incident, path)
    monkeypatch.setenv(BROWSER, "no-such-browser")
    folder = str(sample.parent / "two_stacks")
    assert main(["report", folder, "-o", str(path)]) == 2
    assert "DIAGKIT_BROWSER=no-such-browser is not installed" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.skipif(os.name != "posix", reason="a browser that is a shell script")
@pytest.mark.parametrize(
    ("script", "says"),
    [("exit 3", "did not print the report"), ("exit 0", "did not print the report")],
)
def test_a_browser_that_does_not_print_is_told(
    incident, tmp_path, monkeypatch, script: str, says: str
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv(BROWSER, str(browser))
    with pytest.raises(dk.SourceAccessError, match=says):
        dk.render_report(incident, tmp_path / "pm.pdf")
    assert not (tmp_path / "pm.pdf").exists()
