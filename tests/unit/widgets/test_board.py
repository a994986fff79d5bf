from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import diagkit as dk
from diagkit.widgets.board import IncidentBoard

if TYPE_CHECKING:
    import pandas as pd


@pytest.fixture(scope="module")
def incident() -> dk.Incident:
    return dk.open_sample()


@pytest.fixture(scope="module")
def board(incident) -> IncidentBoard:
    return IncidentBoard(incident)


@pytest.fixture(scope="module")
def findings(incident) -> pd.DataFrame:
    return dk.rank_findings(incident)


def show(board: IncidentBoard, **settings):
    board.settings = {**board._defaults, **settings}
    return board.view()


def test_without_a_finding_it_shows_all_and_what_triage_says(
    board, incident, findings
) -> None:
    found, causes, checks = show(board).tables
    assert found.records["summary"].tolist() == findings["summary"].tolist()
    said = dk.triage(incident)
    assert causes.records["summary"].tolist() == said.hypotheses["summary"].tolist()
    assert checks.records["step"].tolist() == said.checklist["step"].tolist()
    high = show(board, severity="high").tables[0].records
    assert set(high["severity"]) == {"high", "critical"}


def test_every_finding_has_its_evidence_and_rows_with_a_place(board, findings) -> None:
    for row in findings.itertuples():
        view = show(board, finding=row.id)
        told, *behind = view.tables
        assert row.evidence in told.records["is"].tolist()
        assert len(behind) == 1, row.id
        assert len(behind[0].records) > 0
        if row.area not in ("data",) and row.code != "unrounded_percentage":
            named = {"place", "holder", "pool"} & set(behind[0].records.columns)
            assert named, row.id


def test_the_picture_fits_the_finding(board, findings) -> None:
    for code, said in (
        ("pool_saturated", "Pool 'api'"),
        ("null_started_at", "17 projects ran without a recorded start"),
        ("server_errors", "No request with a time in view; without a time: 369 "),
        ("connection_leak", "65 events of signature sqlalchemy.gc_dropped"),
    ):
        of_code = findings[findings["code"] == code].iloc[0]["id"]
        assert show(board, finding=of_code).says.startswith(said)


def test_the_code_shows_the_same_view_again(board, incident, findings) -> None:
    view = show(board, finding=findings["id"].iloc[1])
    board.set(bar=view.bars[5].value, since="2026-11-22T17:13:00Z")
    assert board.view().tables[0].caption.startswith("Records of ")
    again = eval(board.as_code(), {"dk": dk, "inc": incident})
    assert str(again.static()) == str(board.static())


def test_requests_are_bars_with_their_records_in_the_time_that_is_chosen() -> None:
    stacks = dk.open_sample("two_stacks")
    board = IncidentBoard(stacks, picture="statuses")
    known = stacks.http["timestamp"].dropna()
    assert board.times[0] <= f"{known.min():%Y-%m-%dT%H:%M:%S}.999Z"
    assert board.times[-1] >= f"{known.max():%Y-%m-%dT%H:%M:%S}.000Z"
    whole = board.view()
    # Its log has no event, so this is also what is shown when nothing is asked for.
    assert IncidentBoard(stacks).view().picture == whole.picture
    assert whole.says.startswith("Requests that failed, by observer: client: ")
    counts = [int(one.label.split(": ")[1].split()[0]) for one in whole.bars]
    assert sum(counts) == len(known)
    place = counts.index(max(counts))
    board.set(bar=whole.bars[place].value)
    requests = board.view().tables[0]
    assert len(requests.records) + requests.left == max(counts)
    assert set(requests.records["place"].str.rsplit(":", n=1).str[0]) <= set(
        stacks.http["source"]
    )
    board.set(since=board.times[20], until=board.times[30], bar=None)
    part = board.view()
    assert part.picture != whole.picture
    assert (
        0
        < sum(int(one.label.split(": ")[1].split()[0]) for one in part.bars)
        < len(known)
    )
    again = eval(board.as_code(), {"dk": dk, "inc": stacks})
    assert str(again.static()) == str(board.static())


def test_all_projects_of_a_finding_are_shown_not_only_those_it_names(board) -> None:
    audit = board._found.audit.projects
    wrong = audit[audit["null"] & (audit["legal"] != True)]  # noqa: E712
    rows = board._found.findings
    rows = rows[rows["code"] == "null_started_at"]
    for finding, count in zip(rows.itertuples(), (len(wrong), 4), strict=True):
        assert str(count) in finding.summary
        table = show(board, finding=finding.id).tables[1]
        assert len(table.records) == count
        assert table.left == 0


def test_a_value_without_meaning_leaves_the_board_as_it_is(incident) -> None:
    board = IncidentBoard(incident)
    board.widget  # noqa: B018
    for settings in (
        {"severity": "nope"},
        {"severity": None},
        {"finding": "nope"},
        {"picture": "nope"},
        {"bar": "nope"},
    ):
        with pytest.raises(dk.SettingError):
            board.set(**settings)
        assert board.as_code() == "dk.IncidentBoard(inc)"
    board._widgets["picture",].value = "statuses"
    assert board.as_code() == "dk.IncidentBoard(inc, picture='statuses')"
    assert "No request with a time" in board._shown["says"].value
    board.set(bar="undated")
    assert "Requests without a time: 25; 344 more" in board._shown["records"].value
    board.close()


def test_what_a_recorder_wrote_is_seen_by_holder() -> None:
    shop = dk.open_sample("pool_pressure")
    board = IncidentBoard(shop)
    assert board.pictures == ["leaks", "use", "holders", "waits"]
    found = dk.rank_findings(shop)
    leak = found[found["code"] == "recorded_leak"].iloc[0]
    view = show(board, finding=leak["id"])
    assert view.says.startswith("shop.py:121 Export.write lost 21 of 96")
    rows = view.tables[1].records
    assert set(rows["outcome"]) == {"garbage_collected"}
    assert len(rows) == 21


def test_a_folder_without_a_log_is_shown_as_nothing(tmp_path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    board = IncidentBoard(dk.open_incident(tmp_path))
    view = board.view()
    assert board.pictures == ["leaks"]
    assert view.says == "No event, and no record of a log with a time"
    assert view.tables[0].records["area"].tolist() == ["service"]
    assert board.widget is not None
    board.close()


def test_what_has_no_meaning_is_refused(incident) -> None:
    for settings, said in (
        ({"finding": "connection_leak"}, "no finding 'connection_leak' is in this"),
        (
            {"picture": "holders"},
            "picture='holders' is none of those that this incident",
        ),
        ({"severity": "bad"}, "severity 'bad' is none of"),
        ({"picture": "statuses", "bar": "x"}, "bar='x' is none of those in view"),
    ):
        with pytest.raises(dk.SettingError, match=said):
            IncidentBoard(incident, **settings)
    with pytest.raises(dk.SettingError, match="shows what open_incident gives"):
        IncidentBoard("folder")
