from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagkit.analyses.holds import count_holds
from diagkit.analyses.poolviews import PoolBook, PoolView, view_pool
from diagkit.errors import ContractError, SettingError
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.pool import POOL

START = pd.Timestamp("2025-11-24T10:00Z")


def at(seconds: float) -> pd.Timestamp:
    return START + pd.Timedelta(seconds=seconds)


def make_pool() -> pd.DataFrame:
    return POOL.build(
        {
            "timestamp": [at(0), at(0), at(10), at(20)],
            "pool": ["app", "b", "app", "app"],
            "checked_out": [1, 7, 2, 3],
        }
    )


def make_checkouts() -> pd.DataFrame:
    return CHECKOUTS.build(
        {
            "checkout_id": ["1", "2", "3", "4"],
            "pool": ["app", "app", "b", "app"],
            "checked_out_at": [at(0), at(5), at(6), at(18)],
            "held_s": [12.0, 1.0, 3.5, None],
            "operation": ["GET /", "GET /", "job", None],
            "holder": "app.py:7 load",
            "outcome": ["garbage_collected", "returned", "returned", "held"],
        }
    )


def make_view(**settings) -> PoolView:
    return view_pool(PoolBook.from_frames(make_pool(), make_checkouts()), **settings)


def ids(**settings) -> list[str]:
    view = make_view(**settings)
    return view.checkouts["checkout_id"].tolist()


def test_without_a_setting_all_is_in_view() -> None:
    assert ids() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
def test_records_have_the_longest_first(limit: int) -> None:
    view = make_view()
    held = view.records(limit)["held_s"].tolist()
    assert held == ["12.000", "3.500", "1.000", "–"][:limit]
    assert view.count == 4
    assert make_view(name="b").count == 1


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"name": "b"}, ["3"]),
        ({"operation": "GET /"}, ["1", "2"]),
        ({"operation": "unattributed"}, ["4"]),
        ({"longer_than_s": 3.5}, ["1", "3"]),
        # Out at some moment of that time, whenever it began.
        ({"since": "2025-11-24T10:00:10Z"}, ["1", "4"]),
        ({"until": at(5)}, ["1", "2"]),
        ({"since": at(6), "until": at(6)}, ["1", "2", "3"]),
    ],
)
def test_settings_take_a_part(settings, found) -> None:
    assert ids(**settings) == found


def test_the_sample_before_a_time_stands_at_it() -> None:
    view = make_view(since=at(12), until=at(19))
    assert [(one.name, list(one.at), list(one.out)) for one in view.series] == [
        ("app", [at(12).value // 1000], [2]),
        ("b", [at(12).value // 1000], [7]),
    ]
    view = make_view(name="app", since=at(10))
    assert [list(one.out) for one in view.series] == [[1, 2, 3]]


def test_records_are_texts() -> None:
    view = make_view()
    assert view.records(1).to_dict("records") == [
        {
            "out, 2025-11-24 UTC": "10:00:00.000",
            "held_s": "12.000",
            "holder": "app.py:7 load",
            "operation": "GET /",
            "outcome": "garbage_collected",
            "pool": "app",
        }
    ]
    last = view.records().iloc[-1]
    assert (last["operation"], last["held_s"]) == ("–", "–")


def test_what_there_is_to_choose() -> None:
    book = PoolBook.from_frames(make_pool(), make_checkouts())
    assert book.pools == ["app", "b"]
    assert book.operations == ["GET /", "job", "unattributed"]
    few = PoolBook.from_frames(POOL.empty(), make_checkouts().head(2))
    assert few.operations == ["GET /"]
    assert book.times[0] == "2025-11-24T10:00:00.000Z"
    assert book.times[-1] == "2025-11-24T10:00:20.000Z"
    assert len(book.times) == 61
    assert book.times == sorted(book.times)
    assert PoolBook.from_frames(POOL.empty(), CHECKOUTS.empty()).times == []


def test_waits_are_counted_as_holds_are() -> None:
    rng = np.random.default_rng(4)
    rows = make_checkouts().loc[rng.integers(0, 4, 300)].reset_index(drop=True)
    rows["wait_s"] = np.where(rng.random(300) < 0.2, np.nan, rng.random(300))
    rows.loc[rows["operation"] == "job", "wait_s"] = np.nan
    columns = ["name", "checkouts", "wait_p50_s", "wait_p95_s", "wait_max_s"]
    for least in (0.0, 2.0, 99.0):
        book = PoolBook.from_frames(POOL.empty(), rows)
        view = view_pool(book, longer_than_s=least)
        wanted = count_holds(view.checkouts)[columns].sort_values("name")
        pd.testing.assert_frame_equal(
            view.waits(), wanted.reset_index(drop=True), check_dtype=False
        )


def test_checkouts_behind_a_bar() -> None:
    view = make_view()
    edges = view.edges
    assert view.begun(edges).sum() == 4
    low = at(5).value // 1000
    assert view.during(low, low + 1).tolist() == [0, 1]
    assert view.named("operation", "GET /").tolist() == [0, 1]
    assert view.named("holder", "app.py:7 load").tolist() == [0, 1, 2, 3]


def test_what_is_still_out_lasts_until_nothing_more_is_seen() -> None:
    view = make_view()
    low = int(at(19.5).value // 1000)
    assert view.during(low, low + 1_000_000).tolist() == [3]


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(SettingError, match=r"no pool 'ap' is known; did you mean"):
        ids(name="ap")
    with pytest.raises(SettingError, match=r"no operation 'GET' is known"):
        ids(operation="GET")
    with pytest.raises(SettingError, match=r"since='later' is no time; write"):
        ids(since="later")
    with pytest.raises(ContractError):
        PoolBook.from_frames(make_checkouts(), make_checkouts())
