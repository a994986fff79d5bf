from __future__ import annotations

import pandas as pd
import pytest

from diagkit.analyses.poolviews import (
    list_operations,
    list_pools,
    list_times,
    view_pool,
)
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


def ids(**settings) -> list[str]:
    view = view_pool(make_pool(), make_checkouts(), **settings)
    return view.checkouts["checkout_id"].tolist()


def test_without_a_setting_all_is_in_view() -> None:
    assert ids() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
def test_records_have_the_longest_first(limit: int) -> None:
    view = view_pool(make_pool(), make_checkouts())
    held = view.records(limit)["held_s"].tolist()
    assert held == ["12.000", "3.500", "1.000", "–"][:limit]
    assert view.count == 4
    assert view_pool(make_pool(), make_checkouts(), name="b").count == 1


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
    view = view_pool(make_pool(), make_checkouts(), since=at(12), until=at(19))
    rows = view.pool[["timestamp", "pool", "checked_out"]].values.tolist()
    assert sorted(rows, key=lambda row: row[1]) == [
        [at(12), "app", 2],
        [at(12), "b", 7],
    ]
    view = view_pool(make_pool(), make_checkouts(), name="app", since=at(10))
    assert view.pool["checked_out"].tolist() == [1, 2, 3]


def test_records_are_texts() -> None:
    view = view_pool(make_pool(), make_checkouts())
    assert view.records(1).to_dict("records") == [
        {
            "checked_out_at": "2025-11-24 10:00:00.000",
            "pool": "app",
            "holder": "app.py:7 load",
            "operation": "GET /",
            "held_s": "12.000",
            "outcome": "garbage_collected",
        }
    ]
    last = view.records().iloc[-1]
    assert (last["operation"], last["held_s"]) == ("–", "–")


def test_what_there_is_to_choose() -> None:
    pool, checkouts = make_pool(), make_checkouts()
    assert list_pools(pool, checkouts) == ["app", "b"]
    assert list_operations(checkouts) == ["GET /", "job", "unattributed"]
    assert list_operations(checkouts.head(2)) == ["GET /"]
    times = list_times(pool, checkouts, 4)
    assert times[0] == "2025-11-24T10:00:00.000Z"
    assert times[-1] == "2025-11-24T10:00:20.000Z"
    assert len(times) == 5
    assert times == sorted(times)
    assert list_times(POOL.empty(), CHECKOUTS.empty()) == []
    assert list_times(POOL.empty(), checkouts, 1) == [
        "2025-11-24T10:00:00.000Z",
        "2025-11-24T10:00:18.000Z",
    ]


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(SettingError, match=r"no pool 'ap' is known; did you mean"):
        ids(name="ap")
    with pytest.raises(SettingError, match=r"no operation 'GET' is known"):
        ids(operation="GET")
    with pytest.raises(SettingError, match=r"since='later' is no time; write"):
        ids(since="later")
    with pytest.raises(ContractError):
        view_pool(make_checkouts(), make_checkouts())
