"""What people wrote survives, and is marked where its findings changed."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import nbformat
import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.cli import main
from diagkit.report.fields import mark_lines, read_strays
from diagkit.report.narratives import (
    Narrative,
    digest,
    find_changed,
    merge_narrative,
    pack,
    unpack,
)

if TYPE_CHECKING:
    from pathlib import Path

LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f00>>, which will "
    "be terminated.  Please ensure that SQLAlchemy pooled connections are returned."
)
WORDS = "We rolled back at 22:05 and told support.\n\n- *then* we slept"


@pytest.fixture
def incident(tmp_path: Path):
    """Make an incident of so many leaks."""
    folder = tmp_path / "in"
    folder.mkdir()

    def make(leaks: int) -> dk.Incident:
        lines = [
            f"2025-11-24 10:00:{n:02d} [ERROR] a.b: {LEAK}\n" for n in range(leaks)
        ]
        (folder / "api.log").write_text(
            "2025-11-24 09:00:00 [INFO] a.b: up\n" + "".join(lines)
        )
        (folder / "incident.toml").write_text('zone = "UTC"\n')
        return dk.open_incident(folder)

    return make


def edit(path: Path, name: str, text: str) -> None:
    """Write into a field, as a person does."""
    if path.suffix == ".ipynb":
        book = nbformat.read(path, as_version=4)
        cell = next(
            c for c in book.cells if c.id.endswith("-" + name.replace("_", "-"))
        )
        assert "narrative" in cell.metadata.tags
        cell.source = text
        nbformat.write(book, path)
        return
    page = path.read_text(encoding="utf-8")
    shape = rf'(diagkit narrative [^\n]*"{name}"[^\n]*-->\n).*?(\n<!-- /diagkit)'
    assert re.search(shape, page, re.DOTALL)
    page = re.sub(shape, lambda m: m[1] + text + m[2], page, flags=re.DOTALL)
    path.write_text(page, encoding="utf-8")


def read(path: Path, name: str) -> str:
    if path.suffix == ".ipynb":
        book = nbformat.read(path, as_version=4)
        return next(
            c for c in book.cells if c.id.endswith("-" + name.replace("_", "-"))
        ).source
    page = path.read_text(encoding="utf-8")
    shape = rf'diagkit narrative [^\n]*"{name}"[^\n]*-->\n(.*?)\n<!-- /diagkit'
    found = re.search(shape, page, re.DOTALL)
    assert found is not None
    return found[1]


def leak_id(incident: dk.Incident) -> str:
    return dk.rank_findings(incident)["id"].iloc[0]


@pytest.mark.parametrize("ending", [".ipynb", ".md"])
def test_what_people_wrote_stays_and_is_marked(incident, tmp_path, ending) -> None:
    path = tmp_path / f"pm{ending}"
    dk.render_report(incident(3), path)
    assert "for somebody who was not there" in read(path, "summary")
    edit(path, "summary", WORDS)
    dk.render_report(incident(3), path)
    assert read(path, "summary") == WORDS
    assert "Changed since" not in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    dk.render_report(incident(3), path)
    assert path.read_bytes() == before
    # Five in place of three: the words stay, and say that they are of before.
    dk.render_report(incident(5), path)
    assert read(path, "summary") == WORDS
    text = path.read_text(encoding="utf-8")
    assert "Changed since the text below was written." in text
    assert "says now: 5 connections leaked" in text
    assert "it said: 3 connections leaked" in text
    # What is edited again was written against what it says now.
    edit(path, "summary", f"{WORDS} well")
    dk.render_report(incident(5), path)
    assert "Changed since" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("ending", [".ipynb", ".md"])
def test_a_claim_is_held_against_its_own_finding(incident, tmp_path, ending) -> None:
    path = tmp_path / f"pm{ending}"
    made = incident(3)
    dk.render_report(made, path)
    edit(path, "cause", f"The export forgets them [{leak_id(made)}].")
    dk.render_report(made, path)
    assert len(dk.check_report(made, path)) == 0
    claims = dk.check_report(incident(4), path)
    assert claims[["narrative", "finding"]].values.tolist() == [
        ["cause", leak_id(made)],
        ["", leak_id(made)],
    ]
    assert claims["was"].str.startswith("3 connections").all()
    assert claims["now"].str.startswith("4 connections").all()
    # Somebody looked, and says that it still holds.
    dk.render_report(incident(4), path, accept=True)
    assert len(dk.check_report(incident(4), path)) == 0
    assert "Changed since" not in path.read_text(encoding="utf-8")


def test_a_claim_on_a_finding_that_is_none(incident, tmp_path) -> None:
    path = tmp_path / "pm.md"
    dk.render_report(incident(3), path)
    edit(path, "cause", "It was [connection_leak-00000000].")
    (claim,) = dk.check_report(incident(3), path).to_dict("records")
    assert claim["summary"] == (
        "connection_leak-00000000 is no finding of this incident"
    )


def test_the_command_checks(incident, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    incident(3)
    folder, path = str(tmp_path / "in"), tmp_path / "pm.ipynb"
    assert main(["report", folder, "-o", str(path), "--check"]) == 2
    assert "no such report" in capsys.readouterr().err
    assert main(["report", folder, "-o", str(path)]) == 0
    edit(path, "summary", WORDS)
    assert main(["report", folder, "-o", str(path), "--check"]) == 0
    before = path.read_bytes()
    incident(0)
    assert main(["report", folder, "-o", str(path), "--check"]) == 1
    out = capsys.readouterr().out
    assert "is not found any more; it said: 3 connections leaked" in out
    assert path.read_bytes() == before
    assert main(["report", folder, "-o", str(path), "--accept"]) == 0
    assert main(["report", folder, "-o", str(path), "--check"]) == 0


def test_words_of_a_notebook_stand_on_the_page(incident, tmp_path) -> None:
    made = incident(2)
    book, page = tmp_path / "pm.ipynb", tmp_path / "pm.html"
    dk.render_report(made, book)
    edit(
        book, "summary", "**Rolled back** by sam.lee@example.net\n\n<script>x</script>"
    )
    dk.render_report(made, page, narrative=book)
    text = page.read_text(encoding="utf-8")
    assert "<strong>Rolled back</strong> by [redacted:email]" in text
    assert "&lt;script&gt;x&lt;/script&gt;" in text
    assert "<script" not in text
    # The page keeps them when it is made again without the notebook.
    dk.render_report(made, page)
    assert "<strong>Rolled back</strong>" in page.read_text(encoding="utf-8")
    data = tmp_path / "pm.json"
    dk.render_report(made, data, narrative=book)
    dk.render_report(made, data)
    words = {
        n["narrative"]: n["text"] for n in json.loads(data.read_text())["narratives"]
    }
    assert words["summary"].startswith("**Rolled back** by [redacted:email]")


def test_a_page_with_no_words_of_people(incident, tmp_path) -> None:
    with pytest.raises(dk.SourceNotFoundError, match="narrative names a report"):
        dk.render_report(incident(1), tmp_path / "a.md", narrative=tmp_path / "b.md")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "# Something else\n"),
        ("index.html", "<h1>Something else</h1>"),
        ("data.json", '{"findings_of_mine": 1}'),
        ("book.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4}'),
    ],
)
def test_what_diagkit_did_not_make_is_left_alone(incident, tmp_path, name, text):
    other = tmp_path / name
    other.write_text(text)
    with pytest.raises(dk.SourceFormatError, match="no report of diagkit's; name"):
        dk.render_report(incident(1), other)
    assert other.read_text() == text
    other.write_text("\n")
    dk.render_report(incident(1), other)
    assert other.stat().st_size > 1000


@pytest.mark.parametrize("text", ["{", "[1", "[1]", '{"cells": ', '{"cells": [1]}'])
def test_a_damaged_notebook_is_not_overwritten(incident, tmp_path, text: str) -> None:
    path = tmp_path / "pm.ipynb"
    path.write_text(text)
    with pytest.raises(dk.SourceFormatError, match="move it away first"):
        dk.render_report(incident(1), path)
    assert path.read_text() == text


def test_lines_that_an_editor_ends_otherwise_are_the_same(incident, tmp_path) -> None:
    path = tmp_path / "pm.md"
    dk.render_report(incident(3), path)
    edit(path, "summary", WORDS)
    page = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + page.replace(b"\n", b"\r\n"))
    dk.render_report(incident(3), path)
    assert read(path, "summary") == WORDS
    assert b"\r" not in path.read_bytes()


def test_words_beside_the_fields_of_a_page_stay_in_their_section(
    incident, tmp_path
) -> None:
    path = tmp_path / "pm.md"
    dk.render_report(incident(3), path)
    page = path.read_text(encoding="utf-8")
    page = page.replace("# in\n", "# in\n\nDraft of Kim's.\n", 1)
    page = page.replace(
        "## Detection\n", "## Detection\n\nThe pager rang.\n\n- twice\n"
    )
    page = page.replace(
        "## Provenance\n", "## Follow-up\n\nOn Monday.\n\n## Provenance\n"
    )
    path.write_text(page, encoding="utf-8")
    for leaks in (3, 5):
        dk.render_report(incident(leaks), path)
        assert read(path, "summary_besides") == "Draft of Kim's."
        assert read(path, "detection_besides") == "The pager rang.\n\n- twice"
        assert "## Follow-up\n\nOn Monday." in path.read_text(encoding="utf-8")
    # They are held against the findings as all words are.
    claims = dk.check_report(incident(6), path)
    assert "detection_besides" in set(claims["narrative"])
    # Taken out of their field, they are gone.
    edit(path, "detection_besides", "")
    dk.render_report(incident(5), path)
    assert "The pager rang." not in path.read_text(encoding="utf-8")


def test_a_field_whose_comments_are_broken_loses_no_words(incident, tmp_path) -> None:
    path = tmp_path / "pm.md"
    dk.render_report(incident(3), path)
    edit(path, "summary", "The first words.")
    edit(path, "impact", "The second words.")
    edit(path, "detection", "The third words.")
    page = path.read_text(encoding="utf-8")
    page = page.replace("The first words.\n<!-- /diagkit -->", "The first words.")
    opening = re.search(r"<!-- diagkit narrative [^\n]*\nThe third", page)
    assert opening is not None
    page = page.replace(opening[0], "The third")
    path.write_text(page, encoding="utf-8")
    dk.render_report(incident(3), path)
    assert read(path, "summary_besides") == "The first words."
    assert read(path, "impact") == "The second words."
    assert read(path, "detection_besides") == "The third words."


@pytest.mark.parametrize("ending", [".ipynb", ".md"])
def test_a_field_that_was_copied_or_split_keeps_both(incident, tmp_path, ending):
    path = tmp_path / f"pm{ending}"
    dk.render_report(incident(3), path)
    edit(path, "cause", "The first half.")
    if ending == ".ipynb":
        book = nbformat.read(path, as_version=4)
        at = next(i for i, c in enumerate(book.cells) if c.id == "cause-cause")
        twin = nbformat.from_dict(
            {**book.cells[at], "id": "b", "source": "The second."}
        )
        book.cells.insert(at + 1, twin)
        nbformat.write(book, path)
    else:
        page = path.read_text(encoding="utf-8")
        field = re.search(r"<!-- diagkit [^\n]*\nThe first half.\n<!-- /\w+ -->", page)
        assert field is not None
        twin = field[0].replace("The first half.", "The second.")
        path.write_text(page.replace(field[0], f"{field[0]}\n\n{twin}"))
    dk.render_report(incident(3), path)
    assert read(path, "cause") == "The first half.\n\nThe second."


@pytest.mark.parametrize("ending", [".ipynb", ".md"])
def test_what_is_new_marks_the_words_on_all_that_was_found(
    incident, tmp_path, ending
) -> None:
    path = tmp_path / f"pm{ending}"
    made = incident(3)
    dk.render_report(made, path)
    edit(path, "summary", "One thing went wrong.")
    edit(path, "cause", f"The export [{leak_id(made)}].")
    edit(path, "actions", f"| fix it | {leak_id(made)} | Kim | Friday |")
    dk.render_report(made, path)
    with (tmp_path / "in" / "api.log").open("a", encoding="utf-8") as log:
        log.write(
            "2025-11-24 11:00:00 [ERROR] a.b: QueuePool limit of size 5 overflow "
            "10 reached, connection timed out, timeout 30.00\n"
        )
    now = dk.open_incident(tmp_path / "in")
    for _ in range(2):
        claims = dk.check_report(now, path)
        new = claims[claims["finding"].str.startswith("pool_exhausted-")]
        # The cause names its finding; summary and actions are about all of them.
        assert set(new["narrative"]) >= {"summary", "actions"}
        assert "cause" not in set(new["narrative"])
        dk.render_report(now, path)
    dk.render_report(now, path, accept=True)
    assert len(dk.check_report(now, path)) == 0


def test_words_on_a_part_that_is_gone_are_kept(incident, tmp_path) -> None:
    path = tmp_path / "pm.md"
    folder = tmp_path / "in"
    incident(2)
    compose = folder / "compose.yaml"
    compose.write_text("services: {web: {image: nginx, ports: ['80:80']}}\n")
    dk.render_report(dk.open_incident(folder), path)
    page = path.read_text(encoding="utf-8")
    page = page.replace("## Port map\n", "## Port map\n\nWe moved it to 81.\n")
    path.write_text(page, encoding="utf-8")
    dk.render_report(dk.open_incident(folder), path)
    assert read(path, "ports_besides") == "We moved it to 81."
    compose.unlink()
    dk.render_report(dk.open_incident(folder), path)
    assert "## Port map" not in path.read_text(encoding="utf-8")
    assert read(path, "ports_besides") == "We moved it to 81."


def test_cells_of_ones_own_stand_in_every_format(incident, tmp_path) -> None:
    path = tmp_path / "pm.ipynb"
    made = incident(3)
    dk.render_report(made, path)
    book = nbformat.read(path, as_version=4)
    at = next(i for i, c in enumerate(book.cells) if c.id == "detection")
    mine = nbformat.v4.new_markdown_cell(
        f"Kim (kim@example.net) saw {leak_id(made)} first.", id="mine"
    )
    book.cells.insert(at + 1, mine)
    nbformat.write(book, path)
    page, text, data = (tmp_path / f"out.{end}" for end in ("html", "md", "json"))
    for out in (page, text, data):
        dk.render_report(made, out, narrative=path)
        assert "first." in out.read_text(encoding="utf-8")
    section = page.read_text(encoding="utf-8").partition('<section id="detection">')[2]
    section = section.partition("</section>")[0]
    assert 'Kim ([redacted:email]) saw <a href="#connection_leak-' in section
    assert "kim@example.net" in read(text, "detection_besides")
    # In the notebook itself they are cells, and held against the findings too.
    dk.render_report(made, path)
    ids = [c.id for c in nbformat.read(path, as_version=4).cells]
    assert ids.count("mine") == 1
    assert "detection-detection-besides" not in ids
    claims = dk.check_report(incident(5), path)
    assert "detection_besides" in set(claims["narrative"])


def test_a_conflict_that_git_left_is_told(incident, tmp_path) -> None:
    path = tmp_path / "pm.md"
    dk.render_report(incident(3), path)
    edit(path, "summary", "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> b")
    before = path.read_bytes()
    with pytest.raises(dk.SourceFormatError, match="git left a conflict in it"):
        dk.render_report(incident(3), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "words", ["restored backup-20251124", "see [v-1234abcd](x) of release_x-1234abcd"]
)
def test_what_is_only_named_alike_is_no_finding(incident, tmp_path, words) -> None:
    path = tmp_path / "pm.md"
    dk.render_report(incident(3), path)
    edit(path, "summary", f"We {words}; 3 leaked.")
    assert len(dk.check_report(incident(3), path)) == 0
    # It names none, so it is held against all that was found.
    claims = dk.check_report(incident(9), path)
    assert claims["narrative"].tolist() == ["summary", ""]


@pytest.mark.parametrize("ending", [".md", ".ipynb", ".html"])
def test_a_key_that_is_given_again_changes_no_claim(incident, tmp_path, ending) -> None:
    path = tmp_path / f"pm{ending}"
    incident(2)
    (tmp_path / "in" / "pool.csv").write_text(
        "time,pool,checked_out,size,max_overflow\n"
        + "".join(f"2025-11-24T10:0{n}:00Z,kim@example.net,3,3,0\n" for n in range(9))
    )
    made = dk.open_incident(tmp_path / "in")
    dk.render_report(made, path, redact_key="k")
    assert "[redacted:email:" in path.read_text(encoding="utf-8").replace("\\", "")
    assert len(dk.check_report(made, path, redact_key="k")) == 0
    dk.render_report(made, path, redact=False)
    assert len(dk.check_report(made, path, redact=False)) == 0


def test_a_severity_that_changed_marks_the_words_on_it() -> None:
    was, now = {"a-00000000": "3 lost (low)"}, {"a-00000000": "3 lost (high)"}
    kept = Narrative("cause", "[a-00000000]", digest("prompt"))
    merged = merge_narrative("prompt", kept, "cause", was, was)
    assert find_changed(merged, was) == []
    (claim,) = find_changed(merged, now)
    assert str(claim) == "a-00000000 says now: 3 lost (high); it said: 3 lost (low)"


def test_what_is_gone_can_be_accepted() -> None:
    was = {"a-00000000": "3 lost (low)"}
    kept = Narrative("cause", "It was [a-00000000].", digest("prompt"))
    merged = merge_narrative("prompt", kept, "cause", was, was)
    assert "is not found any more" in str(find_changed(merged, {})[0])
    accepted = merge_narrative("prompt", merged, "cause", {}, {}, accept=True)
    assert find_changed(accepted, {}) == []
    # Where it comes back, the words need another look.
    (claim,) = find_changed(accepted, was)
    assert str(claim).endswith("it was not there before")


def test_redacted_words_of_a_page_stay_marked(incident, tmp_path) -> None:
    text, page = tmp_path / "pm.md", tmp_path / "pm.html"
    dk.render_report(incident(3), text)
    edit(text, "summary", "Kim kim@example.net saw 3.")
    dk.render_report(incident(3), text)
    dk.render_report(incident(4), page, narrative=text)
    for _ in range(2):
        assert "Changed since" in page.read_text(encoding="utf-8")
        assert "summary" in set(dk.check_report(incident(4), page)["narrative"])
        dk.render_report(incident(4), page)


def test_pictures_and_cells_of_ones_own_are_kept_whole(incident, tmp_path) -> None:
    path = tmp_path / "pm.ipynb"
    dk.render_report(incident(2), path)
    book = nbformat.read(path, as_version=4)
    cell = next(c for c in book.cells if c.id == "cause-cause")
    cell.source = "![board](attachment:board.png)"
    cell.attachments = {"board.png": {"image/png": "iVBORw0KGgo="}}
    nbformat.write(book, path)
    for words in ("first", "second"):
        dk.render_report(incident(2), path)
        book = nbformat.read(path, as_version=4)
        changed = next(c for c in book.cells if c.id == "impact")
        changed.source += f"\n\nSee the {words}."
        nbformat.write(book, path)
    dk.render_report(incident(2), path)
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    cells = {c.id: c for c in book.cells}
    assert len(cells) == len(book.cells)
    assert cells["cause-cause"].attachments == {
        "board.png": {"image/png": "iVBORw0KGgo="}
    }
    assert cells["impact-edited"].source.endswith("See the second.")
    assert cells["impact-edited-2"].source.endswith("See the first.")


def test_cells_of_ones_own_stay_where_they_were(incident, tmp_path) -> None:
    path = tmp_path / "pm.ipynb"
    dk.render_report(incident(2), path)
    book = nbformat.read(path, as_version=4)
    at = next(i for i, c in enumerate(book.cells) if c.id == "cause")
    own = nbformat.v4.new_code_cell("inc.logs.tail()", id="mine")
    book.cells.insert(at + 1, own)
    book.cells[at].source += "\n\nAnd three shops in Kingston."
    parameters = next(c for c in book.cells if c.id == "parameters")
    parameters.source = "folder = '../incidents/today'"
    nbformat.write(book, path)
    dk.render_report(incident(4), path)
    cells = nbformat.read(path, as_version=4).cells
    ids = [cell.id for cell in cells]
    at = ids.index("cause")
    assert "And three shops" not in cells[at].source
    assert "4 connections leaked" in cells[at].source
    # What a person changed in a cell of diagkit's is kept behind it.
    assert ids[at + 1 : at + 3] == ["cause-edited", "mine"]
    assert cells[at + 1].source.endswith("And three shops in Kingston.")
    assert cells[ids.index("parameters")].source == "folder = '../incidents/today'"
    dk.render_report(incident(4), path)
    assert [c.id for c in nbformat.read(path, as_version=4).cells] == ids


def test_the_notebook_is_valid_and_its_code_draws_its_pictures(
    incident, tmp_path
) -> None:
    from nbclient import NotebookClient

    path = tmp_path / "pm.ipynb"
    dk.render_report(incident(3), path)
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    cell = next(c for c in book.cells if c.id == "parameters")
    assert cell.source.startswith("folder = 'in'")
    kept = [pictures(c) for c in book.cells if c.cell_type == "code"]
    resources = {"metadata": {"path": str(tmp_path)}}
    # Its own execute() leaves an event loop open.
    asyncio.run(NotebookClient(book, timeout=120, resources=resources).async_execute())
    found = [pictures(c) for c in book.cells if c.cell_type == "code"]
    assert [
        o for c in book.cells for o in c.get("outputs", []) if o.output_type == "error"
    ] == []
    assert found == kept
    assert sum(kept) == 1


def pictures(cell) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@given(data=st.dictionaries(TEXT, TEXT, max_size=4))
def test_data_hides_in_a_comment(data: dict[str, str]) -> None:
    packed = pack(data)
    assert not re.search(r"--|[<>\n]", packed)
    assert unpack([packed, "{broken"]) == [data]


@given(
    first=st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), min_size=1),
    then=st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")),
)
def test_words_without_an_id_stand_for_all_that_was_found(first, then) -> None:
    name = {f"leak-{key * 8}": value for key, value in first.items()}
    now = {f"leak-{key * 8}": value for key, value in then.items()}
    kept = Narrative("x", "words", digest("prompt"))
    merged = merge_narrative("prompt", kept, "x", name, now)
    changed = {claim.finding for claim in find_changed(merged, now)}
    every = {**name, **now}
    assert changed == {key for key in every if now.get(key) != name.get(key)}
    accepted = merge_narrative("prompt", kept, "x", name, now, accept=True)
    assert find_changed(accepted, now) == []


LINE = st.text("abc #-|*<>_", min_size=1, max_size=12).filter(
    lambda t: set(t) & set("abc")
)


@given(added=st.lists(st.tuples(st.integers(0, 9), LINE), max_size=6))
def test_lines_of_people_are_told_from_those_of_diagkit(added) -> None:
    page = ["# Of 1", "", "## Impact 2", "", "- 3 things", "| 4 | 5 |", "", "## End 6"]
    marks = mark_lines("\n".join(page))
    lines = list(page)
    for place, line in added:
        lines.insert(min(place, len(lines)), line)
    strays = read_strays("\n".join([*lines, marks]))
    found = [line for text in strays.values() for line in text.splitlines() if line]
    assert sorted(map(str.strip, found)) == sorted(line.strip() for _, line in added)
