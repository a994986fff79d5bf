from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest

import diagkit as dk
from diagkit.report.document import Document, Section, Table
from diagkit.report.pages import to_html

SECRETS = {
    "password": "hunter2hunter2",
    "key": "AKIA2E0A8F3B244C9986",
    "mail": "sam.lee@example.net",
    "card": "5500005555555559",
}
HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> $\\frac{1}{0}$ | `x` "
    "\x1b[31m \u202e [a](javascript:alert(3))"
)
POOL = "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"


@pytest.fixture
def incident(tmp_path: Path) -> dk.Incident:
    folder = tmp_path / "in"
    folder.mkdir()
    text = (
        "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 3"
    )
    records = [
        f"2025-11-25 22:00:{n:02} [ERROR   ] a.b: {text} token={secret} {HOSTILE}"
        for n, secret in enumerate(SECRETS.values())
    ]
    (folder / "api.log").write_text("\n".join(records) + "\n", encoding="utf-8")
    (folder / "<b>.png").write_bytes(b"\x89PNG")
    (folder / "incident.toml").write_text(
        f"title = 'Leaks of {SECRETS['mail']} <script>'\n"
        "display_zone = 'Europe/Berlin'\n"
        "[[marks]]\nat = 2025-11-25T22:00:01Z\nlabel = 'deploy $x_{$ <b>\u202e'\n"
    )
    return dk.open_incident(folder)


class Page(HTMLParser):
    """What a browser makes of a page: its elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def render(incident: dk.Incident, ending: str, folder: Path, **options: bool) -> str:
    output = folder / f"out.{ending}"
    dk.render_report(incident, output, **options)
    return output.read_text(encoding="utf-8")


@pytest.mark.parametrize("ending", ["html", "md", "json"])
def test_no_secret_survives(incident: dk.Incident, tmp_path: Path, ending: str) -> None:
    text = render(incident, ending, tmp_path)
    assert [s for s in SECRETS.values() if s in text] == []
    assert "QueuePool" in text


def test_replacements_are_counted(incident: dk.Incident, tmp_path: Path) -> None:
    assert json.loads(render(incident, "json", tmp_path))["redactions"] > 0
    said = Page(render(incident, "html", tmp_path)).text
    assert re.search(r"Redacted before writing: \d+ replacements", said)


def test_redaction_can_be_declined(incident: dk.Incident, tmp_path: Path) -> None:
    text = render(incident, "html", tmp_path, redact=False)
    assert SECRETS["password"] in text
    assert "Nothing was redacted." in text


def test_hostile_text_does_nothing(incident: dk.Incident, tmp_path: Path) -> None:
    html = render(incident, "html", tmp_path)
    page = Page(html)
    assert page.all("script") == page.all("b") == []
    assert all(not a.startswith("on") for _, attrs in page.elements for a in attrs)
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "\\u202e" in html


def test_the_page_needs_nothing_else(incident: dk.Incident, tmp_path: Path) -> None:
    page = Page(render(incident, "html", tmp_path))
    links = [
        value
        for _, attrs in page.elements
        for name, value in attrs.items()
        if name in ("src", "href") and value
    ]
    assert links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert page.all("link") == page.all("iframe") == page.all("object") == []


def test_the_page_is_readable_by_all(incident: dk.Incident, tmp_path: Path) -> None:
    page = Page(render(incident, "html", tmp_path))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert all(attrs.get("alt") for attrs in page.all("img"))
    assert all(attrs.get("scope") == "col" for attrs in page.all("th"))
    named = [attrs for attrs in page.all("table") if attrs.get("aria-label")]
    assert named == [{"aria-label": "Actions"}]
    assert len(page.all("caption")) == len(page.all("table")) - 1 > 3
    anchors = [str(a["href"])[1:] for a in page.all("a")]
    listed = {str(row["id"]) for row in page.all("tr") if "id" in row}
    assert listed == set(dk.rank_findings(incident)["id"])
    # Each section stands in the contents, and each finding leads to its row.
    assert set(anchors) == {str(s["id"]) for s in page.all("section")} | listed
    ids = [str(attrs["id"]) for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_page_says_what_was_found(incident: dk.Incident, tmp_path: Path) -> None:
    text = " ".join(Page(render(incident, "html", tmp_path)).text.split())
    assert "4 failed attempts to get a connection" in text
    assert "Findings: 1 critical." in text
    assert "2025-11-25 22:00:01 2025-11-25 23:00:01 +0100 deploy $x_{$ <b>" in text
    assert "What was not used, and why" in text


def test_markdown_holds_no_markup_of_a_log(
    incident: dk.Incident, tmp_path: Path
) -> None:
    text = render(incident, "md", tmp_path)
    assert "<script>" not in text
    assert "[a](javascript" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 5
    heads = text.split("**Findings, the most severe first**")[1].split("\n\n")[1]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in heads.splitlines()} == {7}


def test_json_carries_stable_ids(incident: dk.Incident, tmp_path: Path) -> None:
    one, two = (json.loads(render(incident, "json", tmp_path)) for _ in range(2))
    assert one == two
    assert one["findings"][0]["code"] == "pool_exhausted"
    assert one["leaks"][0]["timestamp"] == "2025-11-25T22:00:00Z"
    assert set(one["sha256"]) == {"api.log", "incident.toml"}


@pytest.mark.parametrize("ending", ["html", "md", "json"])
def test_the_same_incident_is_the_same_bytes(
    incident: dk.Incident, tmp_path: Path, ending: str
) -> None:
    first = render(incident, ending, tmp_path)
    again = dk.open_incident(tmp_path / "in")
    assert render(again, ending, tmp_path) == first
    assert str(tmp_path) not in first


def test_json_has_every_part(sample: Path, tmp_path: Path) -> None:
    inc = dk.open_incident(sample)
    body = json.loads(render(inc, "json", tmp_path))
    assert body["display_zone"] == "America/Jamaica"
    assert body["timeline"][0]["event"] == "deploy 2025.11.25"
    said = dk.triage(inc)
    assert [h["code"] for h in body["hypotheses"]] == said.hypotheses["code"].tolist()
    assert [c["step"] for c in body["checklist"]] == said.checklist["step"].tolist()
    assert {row["service"] for row in body["ports"]} == {"api", "api-mock", "db", "web"}
    assert set(body["versions"]) == {"diagkit", "pandas"}


def test_the_machines_own_style_changes_no_picture(
    incident: dk.Incident, tmp_path: Path
) -> None:
    first = render(incident, "html", tmp_path)
    with mpl.rc_context({"axes.facecolor": "yellow", "font.size": 20}):
        assert render(dk.open_incident(tmp_path / "in"), "html", tmp_path) == first


def test_the_notebook_finds_the_incident_below_it(
    incident: dk.Incident, tmp_path: Path
) -> None:
    book = json.loads(render(incident, "ipynb", tmp_path.parent))
    source = next(c["source"] for c in book["cells"] if c["id"] == "parameters")
    assert "".join(source).startswith(f"folder = '{tmp_path.name}/in'")
    (tmp_path / "elsewhere").mkdir()
    book = json.loads(render(incident, "ipynb", tmp_path / "elsewhere"))
    source = next(c["source"] for c in book["cells"] if c["id"] == "parameters")
    assert "".join(source).startswith("folder = 'in'")


def test_sentences_with_a_number_name_their_finding(sample: Path, tmp_path) -> None:
    page = tmp_path / "pm.md"
    dk.render_report(dk.open_incident(sample), page)
    text = page.read_text(encoding="utf-8").replace("\\", "")
    ids = set(dk.rank_findings(dk.open_incident(sample))["id"])
    sections = dict(
        part.split("\n", 1) for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    )
    for name in ("Summary", "Impact", "Detection", "Root cause and trigger"):
        body = sections[name].partition("<!-- diagkit")[0]
        said = [line for line in body.splitlines() if re.search(r"\d", line)]
        assert said
        for line in said:
            cited = re.findall(r"\[([a-z_]+-[0-9a-f]{8})\]", line)
            assert cited, line
            assert set(cited) <= ids


def test_the_summary_says_what_is_likely_and_what_is_open(sample, tmp_path) -> None:
    page = Page(render(dk.open_incident(sample), "html", tmp_path))
    text = " ".join(page.text.split())
    assert "Most severe: 33 failed attempts to get a connection [" in text
    assert "Likely cause (50 %): the application does not return connections" in text
    assert "As likely: the code expects columns or tables that the database" in text
    assert "failed or were not made: Does each service get the port" in text
    assert "deploy 2025.11.25 (1 min 13 s before)" in text
    assert "Held: Did the database take in whoever came?" in text
    assert "Not looked at: Did the backend see the requests that failed?" in text


def test_what_a_recorder_saw_stands_in_the_timeline(tmp_path: Path) -> None:
    data = json.loads(render(dk.open_sample("pool_pressure"), "json", tmp_path))
    events = [row["event"] for row in data["timeline"]]
    assert "first of 21 connections that shop.py Export.write took and lost" in events
    assert any("of pool 'api' with none left" in event for event in events)
    times = [row["timestamp"] for row in data["timeline"]]
    assert times == sorted(times)
    known = {row["id"] for row in data["findings"]}
    assert {row["finding"] for row in data["timeline"]} - {""} <= known


def test_an_unknown_ending_is_told(incident: dk.Incident, tmp_path: Path) -> None:
    with pytest.raises(
        dk.SettingError, match=r"use \.html, \.ipynb, \.md, \.json, \.pdf"
    ):
        dk.render_report(incident, tmp_path / "out.docx")


def test_nothing_is_left_half_written(
    incident: dk.Incident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.html"
    before = render(incident, "html", tmp_path)
    with (tmp_path / "in" / "api.log").open("a", encoding="utf-8") as log:
        log.write("2025-11-25 22:09:00 [ERROR   ] a.b: QueuePool limit of size 5\n")
    incident = dk.open_incident(tmp_path / "in")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(dk.SourceAccessError, match="No space left on device"):
        dk.render_report(incident, output)
    assert output.read_text(encoding="utf-8") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out.html"]


def test_a_folder_that_is_not_there(incident: dk.Incident, tmp_path: Path) -> None:
    with pytest.raises(dk.SourceAccessError, match="cannot be written"):
        dk.render_report(incident, tmp_path / "nowhere" / "out.html")


def test_an_incident_without_a_log(tmp_path: Path) -> None:
    (tmp_path / "pool.csv").write_text("time,checkedout,size\n2025-11-25T22:00Z,1,5\n")
    page = Page(render(dk.open_incident(tmp_path), "html", tmp_path))
    assert "There is no log, so leaks cannot be told." in page.text
    assert "Nothing of what diagkit looks for was found." in page.text
    assert page.all("img") == []


def test_columns_of_numbers_stand_at_the_right() -> None:
    rows = (("1", "–", "", "–", "x"), ("20.5 %", "3", "", "–", "1"))
    table = Table("T", ("a", "b", "c", "d", "e"), rows)
    page = to_html(Document("D", "", (Section("s", "S", tables=(table,)),)), "")
    right = re.findall(r'<th scope="col" class="num">(.)', page)
    assert right == ["a", "b"]
    assert '<td class="short num">20.5 %</td>' in page
