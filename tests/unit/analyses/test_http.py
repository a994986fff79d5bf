"""What clients saw, held against what the backend saw."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.analyses.http import count_statuses, reconcile_http
from diagkit.analyses.http_findings import check_http
from diagkit.errors import ContractError
from diagkit.frames.http import HTTP
from diagkit.frames.logs import LOGS

START = pd.Timestamp("2025-11-24T10:00Z")


def make(*rows, **more) -> pd.DataFrame:
    """Rows of observer, path, status, and perhaps the second and the error."""
    rows = [(*row, *(0, None)[len(row) - 3 :]) for row in rows]
    return HTTP.build(
        {
            "timestamp": [
                None if row[3] is None else START + pd.Timedelta(seconds=row[3])
                for row in rows
            ],
            "observer": [row[0] for row in rows],
            "method": ["GET"] * len(rows),
            "path": [row[1] for row in rows],
            "route": [row[1] for row in rows],
            "status": pd.array([row[2] for row in rows], "Int64"),
            "error": [row[4] for row in rows],
            "source": ["x.log"] * len(rows),
            "line": range(1, len(rows) + 1),
            **more,
        }
    )


def crashes(number: int) -> pd.DataFrame:
    text = "Exception in ASGI application"
    rows = {"message": [text] * number, "source": "x.log", "line": 1, "lines": 1}
    return dk.find_leaks(LOGS.build(rows))


def test_what_never_reached_the_backend() -> None:
    http = make(
        *[("client", "/login", 503)] * 3,
        ("client", "/login", 200),
        ("client", "/tiles", None),
        ("backend", "/login", 200),
        ("backend", "/health", 200),
    )
    found = reconcile_http(http)
    assert found.unseen.values.tolist() == [
        ["GET", "/login", 3, "503: 3", 1, 3, 3],
        ["GET", "/tiles", 1, "no answer: 1", 0, 1, 1],
    ]
    assert found.bounds == (4, 4)
    assert found.rates.values.tolist() == [
        ["backend", 2, 0, 0.0],
        ["client", 5, 4, 0.8],
    ]
    # Two were seen, four were not, and failed.
    assert found.corrected_rate == (4 / 6, 4 / 6)


def test_what_the_backend_saw_and_thought_served() -> None:
    http = make(*[("client", "/a", 502)] * 2, *[("backend", "/a", 200)] * 2)
    found = reconcile_http(http)
    assert found.bounds == (0, 2)
    assert found.corrected_rate == (0.0, 1.0)


def test_what_others_ask_long_before_is_not_the_clients() -> None:
    http = make(
        ("client", "/a", 503, 600),
        ("backend", "/a", 200, 0),
        ("backend", "/a", 200, 601),
    )
    assert reconcile_http(http).unseen["backend"].tolist() == [1]


def test_streams_that_broke_off() -> None:
    http = make(
        ("client", "/s", 200, 0, "transfer closed"),
        ("client", "/s", 200),
        *[("backend", "/s", 200)] * 2,
        ("backend", "/b", 500),
    )
    found = reconcile_http(http, crashes(3))
    assert (found.crashed_streams, found.broken_streams) == (2, 1)
    assert found.unseen.values.tolist() == [["GET", "/s", 1, "200: 1", 2, 0, 1]]
    # One 500 and two that crashed; one of these two is what broke off.
    assert found.corrected_rate == (1.0, 1.0)
    found = check_http(http, crashes(3)).set_index("code")
    assert found.loc["stream_crashed", "summary"] == (
        "2 requests failed after their status 200 had gone out"
    )
    assert found.loc["stream_crashed", "evidence"] == (
        "2 exceptions beyond the 1 answers with a 5xx; 1 broke off for a client"
    )


def test_a_proxys_words() -> None:
    http = make(
        *[("proxy", "/a", 502)] * 2,
        ("proxy", "/b", 503),
        ("proxy", "/c", 504, 5),
        ("proxy", "/d", 499),
        ("proxy", "/e", 500),
        ("proxy", "/e", 200),
        upstream_status=pd.array([502, None, 200, 504, None, 500, 200], "Int64"),
    )
    found = check_http(http)
    assert dict(zip(found["code"], found["summary"], strict=True)) == {
        "upstream_unreachable": (
            "a proxy got no answer from behind it for 2 of 7 requests"
        ),
        "upstream_slow": "a proxy waited in vain for 1 of 7 answers (504)",
        "client_gave_up": "clients did not wait for 1 of 7 answers (499)",
    }
    evidence = dict(zip(found["code"], found["evidence"], strict=True))
    assert evidence["upstream_unreachable"] == (
        "2 of GET /a; 2025-11-24 10:00:00 to 10:00:00 UTC; first at x.log:1"
    )


@pytest.mark.parametrize(
    ("failed", "of", "told"), [(3, 300, 1), (2, 2, 0), (3, 301, 0)]
)
def test_a_few_errors_of_the_backend_are_none(failed: int, of: int, told: int) -> None:
    http = make(
        *[("backend", "/a", 500)] * failed, *[("backend", "/a", 200)] * (of - failed)
    )
    assert (check_http(http)["code"] == "server_errors").sum() == told


def test_without_clients_or_backend_nothing_is_unseen() -> None:
    assert len(reconcile_http(make(("client", "/a", 503))).unseen) == 0
    assert len(reconcile_http(make(("backend", "/a", 503))).unseen) == 0
    low, high = reconcile_http(HTTP.empty()).corrected_rate
    assert low != low
    assert high != high
    assert len(check_http(HTTP.empty())) == 0


def test_other_frames_are_refused() -> None:
    for analyse in (count_statuses, reconcile_http, check_http):
        with pytest.raises(ContractError):
            analyse(pd.DataFrame({"status": [200]}))


def test_the_unseen_come_first_with_what_to_do() -> None:
    http = make(("client", "/login", 503), ("backend", "/health", 200))
    (row,) = check_http(http).to_dict("records")
    assert (row["code"], row["severity"]) == ("errors_unseen_by_backend", "high")
    assert row["summary"] == (
        "the backend's log has no failure for 1 of 1 requests that failed for clients, "
        "1 of them never reached it"
    )
    assert row["evidence"] == "GET /login: 1 failed (503: 1), the backend saw 0"


# What became of a request: what its client saw, and what its backend wrote.
FATES = st.sampled_from(
    [
        (200, 200),
        (404, 404),
        (500, 500),
        (503, None),
        (None, None),
        (502, 200),
        (503, 503),
    ]
)


@pytest.mark.slow
@given(
    asked=st.lists(st.tuples(st.sampled_from("abc"), FATES), max_size=30),
    others=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([200, 500, 503])), max_size=10
    ),
)
def test_bounds_hold_the_truth(asked, others) -> None:
    own = [("client", path, seen) for path, (seen, _) in asked]
    served = [("backend", path, wrote) for path, (_, wrote) in asked if wrote]
    failed = [fate for _, fate in asked if fate[0] is None or fate[0] >= 500]
    never = sum(wrote is None for _, wrote in failed)
    unknown = sum(wrote is None or wrote < 500 for _, wrote in failed)
    if own and served:
        # Where the backend served these alone, both ends are exact.
        assert reconcile_http(make(*own, *served)).bounds == (never, unknown)
    if own and (served or others):
        mixed = make(*own, *served, *[("backend", *one) for one in others])
        found = reconcile_http(mixed)
        assert found.bounds[0] <= never
        assert found.unseen["failed"].sum() == len(failed)
        low, high = found.corrected_rate
        assert 0 <= low <= high <= 1


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["client", "backend"]),
            st.sampled_from(["/a", "/b"]),
            st.sampled_from([None, 101, 200, 302, 404, 503]),
            st.one_of(st.none(), st.integers(0, 400)),
        ),
        max_size=40,
    ),
    every=st.sampled_from(["1min", "30s", "5min"]),
)
def test_counts_are_those_of_a_loop(rows, every: str) -> None:
    counts = count_statuses(make(*rows), every=every)
    expected = Counter(
        (
            (START + pd.Timedelta(seconds=second)).floor(every),
            observer,
            path,
            "no answer" if status is None else f"{status // 100}xx",
        )
        for observer, path, status, second in rows
        if second is not None
    )
    columns = ["timestamp", "observer", "route", "status_class", "requests"]
    told = {tuple(row[:4]): row[4] for row in counts[columns].values.tolist()}
    assert told == dict(expected)
    assert counts.attrs["undated"] == sum(row[3] is None for row in rows)


def test_names_are_public() -> None:
    assert dk.reconcile_http is reconcile_http
