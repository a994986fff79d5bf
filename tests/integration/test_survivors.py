"""Secrets in everything that an incident names: none survives in what leaves."""

from __future__ import annotations

import asyncio
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import nbformat
import pytest
from matplotlib.text import Text
from nbclient import NotebookClient

import diagkit as dk
from diagkit.cli import main
from tests.secret_incident import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.analyses.diagnosis import Diagnosis

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
# What is read only in part is warned of; here it is on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::diagkit.errors.DiagkitWarning")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, sample: Path):
    return build(sample.parent, tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def diagnosis(planted) -> Diagnosis:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dk.analyse_incident(dk.open_incident(planted[0]))


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every text that is drawn on a picture."""
    texts: list[str] = []
    write = Text.draw

    def draw(self: Text, renderer: Any) -> None:
        texts.append(self.get_text())
        write(self, renderer)

    monkeypatch.setattr(Text, "draw", draw)
    yield texts
    plt.close("all")


def test_the_search_finds_them(planted) -> None:
    incident, secrets = planted
    assert secrets.survivors(str(incident)) == ["folder (email)"]
    assert secrets.survivors(incident.name[3:11]) == ["folder (email)"]
    log = next(incident.rglob("password=*.log"))
    found = secrets.survivors(f"{log} {log.read_text()}")
    assert {"log file (password)", "message (bearer)", "message (card)"} <= set(found)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["html", "md", "json", "ipynb"])
def test_reports(planted, diagnosis, drawn, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    dk.render_report(diagnosis, path)
    text = path.read_text(encoding="utf-8")
    assert "[redacted:" in text.replace("\\", "")
    assert planted[1].survivors(text) == []
    assert planted[1].survivors("\n".join(drawn)) == []


COMMANDS = (
    "leaks",
    "logs",
    "http",
    "audit",
    "audit, proof",
    "backfill",
    "check",
    "compare",
    "migration",
    "ports",
    "review",
    "report",
    "triage",
    "none such",
)


def commands(incident: Path, tmp_path: Path) -> dict[str, list[str]]:
    folder = str(incident)
    database = f"sqlite:///{next(incident.glob('*.sqlite'))}"
    log = str(next(incident.rglob("password=*.log")))
    http = [str(next(incident.glob("access*"))), str(incident / "browser.har")]
    return {
        "leaks": ["leaks", log, "--every", "1D", "--chart", str(tmp_path / "l.png")],
        "logs": ["logs", "explain", log, *http],
        "http": ["http", *http],
        "audit": ["audit", folder],
        "audit, proof": ["audit", database, "--prove-readonly"],
        "backfill": ["backfill", database, "--chart", str(tmp_path / "b.png")],
        "check": ["check", folder],
        "compare": ["compare", folder, folder],
        "migration": ["migration", database],
        "ports": ["ports", folder],
        "review": ["review", folder, "--reviews", str(tmp_path / "r.jsonl")],
        "report": ["report", folder, "-o", str(tmp_path / "r.md")],
        "triage": ["triage", folder],
        "none such": ["triage", f"{folder}/none"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.filterwarnings("default::diagkit.errors.DiagkitWarning")
def test_commands(
    planted, drawn, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    incident, secrets = planted
    monkeypatch.setenv("COLUMNS", "3000")
    words = commands(incident, tmp_path)[name]
    code = main(words)
    told, err = capsys.readouterr()
    assert code == (2 if name == "none such" else code)
    assert secrets.survivors(told + err) == []
    assert main([*words, "--json"]) == code
    out, err = capsys.readouterr()
    assert secrets.survivors(out + err) == []
    assert secrets.survivors("\n".join(drawn)) == []
    if name == "none such":
        assert "[redacted:email]" in err
        return
    counted = json.loads(out)["redactions"]
    assert ("redacted: " in told) <= (counted > 0)
    if name != "review":  # It takes secrets out of what it reads, and counts none.
        assert ("[redacted:" in told) == ("\nredacted: " in told)


def test_a_map_of_ports_as_markdown(planted, capsys) -> None:
    incident, secrets = planted
    main(["ports", str(incident), "--markdown"])
    out, err = capsys.readouterr()
    assert secrets.survivors(out + err) == []
    assert r"\[redacted:email\]" in out
    assert "redacted: " in err


@pytest.mark.slow
def test_explorers(planted, diagnosis, drawn) -> None:
    incident = diagnosis.incident
    pages = []
    explorers: list[Any] = [
        dk.LeakExplorer(diagnosis.leaks, incident.logs, marks=incident.marks),
        *(
            dk.PoolExplorer(incident.pool, incident.checkouts, picture=picture)
            for picture in ("use", "holders", "waits")
        ),
        dk.ProgressExplorer(diagnosis.audit, incident.progress),
        dk.IncidentBoard(diagnosis),
    ]
    # A view is what an explorer works with, not what it shows.
    bars = [explorer.view().bars[-5:] for explorer in explorers]
    drawn.clear()
    for explorer, some in zip(explorers, bars, strict=True):
        pages.append(str(explorer.static()))
        for bar in some:
            explorer.set(**{explorer.picked: bar.value})
            pages.append(str(explorer.static()))
    for finding in diagnosis.findings["id"]:
        explorers[-1].set(finding=finding, bar=None)
        pages.append(str(explorers[-1].static()))
    assert planted[1].survivors("\n".join(pages)) == []
    assert planted[1].survivors("\n".join(drawn)) == []
    assert "[redacted:" in "\n".join(drawn)


# Before the first cell: what is drawn is printed where it holds a secret.
WATCH = """
import matplotlib.text as _text
_write = _text.Text.draw
def _draw(self, renderer):
    print("drawn:", self.get_text())
    return _write(self, renderer)
_text.Text.draw = _draw
"""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks(planted, tmp_path: Path, path: Path) -> None:
    incident, secrets = planted
    book = nbformat.read(path, as_version=4)
    cell = next(c for c in book.cells if "parameters" in c.metadata.get("tags", []))
    cell.source += f"\nincident = {str(incident)!r}\n{WATCH}"
    resources = {"metadata": {"path": str(tmp_path)}}
    asyncio.run(NotebookClient(book, timeout=120, resources=resources).async_execute())
    found = {}
    for number, cell in enumerate(c for c in book.cells if c.cell_type == "code"):
        outputs = [{**one, "data": _said(one)} for one in cell.outputs]
        if left := secrets.survivors(json.dumps(outputs)):
            found[number] = left
    assert found == {}


def _said(output: Any) -> dict[str, Any]:
    data = output.get("data", {})
    return {kind: said for kind, said in data.items() if kind != "image/png"}
