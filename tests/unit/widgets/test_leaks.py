from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import ipywidgets
import pandas as pd
import pytest

import diagkit as dk
from diagkit.frames.incidents import MARKS
from diagkit.frames.leaks import LEAKS
from diagkit.frames.logs import LOGS
from diagkit.widgets.controls import Nothing
from diagkit.widgets.leaks import ROWS, LeakExplorer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def incident() -> dk.Incident:
    return dk.open_sample()


@pytest.fixture(scope="module")
def leaks(incident) -> pd.DataFrame:
    return dk.find_leaks(incident.logs)


@pytest.fixture
def explorer(incident, leaks) -> Iterator[LeakExplorer]:
    made = LeakExplorer(leaks, incident.logs, incident.marks)
    yield made
    made.close()


def find(box: Any, kind: type) -> list[Any]:
    found = [box] if type(box) is kind else []
    for child in getattr(box, "children", ()):
        found += find(child, kind)
    return found


def texts(explorer: LeakExplorer) -> list[str]:
    """Return what it says, its code and its records, as the page has them."""
    return [html.unescape(one.value) for one in find(explorer.widget, ipywidgets.HTML)]


def buttons(explorer: LeakExplorer) -> list[Any]:
    return find(explorer.widget, ipywidgets.Button)


def control(explorer: LeakExplorer, label: str) -> Any:
    lists = find(explorer.widget, ipywidgets.Dropdown)
    return next(one for one in lists if one.description == label)


def test_every_bar_is_a_button_that_shows_its_records(explorer, leaks) -> None:
    control(explorer, "bin").value = "1min"
    counts = leaks["timestamp"].dt.floor("1min").value_counts()
    for button in list(buttons(explorer)):
        begin = pd.Timestamp(button.tooltip[:19], tz="UTC")
        count = int(counts.get(begin, 0))
        assert f", 1min: {count} event" in button.tooltip
        button.click()
        assert explorer.settings["bar"] == f"{begin:%Y-%m-%dT%H:%M:%S}.000Z"
        assert texts(explorer)[2].count("<tr>") == min(count, ROWS) + 1
        assert texts(explorer)[2].count("api.log:") >= min(count, 1)


def test_the_code_shows_the_same_view_again(explorer, incident, leaks) -> None:
    control(explorer, "signature").value = "sqlalchemy.queuepool_timeout"
    buttons(explorer)[20].click()
    names = {"dk": dk, "leaks": leaks, "logs": incident.logs, "marks": incident.marks}
    code = texts(explorer)[1].split("<code", 1)[1].split(">", 1)[1].split("</code>")[0]
    assert code == explorer.as_code()
    again = eval(code, names)  # what a person would run in a cell
    assert str(again.static()) == str(explorer.static())


def test_a_click_again_lets_the_bar_go(explorer) -> None:
    buttons(explorer)[20].click()
    assert control(explorer, "records of").value == explorer.settings["bar"]
    before = bytes(find(explorer.widget, ipywidgets.Image)[0].value)
    buttons(explorer)[20].click()
    assert explorer.settings["bar"] is None
    assert control(explorer, "records of").value is Nothing
    assert bytes(find(explorer.widget, ipywidgets.Image)[0].value) != before


def test_records_without_a_time_can_be_chosen(explorer, leaks) -> None:
    chooser = control(explorer, "records of")
    count = int(leaks["timestamp"].isna().sum())
    assert (f"without a time: {count} events", "undated") in chooser.options
    chooser.value = "undated"
    assert f"Records without a time: {count}<" in texts(explorer)[2]
    # They lie in no part of the time.
    slider = find(explorer.widget, ipywidgets.SelectionRangeSlider)[0]
    times = [value for _, value in slider.options]
    slider.value = (times[5], times[-1])
    assert explorer.settings["bar"] is None


def test_marks_and_gaps_are_those_in_view(incident, leaks) -> None:
    explorer = LeakExplorer(leaks, incident.logs, incident.marks)
    whole = explorer.view().picture
    assert whole != LeakExplorer(leaks).view().picture
    assert explorer.as_code() == "dk.LeakExplorer(leaks, logs, marks=marks)"


def test_a_bin_that_makes_too_many_bars_is_made_longer(leaks) -> None:
    explorer = LeakExplorer(leaks, every="1s")
    view = explorer.view()
    assert view.says.endswith("bars of 5s")
    assert 80 < len(view.bars) <= 120


def test_nothing_found_is_shown_as_nothing() -> None:
    explorer = LeakExplorer(LEAKS.empty(), LOGS.empty(), MARKS.empty())
    view = explorer.view()
    assert view.bars == ()
    assert len(view.tables[0].records) == 0
    assert view.says == "No event, and no record of a log with a time"
    assert buttons(explorer) == []
    explorer.close()


def test_what_has_no_meaning_is_refused(leaks) -> None:
    for settings, said in (
        ({"signature": "sqlalchemy.gc_droped"}, "did you mean 'sqlalchemy.gc_dropped'"),
        ({"logger": "nobody"}, "no event has the logger 'nobody'"),
        ({"every": "often"}, "every='often' is no length of time"),
        ({"since": "later"}, "since='later' is no time"),
        ({"bar": "2026-11-22"}, "bar='2026-11-22' is none of those in view"),
        ({"bins": "1s"}, "has no setting 'bins'"),
    ):
        with pytest.raises(dk.SettingError, match=said):
            LeakExplorer(leaks, **settings)
    with pytest.raises(dk.ContractError):
        LeakExplorer(pd.DataFrame())
