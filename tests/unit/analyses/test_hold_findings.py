"""Findings about recorded checkouts: who loses connections, who keeps them."""

from __future__ import annotations

import pandas as pd
import pytest

from diagkit.analyses.hold_findings import check_holds
from diagkit.errors import ContractError
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.findings import FINDINGS
from diagkit.frames.pool import ACTIVITY

START = pd.Timestamp("2025-11-24 10:00", tz="UTC")


def second(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(seconds=number)


def recorded(*rows: tuple[float, float, str, str | None, str | None]) -> pd.DataFrame:
    """Rows: at in seconds, held_s, outcome, holder, operation."""
    return CHECKOUTS.build(
        {
            "checkout_id": [str(number) for number in range(len(rows))],
            "pool": "app",
            "connection": "17",
            "checked_out_at": [second(row[0]) for row in rows],
            "held_s": [row[1] for row in rows],
            "outcome": [row[2] for row in rows],
            "holder": [row[3] for row in rows],
            "operation": [row[4] for row in rows],
        }
    )


def test_a_leak_is_told_with_its_share_operations_cadence_and_onset() -> None:
    busy = [(3.0 * n, 0.1, "returned", "tiles.py:12 load", "tiles") for n in range(900)]
    lost = [
        (1500 + 60.0 * n, 5.0, "garbage_collected", "tiles.py:12 load", "job: refresh")
        for n in range(20)
    ]
    rows = FINDINGS.check(check_holds(recorded(*sorted([*busy, *lost]))))
    assert rows["code"].tolist() == ["recorded_leak"]
    leak = rows.iloc[0]
    assert leak["summary"] == (
        "tiles.py:12 load left 20 of 920 connections to the garbage collector "
        "(1 % to 3 %)"
    )
    said = leak["evidence"].split("; ")
    assert said[0] == "20 in job: refresh"
    assert said[1] == "2025-11-24 10:25:00 to 10:44:00 UTC"
    assert said[2].startswith("100% of 20 events come every 60 s")
    # The first was lost at 10:25.
    assert said[3].startswith("the rate went from 0 to 0.0476 a checkout between ")
    low, high = said[3].partition("between ")[2].removesuffix(" UTC").split(" and ")
    assert low < "2025-11-24 10:25:00" < high < "2025-11-24 10:27"


def test_a_name_with_a_per_cent_sign_stays_as_it_is() -> None:
    rows = recorded((0, 1.0, "garbage_collected", "a%b.py:1 f", None))
    found = check_holds(rows).iloc[0]
    assert found["summary"].startswith("a%b.py:1 f left 1 of 1 connections")
    assert found["evidence"].startswith("1 in unattributed")


def test_a_leak_without_a_holder_is_unattributed() -> None:
    rows = recorded((0, 1.0, "garbage_collected", None, None))
    assert check_holds(rows)["summary"][0].startswith("unattributed left 1 of 1")


def test_lines_of_one_function_are_one_finding() -> None:
    rows = recorded(
        (0, 1.0, "garbage_collected", "a.py:12 f", "x"),
        (1, 1.0, "garbage_collected", "a.py:30 f", "x"),
        (2, 1.0, "returned", "a.py:40 f", "x"),
    )
    found = check_holds(rows)
    assert len(found) == 1
    assert found["summary"][0].startswith("a.py:12 f and a.py:30 f left 2 of 3")
    moved = rows.assign(holder=rows["holder"].str.replace(":12", ":13"))
    assert check_holds(moved)["id"].tolist() == found["id"].tolist()


def test_what_was_kept_for_long_is_told_by_its_cause() -> None:
    rows = recorded(
        (0, 60.0, "returned", "report.py:3 build", "report"),
        (2, 29.0, "returned", "report.py:3 build", "report"),
        (100, 500.0, "held", "jobs.py:8 wait", None),
    )
    slow = ACTIVITY.build(
        {
            "timestamp": [second(10), second(30), second(50)],
            "pid": 17,
            "state": "active",
            "query_start": second(1),
            "xact_start": START,
            "state_change": second(1),
        }
    )
    found = check_holds(rows, slow).set_index("summary")
    assert [*found.index] == [
        "jobs.py:8 wait kept 1 connection, the longest for 500 s: why, nothing tells",
        "report.py:3 build kept 1 connection, the longest for 60 s: a slow query",
    ]
    assert found["remedy"].tolist() == [
        "Record the server's sessions too: diagkit pool record.",
        "Look at the query's plan, and at what it waits for.",
    ]


def test_what_was_returned_in_time_is_no_finding() -> None:
    rows = recorded(*[(n, 29.9, "returned", "a.py:1 f", "x") for n in range(50)])
    assert check_holds(rows).empty
    assert check_holds(recorded()).empty


def test_another_frame_is_refused() -> None:
    with pytest.raises(ContractError, match="checked_out_at"):
        check_holds(pd.DataFrame({"checkout_id": ["1"]}))
