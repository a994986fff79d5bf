from __future__ import annotations

import asyncio
import html
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import ipywidgets
import matplotlib.pyplot as plt
import pandas as pd
import pytest
import sqlalchemy as sa

import diagkit as dk
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.pool import POOL
from diagkit.widgets.controls import Nothing
from diagkit.widgets.pool import ROWS, PoolExplorer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMES = ("since", "until")


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def incident() -> dk.Incident:
    return dk.open_sample("pool_pressure")


@pytest.fixture
def explorer(incident) -> Iterator[PoolExplorer]:
    made = PoolExplorer(incident.pool, incident.checkouts)
    yield made
    made.close()


def find(box: Any, kind: type) -> list[Any]:
    """Return the widgets of a type, in order, as the page has them."""
    found = [box] if type(box) is kind else []
    for child in getattr(box, "children", ()):
        found += find(child, kind)
    return found


def named(explorer: PoolExplorer, label: str) -> Any:
    controls = [
        *find(explorer.widget, ipywidgets.Dropdown),
        *find(explorer.widget, ipywidgets.BoundedFloatText),
        *find(explorer.widget, ipywidgets.SelectionRangeSlider),
    ]
    return next(one for one in controls if one.description == label)


def says(explorer: PoolExplorer) -> str:
    text = find(explorer.widget, ipywidgets.HTML)[0].value
    assert text.startswith("<p style=")
    return f"<p>{text.split('>', 1)[1]}"


def records(explorer: PoolExplorer) -> str:
    # Where a name may be folded is no part of it.
    return find(explorer.widget, ipywidgets.HTML)[2].value.replace("<wbr>", "")


def code(explorer: PoolExplorer) -> str:
    text = find(explorer.widget, ipywidgets.HTML)[1].value
    text = text.split("<code", 1)[1].split(">", 1)[1].split("</code>")[0]
    return html.unescape(text)


def bars(explorer: PoolExplorer) -> list[Any]:
    (grid,) = [
        box
        for box in find(explorer.widget, ipywidgets.GridBox)
        if box.children and isinstance(box.children[0], ipywidgets.Button)
    ]
    return list(grid.children)


def test_it_shows_a_picture_beside_its_records(explorer) -> None:
    (image,) = find(explorer.widget, ipywidgets.Image)
    assert bytes(image.value).startswith(b"\x89PNG")
    assert says(explorer) == (
        "<p>Pool &#x27;api&#x27; had no connection left for 11 % of 2.5 min; up to 10 "
        "callers waited</p>"
    )
    table = records(explorer)
    assert table.count("<tr>") == ROWS + 1
    assert f"the longest first: {ROWS}; 399 more are not shown" in table
    first = table.split("<tbody>")[1].split("</tr>")[0]
    for cell in ("jobs", "shop.py:85 Shop.count_stock", "job: count stock", "145.080"):
        assert f">{cell}</td>" in first


def test_controls_change_picture_records_and_code(explorer) -> None:
    before = bytes(find(explorer.widget, ipywidgets.Image)[0].value)
    operation = named(explorer, "operation")
    assert [text for text, _ in operation.options] == [
        "all",
        "GET /orders/search",
        "GET /orders/{id}",
        "GET /reports/{id}",
        "POST /orders",
        "POST /orders/import",
        "job: count stock",
        "job: send invoices",
    ]
    operation.value = "GET /reports/{id}"
    named(explorer, "picture").value = "holders"
    named(explorer, "held for at least (s)").value = 1.0
    assert bytes(find(explorer.widget, ipywidgets.Image)[0].value) != before
    # It is no rate of all: the title says of what.
    assert says(explorer) == (
        "<p>Of checkouts held for at least 1 s, for GET /reports/{id}: "
        "shop.py:121 Export.write lost 21 of 21 connections</p>"
    )
    assert records(explorer).count("garbage_collected") == 21
    assert code(explorer) == explorer.as_code()
    assert code(explorer) == (
        "dk.PoolExplorer(pool, checkouts, operation='GET /reports/{id}', "
        "longer_than_s=1.0, picture='holders')"
    )


def test_a_range_of_time_takes_a_part(explorer) -> None:
    slider = named(explorer, "time (UTC)")
    times = [value for _, value in slider.options]
    assert slider.value == (times[0], times[-1])
    slider.value = (times[20], times[30])
    assert explorer.settings["since"] == times[20]
    assert explorer.settings["until"] == times[30]
    slider.value = (times[0], times[30])
    assert explorer.settings["since"] is None
    assert f"until={times[30]!r}" in explorer.as_code()


def test_the_code_shows_the_same_view_again(incident, explorer) -> None:
    explorer.set(pool="jobs", since="2026-11-23T07:10:00Z", picture="holders")
    again = eval(  # what a person would run in a cell
        explorer.as_code(),
        {"dk": dk, "pool": incident.pool, "checkouts": incident.checkouts},
    )
    assert str(again.static()) == str(explorer.static())
    assert "Shop.<wbr>send_<wbr>invoices" in str(again.static())
    assert "Export.<wbr>write" not in str(again.static())


def test_a_time_that_is_no_step_of_the_slider_is_kept(explorer) -> None:
    explorer.set(since="2026-11-23T07:10:00.123Z")
    assert named(explorer, "time (UTC)").value[0] == "2026-11-23T07:10:00.123Z"
    assert explorer.settings["since"] == "2026-11-23T07:10:00.123Z"


def test_what_has_no_meaning_leaves_the_view_as_it_is(explorer) -> None:
    explorer.set(operation="GET /reports/{id}")
    before = bytes(find(explorer.widget, ipywidgets.Image)[0].value)
    with pytest.raises(dk.SettingError, match="no operation '<GET>' is known"):
        explorer.set(operation="<GET>", picture="holders")
    assert bytes(find(explorer.widget, ipywidgets.Image)[0].value) == before
    assert explorer.settings["operation"] == "GET /reports/{id}"
    assert explorer.settings["picture"] == "use"
    named(explorer, "operation").value = Nothing
    assert says(explorer).startswith("<p>Pool &#x27;api&#x27;")


def test_an_error_stands_in_the_place_of_the_picture_and_its_records(explorer) -> None:
    image = find(explorer.widget, ipywidgets.Image)[0]
    explorer.tell(dk.SourceError("the server <db> does not answer"))
    assert says(explorer) == "<p><b>the server &lt;db&gt; does not answer</b></p>"
    assert image.layout.display == "none"
    assert records(explorer) == ""
    assert not any(
        box.children and isinstance(box.children[0], ipywidgets.Button)
        for box in find(explorer.widget, ipywidgets.GridBox)
    )
    explorer.refresh()
    assert image.layout.display is None
    assert records(explorer).count("<tr>") == ROWS + 1


def test_what_notebooks_take_has_the_widget_and_a_page_without_a_kernel(
    explorer,
) -> None:
    bundle = explorer._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/html"] == str(explorer.static())
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == explorer.widget.model_id


def test_hostile_text_does_not_act() -> None:
    bad = "<img src=x onerror=alert(1)>$\\frac{1}{0}$\x1b[31m\u202e"
    checkouts = CHECKOUTS.build(
        {
            "checkout_id": ["1"],
            "pool": [bad],
            "checked_out_at": [pd.Timestamp("2025-11-24T10:00Z")],
            "held_s": [3.0],
            "holder": [bad],
            "operation": [bad],
            "wait_s": [0.5],
            "outcome": ["garbage_collected"],
        }
    )
    for picture in ("use", "holders", "waits"):
        explorer = PoolExplorer(POOL.empty(), checkouts, picture=picture)
        page = str(explorer.static())
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
        assert "\x1b" not in page
        values = [one.value for one in find(explorer.widget, ipywidgets.HTML)]
        assert not any("<img" in value for value in values)
        explorer.set(operation=bad)
        assert (
            eval(
                explorer.as_code(),
                {"dk": dk, "pool": POOL.empty(), "checkouts": checkouts},
            ).settings["operation"]
            == bad
        )
        explorer.close()


def test_nothing_recorded_is_shown_as_nothing() -> None:
    explorer = PoolExplorer(POOL.empty())
    assert explorer.as_code() == "dk.PoolExplorer(pool)"
    assert says(explorer) == "<p>No samples of a pool</p>"
    explorer.close()


def test_what_has_no_meaning_is_refused(incident) -> None:
    for settings, said in (
        ({"pools": "api"}, r"has no setting 'pools'; did you mean 'pool'"),
        ({"picture": "user"}, r"picture='user' is none of use, holders, waits"),
        ({"pool": "ap"}, r"no pool 'ap' is known; did you mean 'api'"),
        ({"every_s": 0}, r"every_s is more than 0 seconds; 0 came"),
    ):
        with pytest.raises(dk.SettingError, match=said):
            PoolExplorer(incident.pool, incident.checkouts, **settings)
    with pytest.raises(dk.SettingError, match="explores POOL, a PoolRecorder, or"):
        PoolExplorer("postgresql://app")
    explorer = PoolExplorer(incident.pool)
    with pytest.raises(dk.SettingError, match="frames do not change"):
        explorer.start()
    with pytest.raises(dk.SettingError, match="has no setting 'poll'"):
        explorer.set(poll="api")


def test_the_static_form_needs_no_ipywidgets() -> None:
    code = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "import diagkit as dk\n"
        "explorer = dk.PoolExplorer(dk.POOL.empty())\n"
        "print('No samples' in str(explorer.static()))\n"
        "try:\n    explorer.widget\n"
        "except dk.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "True",
        'explorers need ipywidgets: pip install "diagkit[notebooks]"; .static() shows '
        "the same without it",
    ]


def test_a_running_recorder_is_looked_at_until_it_is_closed(tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool, pool_size=2)

    async def follow() -> None:
        with dk.PoolRecorder(engine, tmp_path, name="app") as recorder:
            explorer = PoolExplorer(recorder, every_s=0.01)
            assert "at most 0 of 12 connections" in says(explorer)
            assert explorer.as_code() == "dk.PoolExplorer(recorder)"
            with engine.connect():
                for _ in range(1000):
                    if "at most 1 of 12" in says(explorer):
                        break
                    await asyncio.sleep(0.01)
            assert "at most 1 of 12 connections were out" in says(explorer)
            assert "test_pool.py" in records(explorer)
            explorer.close()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(follow())
    engine.dispose()


def test_without_an_event_loop_one_looks_oneself(tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool, pool_size=2)
    with dk.PoolRecorder(engine, tmp_path, name="app") as recorder:
        explorer = PoolExplorer(recorder)
        assert "at most 0" in says(explorer)
        with engine.connect():
            explorer.look()
            assert "at most 1" in says(explorer)
        with pytest.raises(dk.SettingError, match="no event loop runs here"):
            explorer.start()
        explorer.close()
    engine.dispose()


class Growing:
    """A pool that is looked at: each time more has happened."""

    count = 60

    def look(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        self.count *= 3
        times = pd.date_range("2025-11-24", periods=self.count, freq="1s", tz="UTC")
        pool = POOL.build({"timestamp": times, "pool": "app", "checked_out": 1})
        return pool, CHECKOUTS.empty()


def test_a_chosen_bar_of_a_running_pool_is_followed_as_bars_grow() -> None:
    explorer = PoolExplorer(Growing(), every_s=1)
    bars(explorer)[7].click()
    seen = [explorer.settings["bar"]]
    for _ in range(3):
        explorer.look()
        assert not says(explorer).startswith("<p><b>")
        seen.append(explorer.settings["bar"])
        assert seen[-1] <= seen[-2]
        assert seen[-1] in [one.value for one in explorer._bars]
    assert len(set(seen)) > 1
    explorer.close()


def test_without_checkouts_there_are_no_holders(incident) -> None:
    explorer = PoolExplorer(incident.pool, picture="holders")
    assert explorer.as_code() == "dk.PoolExplorer(pool)"
    assert [text for text, _ in named(explorer, "picture").options] == ["use"]
    explorer.close()


class Away:
    """A server that goes away after the first look."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        self.looks += 1
        if self.looks > 1:
            msg = "the server <db> does not answer"
            raise dk.SourceError(msg)
        return POOL.empty(), CHECKOUTS.empty()


def test_what_goes_away_is_told_and_tried_again() -> None:
    async def follow() -> None:
        away = Away()
        explorer = PoolExplorer(away, every_s=0.001)
        assert explorer.as_code() == "dk.PoolExplorer(watch)"
        assert says(explorer) == "<p>No samples of a pool</p>"
        while away.looks < 3:
            await asyncio.sleep(0.001)
        assert says(explorer) == ("<p><b>the server &lt;db&gt; does not answer</b></p>")
        explorer.close()

    asyncio.run(asyncio.wait_for(follow(), 30))


def test_a_click_on_a_bar_shows_who_had_a_connection_then(incident, explorer) -> None:
    rows = incident.checkouts
    ends = rows["checked_out_at"] + pd.to_timedelta(rows["held_s"].fillna(0), unit="s")
    buttons = bars(explorer)
    begins = [pd.Timestamp(one.tooltip[:19], tz="UTC") for one in buttons]
    step = begins[1] - begins[0]
    for place in (0, 7, len(begins) - 1):
        buttons[place].click()
        out = (rows["checked_out_at"] < begins[place] + step) & (ends >= begins[place])
        shown = min(int(out.sum()), ROWS)
        assert records(explorer).count("<tr>") == shown + 1
        assert f"Checkouts of {buttons[place].tooltip}, the" in records(explorer)
        assert explorer.settings["bar"] == f"{begins[place]:%Y-%m-%dT%H:%M:%S}.000Z"
        again = eval(
            code(explorer), {"dk": dk, "pool": incident.pool, "checkouts": rows}
        )
        assert str(again.static()) == str(explorer.static())
        begun = rows["checked_out_at"].between(
            begins[place], begins[place] + step, inclusive="left"
        )
        assert f"{begun.sum()} checkout" in buttons[place].tooltip
    buttons[place].click()
    assert explorer.settings["bar"] is None
    with pytest.raises(dk.SettingError, match=r"bar='now' is none of those in view, "):
        PoolExplorer(incident.pool, rows, bar="now")
    with pytest.raises(dk.SettingError, match=r"bar='x': there is nothing in view"):
        PoolExplorer(POOL.empty(), bar="x")


def test_one_wait_is_drawn_without_a_warning() -> None:
    rows = CHECKOUTS.build(
        {
            "checkout_id": ["1"],
            "pool": ["app"],
            "checked_out_at": [pd.Timestamp("2025-11-24T10:00Z")],
            "held_s": [1.0],
            "wait_s": [0.1],
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PoolExplorer(POOL.empty(), rows, picture="waits").static()


def test_rows_are_clicked_too(incident, explorer) -> None:
    explorer.set(picture="holders")
    place = [one.tooltip.split(": ")[0] for one in bars(explorer)].index(
        "shop.py:121 Export.write"
    )
    bars(explorer)[place].click()
    assert "Checkouts of shop.py:121 Export.write: 96 checkouts" in records(explorer)
    chooser = named(explorer, "checkouts of")
    assert chooser.value == "shop.py:121 Export.write"
    chooser.value = "shop.py:85 Shop.count_stock"
    assert explorer.settings["bar"] == "shop.py:85 Shop.count_stock"
    # Out of view it is not chosen any more.
    named(explorer, "operation").value = "GET /reports/{id}"
    assert explorer.settings["bar"] is None
    assert chooser.value is Nothing
