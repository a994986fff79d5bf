"""LeakExplorer, ProgressExplorer and IncidentBoard: controls, bars, static form."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import ipywidgets
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.analyses.eventviews import BARS, book_events, view_events
from diagkit.analyses.projectviews import view_projects
from diagkit.charts.bars import HEIGHT, WIDTH, plot_events, plot_percentages
from diagkit.frames.leaks import LEAKS

if TYPE_CHECKING:
    from collections.abc import Iterator

START = pd.Timestamp("2025-11-24T10:00Z")
HOSTILE = "<script>window.x=1</script> $\\frac{1}{0}$ \x1b[31m \u202e " + "A" * 10**6


def make(*rows, message: str = "said") -> pd.DataFrame:
    """Rows of second (or None), signature, kind, logger."""
    seconds, signatures, kinds, loggers = zip(*rows, strict=True)
    return LEAKS.build(
        {
            "timestamp": [
                None if s is None else START + pd.Timedelta(seconds=s) for s in seconds
            ],
            "signature": signatures,
            "kind": kinds,
            "severity": "high",
            "logger": loggers,
            "source": "api.log",
            "line": range(1, len(rows) + 1),
            "message": message,
            "shutdown": False,
        }
    )


LEAKED = ("gc", "leak", "pool")
WAITED = ("full", "exhaustion", "api")


@pytest.fixture
def explorer() -> Iterator[dk.LeakExplorer]:
    rows = [(0, *LEAKED), (1, *WAITED), (61, *LEAKED), (62, *LEAKED), (None, *LEAKED)]
    made = dk.LeakExplorer(make(*rows), every="1min")
    yield made
    made.close()


def find(box: Any, kind: type) -> list[Any]:
    found = [box] if type(box) is kind else []
    for child in getattr(box, "children", ()):
        found += find(child, kind)
    return found


def named(explorer: Any, label: str) -> Any:
    kinds = (ipywidgets.Dropdown, ipywidgets.SelectionRangeSlider)
    controls = [one for kind in kinds for one in find(explorer.widget, kind)]
    return next(one for one in controls if one.description == label)


def bars(explorer: Any) -> list[Any]:
    buttons = find(explorer.widget, ipywidgets.Button)
    return [one for one in buttons if one.layout.display != "none"]


def texts(explorer: Any) -> tuple[str, str, str]:
    """What it says, its records, its code."""
    says, records = (one.value for one in find(explorer.widget, ipywidgets.HTML))
    (code,) = find(explorer.widget, ipywidgets.Text)
    return says, records, code.value


def test_a_click_on_a_bar_shows_its_records(explorer) -> None:
    first, second = bars(explorer)
    assert [first.tooltip, second.tooltip] == [
        "2025-11-24 10:00:00",
        "2025-11-24 10:01:00",
    ]
    assert "4 events from 2025-11-24 10:00:00 to 10:01:02 UTC" in texts(explorer)[0]
    second.click()
    says, records, code = texts(explorer)
    assert "2 events from 2025-11-24 10:01:01 to 10:01:02 UTC: leak 2" in says
    assert records.count("<tr>") == 3
    assert "api.log" in records
    assert code == ("dk.LeakExplorer(leaks, every='1min', at='2025-11-24 10:01:00')")
    leaks = make((61, *LEAKED))
    again = eval(code, {"dk": dk, "leaks": leaks})
    assert again.settings == explorer.settings
    # A second click takes it back.
    second.click()
    assert explorer.settings["at"] is None


def test_controls_choose(explorer) -> None:
    named(explorer, "signature").value = "full"
    says, records, code = texts(explorer)
    assert "1 event from" in says
    assert "full" in records
    assert code == "dk.LeakExplorer(leaks, every='1min', signature='full')"
    named(explorer, "logger").value = "pool"
    assert "No event is in view; 1 more have no time" in texts(explorer)[0]
    assert bars(explorer) == []
    named(explorer, "signature").value = None
    assert "3 events" in texts(explorer)[0]
    slider = named(explorer, "time (UTC)")
    values = [value for _, value in slider.options]
    slider.value = (values[0], values[30])
    assert "1 event from 2025-11-24 10:00:00" in texts(explorer)[0]
    assert explorer.settings["until"] == values[30]
    assert explorer.settings["since"] is None


def test_the_picture_is_as_large_as_the_buttons_think(explorer) -> None:
    (picture,) = find(explorer.widget, ipywidgets.Image)
    pixels = matplotlib.image.imread(io.BytesIO(picture.value), format="png")
    assert pixels.shape[:2] == (HEIGHT, WIDTH)


def test_a_setting_without_meaning_is_told() -> None:
    leaks = make((0, *LEAKED))
    for settings, said in (
        ({"signature": "gcc"}, "did you mean 'gc'"),
        ({"logger": "x"}, "logger='x' is none of what is there"),
        ({"since": "soon"}, "since='soon' is no time"),
        ({"every": "often"}, "every='often' is no length"),
        ({"every": "-1s"}, "longer than nothing"),
        ({"colour": "red"}, "has no setting 'colour'"),
    ):
        with pytest.raises(dk.SettingError, match=said):
            dk.LeakExplorer(leaks, **settings)


@pytest.mark.parametrize("kind", ["leaks", "board"])
def test_hostile_text_is_text(kind: str, tmp_path) -> None:
    leaks = make((0, HOSTILE[:200], "kind<b>", HOSTILE[:300]), message=HOSTILE)
    if kind == "leaks":
        explorer = dk.LeakExplorer(leaks)
    else:
        (tmp_path / "x.log").write_text(
            f"2025-11-24 10:00:00 [ERROR] a: QueuePool limit of size 5 overflow 10 "
            f"reached, connection timed out, timeout 30.00 {HOSTILE}\n"
        )
        (tmp_path / "incident.toml").write_text('zone = "UTC"\n')
        explorer = dk.IncidentBoard(dk.open_incident(tmp_path), at="2025-11-24 10:00")
    page = str(explorer.static()) + "".join(texts(explorer))
    explorer.close()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert len(page) < 500_000


def test_the_static_form_has_picture_table_and_words(explorer) -> None:
    page = str(explorer.static())
    assert 'alt="4 events from' in page
    assert '<th scope="col"' in page
    assert "Shown by <code>dk.LeakExplorer(leaks, every=" in page


EVENT = st.tuples(
    st.integers(0, 7200),
    st.sampled_from(["gc", "full", "abort"]),
    st.sampled_from(["leak", "exhaustion", "poisoned_transaction"]),
    st.sampled_from(["a", "b"]),
)


@given(
    rows=st.lists(EVENT, min_size=1, max_size=30),
    every=st.sampled_from([None, "15s", "1min", "15min"]),
    signature=st.sampled_from([None, "gc"]),
    window=st.tuples(st.integers(0, 7200), st.integers(0, 7200)),
)
def test_counts_are_those_of_a_loop(rows, every, signature, window) -> None:
    book = book_events(make(*rows))
    since, until = (str(START + pd.Timedelta(seconds=s)) for s in sorted(window))
    if signature is not None and signature not in book.names["signature"]:
        return
    view = view_events(book, since=since, until=until, every=every, signature=signature)
    low, high = sorted(window)
    expected = [
        row for row in rows if low <= row[0] <= high and signature in (None, row[1])
    ]
    assert len(view.rows) == len(expected)
    assert view.counts.to_numpy().sum() == len(expected)
    for kind, count in view.kinds().items():
        assert count == sum(row[2] == kind for row in expected)
    if every is None:
        assert len(view.bars) <= BARS
    for at, (_, counts) in zip(view.bars, view.counts.iterrows(), strict=True):
        one = view_events(
            book, since=since, until=until, every=every, signature=signature, at=at
        )
        assert len(one.rows) == counts.sum()


def test_bars_are_steps_and_the_chosen_one_is_framed(explorer) -> None:
    view = view_events(book_events(make((0, *LEAKED), (60, *WAITED))), every="1min")
    ax = plot_events(view.counts, view.every, "2025-11-24 10:01:00")
    assert [patch.get_label() for patch in ax.patches[:2]] == [
        "connection leaked (1)",
        "no connection to be had (1)",
    ]
    assert ax.patches[0].get_data().values.tolist() == [1, 0]
    assert ax.patches[1].get_data().values.tolist() == [1, 1]
    assert ax.patches[2].get_fill() is False
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("events per 1 min", "time (UTC)")


@pytest.fixture(scope="module")
def audit():
    return dk.audit_started_at(dk.open_sample().progress)


def test_projects_by_their_effect(audit) -> None:
    view = view_projects(audit, policy="current_run_or_zero")
    effects = (view.bars["shown"] - view.bars["inferred"]).abs().dropna().to_numpy()
    assert (np.diff(effects) <= 1e-9).all()
    assert view.count == len(audit.projects)
    ax = plot_percentages(view.bars, view.bars["project_id"].iloc[1], "a rule")
    assert ax.get_ylim() == (0, 100)
    shown = ax.patches[0].get_data().values
    assert shown.tolist() == view.bars["shown"].fillna(0).tolist()


def test_a_click_on_a_project_shows_its_evidence(audit) -> None:
    explorer = dk.ProgressExplorer(audit, projects="NULL")
    first = bars(explorer)[0]
    first.click()
    says, records, code = texts(explorer)
    assert says.startswith(f"<p>{first.tooltip}: ")
    candidates = audit.candidates
    many = (candidates["project_id"] == first.tooltip).sum()
    assert records.count("<tr>") == many + 1
    assert code == (
        f"dk.ProgressExplorer(audit, projects='NULL', project={first.tooltip!r})"
    )
    named(explorer, "project").value = None
    named(explorer, "policy").value = "all_runs"
    assert "all_runs for 21 projects" in texts(explorer)[0]
    explorer.close()
    for settings in ({"policy": "x"}, {"projects": "x"}, {"project": "x"}):
        with pytest.raises(dk.SettingError, match="is none of"):
            dk.ProgressExplorer(audit, **settings)


def test_the_board_goes_from_findings_to_records() -> None:
    incident = dk.open_sample()
    board = dk.IncidentBoard(incident)
    says, records, _ = texts(board)
    assert says.startswith("<p>What may be behind it: the application does not return")
    assert "65 connections leaked" in records
    findings = dk.rank_findings(incident)
    leak = findings.loc[findings["code"] == "connection_leak", "id"].iloc[0]
    named(board, "area").value = "code"
    assert "infrastructure" not in texts(board)[1]
    named(board, "finding").value = leak
    says, records, code = texts(board)
    assert "65 events from" in says
    assert "api.log" in records
    assert code == f"dk.IncidentBoard(inc, area='code', finding={leak!r})"
    bars(board)[0].click()
    assert board.settings["at"] is not None
    board.set(at=None, area=None)
    null = findings.loc[findings["code"] == "null_started_at", "id"].iloc[0]
    named(board, "finding").value = null
    assert "17 projects that ran" in texts(board)[0]
    board.close()
    with pytest.raises(dk.SettingError, match="area='x' is none"):
        dk.IncidentBoard(incident, area="x")


def test_nothing_at_all() -> None:
    explorer = dk.LeakExplorer(LEAKS.empty())
    assert texts(explorer)[0] == "<p>No event is in view</p>"
    explorer.close()
