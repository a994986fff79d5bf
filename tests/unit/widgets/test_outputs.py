"""What a notebook keeps of an explorer, and the code that shows it again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import diagkit as dk
from diagkit.frames.leaks import LEAKS
from diagkit.frames.pool import POOL
from diagkit.widgets.leaks import LeakExplorer
from diagkit.widgets.outputs import REST_S
from diagkit.widgets.pool import PoolExplorer

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEW = "application/vnd.jupyter.widget-view+json"
MAIL = "GET /users/sam@example.net"


@pytest.fixture
def leaks() -> pd.DataFrame:
    times = pd.to_datetime(["2025-11-24 10:00:30Z", "2025-11-24 10:02:10Z", None])
    return LEAKS.build(
        {
            "timestamp": times,
            "signature": "x",
            "kind": "leak",
            "severity": "high",
            "logger": ["a", MAIL, "a"],
            "source": "a.log",
            "line": [1, 7, 9],
            "message": "gone",
        }
    )


@pytest.fixture
def explorer(leaks) -> Iterator[LeakExplorer]:
    made = LeakExplorer(leaks, every="1min")
    yield made
    made.close()


@pytest.fixture
def shown(monkeypatch) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Note what cells show: the data, and whether it takes another's place."""
    seen: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(
        "IPython.display.display",
        lambda data, raw, **how: seen.append((data, how)),
    )
    return seen


def test_a_cell_shows_the_widget_and_below_it_the_form_without_a_kernel(
    explorer, shown
) -> None:
    explorer._ipython_display_()
    (first, how), (second, more) = shown
    assert first[VIEW]["model_id"] == explorer.widget.model_id
    # JupyterLab takes the widget before any other form in the same output.
    assert "text/html" not in first
    assert first["text/plain"] == explorer.as_code()
    assert how == {}
    assert set(second) == {"text/html"}
    assert second["text/html"].startswith("<details><summary>Without a kernel: ")
    assert explorer.static().html in second["text/html"]
    assert more["display_id"]


def test_that_form_follows_the_clicks_when_they_pause(explorer, shown) -> None:
    async def click() -> None:
        explorer._ipython_display_()
        del shown[:]
        for place in (0, 1, 2):
            explorer._clicked(place)
        assert shown == []
        await asyncio.sleep(REST_S + 0.2)

    asyncio.run(click())
    ((data, how),) = shown
    assert how["update"] is True
    assert "bar=&#x27;2025-11-24T10:02:00.000Z&#x27;" in data["text/html"]
    assert explorer.static().html in data["text/html"]


def test_without_a_loop_and_by_code_it_follows_at_once(explorer, shown) -> None:
    explorer.widget  # noqa: B018
    explorer._clicked(0)
    assert shown == []
    explorer._ipython_display_()
    explorer._clicked(2)
    assert len(shown) == 3

    async def change() -> None:
        explorer.set(signature="x")
        assert "signature" in shown[-1][0]["text/html"]

    asyncio.run(change())
    assert len(shown) == 4
    # What looks the same is not written again.
    explorer.refresh()
    assert len(shown) == 4


def test_closed_it_keeps_what_was_seen_last(explorer, shown) -> None:
    async def close() -> None:
        explorer._ipython_display_()
        explorer._clicked(0)
        explorer.close()

    asyncio.run(close())
    assert "T10:00:00.000Z" in shown[-1][0]["text/html"]


def test_records_without_a_time_are_code_too(explorer, leaks) -> None:
    explorer.set(bar="undated")
    again = eval(explorer.as_code(), {"dk": dk, "leaks": leaks})
    assert str(again.static()) == str(explorer.static())


def test_code_that_was_shown_without_secrets_shows_the_same(explorer, leaks) -> None:
    explorer.set(logger=MAIL)
    shown = explorer._shown_code()
    assert "sam@" not in shown
    assert "logger='GET /users/[redacted:email]'" in shown
    again = eval(shown, {"dk": dk, "leaks": leaks})
    assert again.settings == explorer.settings
    assert str(again.static()) == str(explorer.static())
    both = leaks.assign(logger=["eve@example.net", "sam@example.net", "a"])
    with pytest.raises(dk.SettingError, match="stands for 2 that differ only in what"):
        LeakExplorer(both, logger="[redacted:email]")


def test_long_names_are_code_that_shows_the_same(leaks) -> None:
    long = leaks.assign(signature=["y" * 9000, "z" * 9000, "z"])
    explorer = LeakExplorer(long, signature="z" * 9000)
    again = eval(explorer._shown_code(), {"dk": dk, "leaks": long})
    assert str(again.static()) == str(explorer.static())
    assert explorer.settings == again.settings


def test_objects_that_are_times_become_text(leaks) -> None:
    explorer = LeakExplorer(
        leaks,
        since=pd.Timestamp("2025-11-24 11:00", tz="+01:00"),
        until=pd.Timestamp("2025-11-24 10:02:10.000250Z").to_pydatetime(),
        every=pd.Timedelta("1min"),
        bar=pd.Timestamp("2025-11-24 10:02Z"),
    )
    assert explorer.as_code() == (
        "dk.LeakExplorer(leaks, since='2025-11-24T10:00:00.000Z', "
        "until='2025-11-24T10:02:10.000250Z', every='1min', "
        "bar='2025-11-24T10:02:00.000Z')"
    )
    again = eval(explorer.as_code(), {"dk": dk, "leaks": leaks})
    assert str(again.static()) == str(explorer.static())


def test_times_as_people_write_them_stand_on_the_slider(explorer) -> None:
    explorer.set(since="2025-11-24 11:01+01:00", until="2025-11-24 10:02Z")
    explorer.widget  # noqa: B018
    slider = explorer._widgets["since", "until"]
    assert slider.value == ("2025-11-24T10:01:00.000Z", "2025-11-24T10:02:00.000Z")
    times = [value for _, value in slider.options]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"since": "2025-11-25", "until": "2025-11-24"}, "is later than until"),
        ({"until": "9999-01-01"}, "not between the years"),
        ({"since": 5}, "since=5 is no time"),
        ({"since": ["a"]}, "is no time"),
        ({"every": 60}, "every=60 is no length of time"),
        ({"every": "100us"}, "no whole number of milliseconds"),
        ({"signature": 5}, "signature=5 is no text"),
        ({"signature": ["x"]}, "is no text"),
        ({"logger": pd.DataFrame({"a": [1, 2]})}, "is no text"),
        ({"bar": 5}, "bar=5 is no text"),
    ],
)
def test_what_is_no_setting_is_refused_in_one_line(leaks, settings, said) -> None:
    with pytest.raises(dk.SettingError, match=said) as caught:
        LeakExplorer(leaks, **settings)
    assert "\n" not in str(caught.value)
    explorer = LeakExplorer(leaks)
    with pytest.raises(dk.SettingError, match=said):
        explorer.set(**settings)
    assert explorer.as_code() == "dk.LeakExplorer(leaks)"


@pytest.mark.parametrize("seconds", ["5", None, -1, float("nan"), True])
def test_what_is_no_number_of_seconds_is_refused(seconds) -> None:
    said = "is no number of seconds, 0 or more"
    with pytest.raises(dk.SettingError, match=said):
        PoolExplorer(POOL.empty(), longer_than_s=seconds)
    with pytest.raises(dk.SettingError, match=said):
        PoolExplorer(POOL.empty(), every_s=seconds)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "2 connections leaked; most (1) from 10:00 UTC; 1 event without a time"),
        ({"since": "2025-11-24 10:02:05Z"}, "1 connection leaked in view; most (1) "),
        ({"until": "2025-11-24 10:00Z"}, "No leaked connection in view (0 other "),
    ],
)
def test_the_title_speaks_of_what_is_in_view(leaks, settings, said) -> None:
    explorer = LeakExplorer(leaks, **{"every": "1min", **settings})
    assert explorer.view().says.startswith(said)


def test_the_title_names_the_bar_as_exactly_as_bars_are_long(leaks) -> None:
    said = "2 connections leaked; most (1) from "
    assert f"{said}10:00:30 UTC" in LeakExplorer(leaks, every="15s").view().says
    assert LeakExplorer(leaks, every="1h").view().says.endswith("; 1 bar of 1h")
    assert "most (2) from 10:00 UTC; " in LeakExplorer(leaks, every="1h").view().says
    late = leaks.assign(timestamp=leaks["timestamp"] + pd.to_timedelta([0, 9, 0], "D"))
    assert f"{said}2025-11-24 09:00 UTC" in LeakExplorer(late, every="3h").view().says
    assert f"{said}2025-11-24 UTC" in LeakExplorer(late, every="1D").view().says


def test_leaks_at_no_known_time_are_leaks(leaks) -> None:
    view = LeakExplorer(leaks[leaks["timestamp"].isna()].reset_index(drop=True)).view()
    assert view.says == (
        "1 connection leaked, at a time that the log does not say (0 other events)"
    )


def test_code_is_complete_where_it_is_known_how_things_were_made(leaks) -> None:
    explorer = LeakExplorer(leaks, made_by="leaks = make()", bar="undated")
    assert explorer.as_code() == (
        "import diagkit as dk\n\nleaks = make()\ndk.LeakExplorer(leaks, bar='undated')"
    )
    assert "<br>leaks = make()<br>dk.LeakExplorer" in str(explorer.static())


def test_code_goes_into_a_cell(explorer, monkeypatch) -> None:
    with pytest.raises(dk.SettingError, match=r"no notebook runs here; as_code\(\)"):
        explorer.to_cell()
    cells: list[tuple[str, bool]] = []

    class Shell:
        def set_next_input(self, code: str, replace: bool) -> None:
            cells.append((code, replace))

    monkeypatch.setattr("IPython.core.getipython.get_ipython", Shell)
    explorer.set(logger=MAIL)
    explorer.to_cell()
    assert cells == [(explorer._shown_code(), False)]
