"""`diagkit review`: runs are compared, decisions merge in a real git."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from IPython.core.interactiveshell import InteractiveShell

import diagkit as dk
from diagkit.cli import main
from diagkit.errors import SettingError, SourceFormatError, SourceNotFoundError
from diagkit.frames.findings import FINDINGS, Finding, build_findings
from diagkit.report.runs import MIME
from diagkit.report.sidecar import name_sidecar

if TYPE_CHECKING:
    from pathlib import Path

ONE = Finding("connection_leak", "api", "code", "high", "3 lost", "a.log:1", "close")
TWO = Finding("pool_exhausted", "api", "service", "medium", "2 waits", "a.log:9", "")


@pytest.fixture(scope="module")
def diagnosis(sample: Path) -> dk.Diagnosis:
    return dk.analyse_incident(dk.open_incident(sample.parent / "two_stacks"))


def store(path: Path, *findings: Finding) -> Path:
    """Write a run as a report keeps it."""
    rows = build_findings(findings).astype("str").to_dict("records")
    path.write_text(json.dumps({"findings": rows}), encoding="utf-8")
    return path


def git(folder: Path, *words: str, code: int = 0) -> str:
    names = ["-c", "user.name=Sam Lee", "-c", "user.email=sam@example.net"]
    done = subprocess.run(
        ["git", *names, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main", ".")
    git(tmp_path, "config", "user.name", "Sam Lee")
    return tmp_path


# --- the findings of a run


@pytest.mark.parametrize("ending", ["ipynb", "html", "md", "json"])
def test_every_report_says_what_was_found(diagnosis, tmp_path, ending: str) -> None:
    path = tmp_path / f"postmortem.{ending}"
    dk.render_report(diagnosis, path)
    got = dk.read_findings(path).set_index("id").sort_index()
    want = dk.redact_frame(diagnosis.findings).frame.set_index("id").sort_index()
    pd.testing.assert_frame_equal(got.astype("str"), want.astype("str"))
    assert got["severity"].cat.ordered
    changes = dk.compare_findings(diagnosis.findings, dk.read_findings(path))
    assert set(changes["change"]) == {"same"}


def test_a_run_that_found_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "api.log").write_text("2025-11-24 09:00:00 [INFO] a.b: up\n")
    (tmp_path / "in" / "incident.toml").write_text('zone = "UTC"\n')
    for ending in ("html", "md", "ipynb", "json"):
        path = tmp_path / f"pm.{ending}"
        dk.render_report(dk.open_incident(tmp_path / "in"), path)
        assert dk.read_findings(path).empty


def show_in_notebook(path: Path, *frames: object) -> Path:
    """Run a cell a frame in a real IPython, and save what it shows."""
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "diagkit")
    try:
        book = nbformat.v4.new_notebook()
        for frame in frames:
            data, metadata = shell.display_formatter.format(frame)
            output = nbformat.v4.new_output(
                "display_data", data=data, metadata=metadata
            )
            cell = nbformat.v4.new_code_cell("findings", outputs=[output])
            book.cells.append(cell)
    finally:
        shell.run_line_magic("unload_ext", "diagkit")
        InteractiveShell.clear_instance()
    nbformat.write(book, path)
    return path


def test_a_notebook_that_was_run_keeps_what_it_showed(tmp_path: Path) -> None:
    secret = Finding("leak", "x", "code", "low", "password=hunter2", "", "")
    first = build_findings([ONE, TWO, secret])[["severity", "id", "summary", "remedy"]]
    again = build_findings(
        [Finding("pool_exhausted", "api", "code", "low", "1 wait", "", "")]
    )
    other = pd.DataFrame({"a": [1]})
    path = show_in_notebook(tmp_path / "run.ipynb", first, again, other, "text", 3)
    assert "hunter2" not in json.dumps(
        nbformat.read(path, 4).cells[0].outputs[0].data[MIME]
    )
    got = dk.read_findings(path).set_index("id")
    assert got.loc[ONE.id, ["code", "severity", "summary", "remedy"]].tolist() == [
        *("connection_leak", "high", "3 lost", "close"),
    ]
    # Of what is shown twice, the last counts.
    assert got.loc[TWO.id, ["severity", "summary"]].tolist() == ["low", "1 wait"]
    assert len(got) == 3


def test_a_notebook_that_showed_no_findings_is_told_from_one_without(tmp_path) -> None:
    empty = show_in_notebook(tmp_path / "empty.ipynb", FINDINGS.empty())
    assert dk.read_findings(empty).empty
    other = show_in_notebook(tmp_path / "other.ipynb", pd.DataFrame({"a": [1]}))
    with pytest.raises(SourceFormatError, match="does not say what was found"):
        dk.read_findings(other)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.ipynb", "{", "no notebook that can be read"),
        ("a.ipynb", "[]", "no notebook that can be read"),
        ("a.json", '{"findings": [{"id": 3}]}', "no severity|can be read"),
        ("a.json", '{"findings": [{"id": "a-1", "severity": "huge"}]}', "no severity"),
        ("a.html", "<p>hello", "does not say what was found"),
        ("a.csv", "id", "are read from .ipynb, .html, .md, .json"),
    ],
)
def test_what_is_no_run_is_told(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceFormatError, match=says):
        dk.read_findings(tmp_path / name)


def test_a_revision_of_git_is_a_run(repository: Path, monkeypatch) -> None:
    path = store(repository / "pm.json", ONE)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "one")
    store(path, TWO)
    monkeypatch.chdir(repository)
    assert dk.read_findings("main:pm.json")["id"].tolist() == [ONE.id]
    assert dk.read_findings("pm.json")["id"].tolist() == [TWO.id]
    for name in ("other:pm.json", "main:no.json", "no.json", "--version:x.json"):
        with pytest.raises(SourceNotFoundError, match="no such file"):
            dk.read_findings(name)


# --- decisions


TEXT = st.text(max_size=20)


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([ONE.id, TWO.id]),
            st.sampled_from(["accept", "dispute", "comment"]),
            st.text(min_size=1, max_size=9).filter(str.strip),
            TEXT,
            TEXT,
        ),
        max_size=8,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_written_is_read(tmp_path: Path, rows) -> None:
    path = tmp_path / "a.reviews.jsonl"
    path.unlink(missing_ok=True)
    for finding, decision, by, text, said in rows:
        dk.add_review(path, finding, decision, by=by, text=text, said=said)
    got = dk.read_reviews(path).astype("str").values.tolist()
    plain = []
    for f, d, b, t, s in rows:
        turn = 1 + sum(row[0] == f for row in plain)
        plain.append([f, d, " ".join(b.split()), " ".join(t.split()), s, "", str(turn)])
    assert got == sorted(plain, key=lambda row: row[0])


def test_decisions_of_two_branches_merge(repository: Path) -> None:
    path = repository / "postmortem.reviews.jsonl"
    (repository / "README").write_text("x\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "base")
    git(repository, "branch", "other")
    dk.add_review(path, ONE.id, "accept", by="Sam", said="3 lost")
    assert (repository / ".gitattributes").read_text() == (
        "*.reviews.jsonl merge=union\n"
    )
    dk.add_review(path, TWO.id, "accept", by="Sam", said="2 waits")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Sam's")
    git(repository, "checkout", "-q", "other")
    dk.add_review(path, ONE.id, "dispute", by="Kim", said="3 lost", text="no: 2")
    dk.add_review(path, TWO.id, "accept", by="Sam", said="2 waits")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Kim's")
    git(repository, "merge", "-q", "--no-edit", "main")
    rows = build_findings([ONE, TWO])
    changes = dk.compare_findings(rows, rows, dk.read_reviews(path))
    got = dict(
        zip(
            changes["finding"],
            zip(changes["state"], changes["reviews"], strict=True),
            strict=True,
        )
    )
    assert got[ONE.id][0] == "disputed"
    assert set(got[ONE.id][1].split("; ")) == {"Sam accepted", "Kim disputed: no: 2"}
    assert got[TWO.id] == ("accepted", "Sam accepted")


def test_a_conflict_that_is_left_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.reviews.jsonl"
    dk.add_review(path, ONE.id, "accept", by="Sam")
    line = path.read_text()
    path.write_text(f"{line}<<<<<<< HEAD\n{line}")
    with pytest.raises(SourceFormatError, match=r"a\.reviews\.jsonl:2: git left a con"):
        dk.read_reviews(path)
    path.write_text(f"{line}[]\n")
    with pytest.raises(SourceFormatError, match=r"jsonl:2: is no decision"):
        dk.read_reviews(path)
    path.write_text('{"finding": "a-1", "decision": "maybe", "by": "Sam"}\n')
    with pytest.raises(SourceFormatError, match=r"jsonl:1: needs finding, by"):
        dk.read_reviews(path)


def test_a_line_with_more_in_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.reviews.jsonl"
    line = '{"by":"Sam","finding":"a-1","decision":"accept","link":"https://x"}\n'
    path.write_text(line)
    dk.add_review(path, "b-1", "accept", by="Kim")
    assert path.read_text().startswith(line)


def test_a_decision_has_a_name_and_somebody() -> None:
    with pytest.raises(SettingError, match="did you mean 'accept'"):
        dk.add_review("x.reviews.jsonl", ONE.id, "acept", by="Sam")
    with pytest.raises(SettingError, match="say who decided"):
        dk.add_review("x.reviews.jsonl", ONE.id, "accept", by=" ")


# --- the page


HOSTILE = "<script>alert(1)</script> \x1b[31m \u202egnp <img src=x onerror=alert(1)>"


@pytest.mark.parametrize("ending", ["html", "md"])
def test_the_page_says_all_and_runs_nothing(tmp_path: Path, ending: str) -> None:
    bad = Finding("leak", "x", "code", "high", HOSTILE, "", "")
    head = [Finding("connection_leak", "api", "code", "low", "1 lost", "", ""), bad]
    path = tmp_path / f"review.{ending}"
    said = tmp_path / "a.reviews.jsonl"
    dk.add_review(said, bad.id, "dispute", by="Kim", text="password=hunter2", said="x")
    changes = dk.compare_findings(
        build_findings([ONE, TWO]), build_findings(head), dk.read_reviews(said)
    )
    dk.render_review(changes, path, base="<b>", head="now")
    text = path.read_text(encoding="utf-8")
    for heading in ("New", "Better", "Gone"):
        assert f"## {heading}\n" in text or f"<h2>{heading}</h2>" in text
    assert "1 new, 1 better, 1 gone; 1 outdated." in text.replace("\\", "")
    assert "<script" not in text.replace("&lt;", "")
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "hunter2" not in text
    again = tmp_path / f"again.{ending}"
    dk.render_review(changes, again, base="<b>", head="now")
    assert again.read_bytes() == path.read_bytes()


def test_a_page_is_no_run(tmp_path: Path) -> None:
    rows = build_findings([ONE])
    dk.render_review(dk.compare_findings(rows, rows), tmp_path / "review.html")
    with pytest.raises(SourceFormatError, match="does not say what was found"):
        dk.read_findings(tmp_path / "review.html")
    with pytest.raises(SettingError, match=r"written as \.html or \.md"):
        dk.render_review(dk.compare_findings(rows, rows), tmp_path / "review.pdf")


# --- the command


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    worse = Finding("connection_leak", "api", "code", "critical", "99 lost", "", "")
    base = store(tmp_path / "base.json", ONE, TWO)
    return str(base), str(store(tmp_path / "head.json", worse, TWO))


def test_the_command_compares_and_decides(runs, capsys, tmp_path: Path) -> None:
    assert main(["review", *runs]) == 0
    out = capsys.readouterr().out
    assert "99 lost" in out
    assert "(was: 3 lost)" in out
    assert "2 waits" not in out
    assert "1 worse, 1 the same." in out
    assert main(["review", *runs, "--check"]) == 1
    page = tmp_path / "review.html"
    decided = ["--accept", "connection_leak", "--comment", "known", "--by", "Sam"]
    assert main(["review", *runs, *decided, "--check", "-o", str(page)]) == 0
    assert "Sam accepted: known" in page.read_text(encoding="utf-8")
    assert (tmp_path / "head.reviews.jsonl").exists()
    # A dispute is open again, and what is found later outdates what was said.
    assert main(["review", *runs, "--dispute", TWO.id, "--by", "Kim", "--check"]) == 1
    store(tmp_path / "head.json", TWO)
    capsys.readouterr()
    assert main(["review", *runs, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["findings"]
    assert {row["change"]: row["state"] for row in rows} == {
        "gone": "outdated",
        "same": "disputed",
    }


def test_it_imports_what_it_needs(runs) -> None:
    code = (
        "import sys; from diagkit.cli import main; main(sys.argv[1:]); "
        "print([m for m in ('sqlalchemy', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "review", *runs],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_one_run_alone_is_shown_with_its_decisions(runs, capsys, tmp_path) -> None:
    page = tmp_path / "page.md"
    decided = ["--on", TWO.id, "--comment", "on Fridays only", "--by", "Kim"]
    assert main(["review", runs[0], *decided, "-o", str(page)]) == 0
    name = runs[0].rpartition("/")[2]
    assert page.read_text(encoding="utf-8").splitlines()[0] == f"# Review: {name}"
    out = " ".join(capsys.readouterr().out.split())
    assert "3 lost" in out
    assert "Kim" in out
    assert "Fridays only" in out
    assert "2 the same." in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--accept", "conection_leak", "--by", "Sam"], "is the id of no finding"),
        (["--accept", "", "--by", "Sam"], "'' is the id of no finding"),
        (["--comment", "why not", "--by", "Sam"], "say on which finding"),
        (["--accept", "conn", "--by", "Sam", "-o", "x.pdf"], "a review is written as"),
        (["--on", "conn", "--by", "Sam"], "say what with --comment"),
    ],
)
def test_what_cannot_be_decided_is_told(runs, capsys, words, says: str) -> None:
    assert main(["review", *runs, *words]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert not name_sidecar(runs[1]).exists()


def test_folders_of_incidents_are_runs_too(sample: Path, tmp_path, capsys) -> None:
    ignore = shutil.ignore_patterns("capture")
    here = shutil.copytree(sample.parent / "two_stacks", tmp_path / "in", ignore=ignore)
    report = tmp_path / "pm.ipynb"
    dk.render_report(dk.open_incident(here), report)
    assert main(["review", str(report), str(here), "--check"]) == 0
    assert "the same." in capsys.readouterr().out
    assert name_sidecar(here) == tmp_path / "in.reviews.jsonl"


def test_who_decides_is_whom_git_names(repository: Path, monkeypatch, capsys) -> None:
    store(repository / "pm.json", ONE)
    monkeypatch.chdir(repository)
    assert main(["review", "pm.json", "--accept", ONE.id]) == 0
    said = dk.read_reviews("pm.reviews.jsonl")
    assert said["by"].tolist() == ["Sam Lee"]
    assert "Sam Lee accepted" in " ".join(capsys.readouterr().out.split())
