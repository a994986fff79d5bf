"""What became of an incident's findings after a fix."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import sqlalchemy as sa

import diagkit as dk
from diagkit.analyses.comparison import compare_incidents, judge_change
from diagkit.errors import SettingError
from diagkit.frames.comparison import COMPARISON

if TYPE_CHECKING:
    from pathlib import Path

LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f00>>, which will "
    "be terminated.  Please ensure that SQLAlchemy pooled connections are returned."
)
TIMEOUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00"
)
START = pd.Timestamp("2025-11-24 10:00")


def write_log(
    folder: Path, minutes: int, leaks: int = 0, timeouts: int = 0
) -> dk.Incident:
    """Write a log of so many minutes, its failures spread evenly over it."""
    folder.mkdir(exist_ok=True)
    rows = [(0.0, "INFO", "up"), (float(minutes), "INFO", "down")]
    for text, number in ((LEAK, leaks), (TIMEOUT, timeouts)):
        rows += [(minutes * (n + 0.5) / number, "ERROR", text) for n in range(number)]
    lines = [
        f"{START + pd.Timedelta(minutes=at):%Y-%m-%d %H:%M:%S} [{level}] "
        f"sqlalchemy.pool.impl.AsyncAdaptedQueuePool: {text}\n"
        for at, level, text in sorted(rows)
    ]
    (folder / "api.log").write_text("".join(lines))
    (folder / "incident.toml").write_text('zone = "UTC"\n')
    return dk.open_incident(folder)


def verdicts(rows: pd.DataFrame) -> dict[str, str]:
    return dict(zip(rows["code"], rows["verdict"].astype("str"), strict=True))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((60, 40), (60, 0), "gone"),
        ((60, 40), (60, 12), "less"),
        # As often, in a tenth of the time.
        ((600, 4000), (60, 400), "same"),
        ((60, 0), (60, 40), "new"),
        ((60, 12), (60, 40), "worse"),
        ((60, 3), (60, 0), "too_little_data"),
        # As many, and five times as often.
        ((100, 20), (20, 20), "worse"),
    ],
)
def test_rates_are_compared_not_numbers(
    tmp_path: Path, before: tuple[int, int], after: tuple[int, int], verdict: str
) -> None:
    rows = compare_incidents(
        write_log(tmp_path / "a", *before), write_log(tmp_path / "b", *after)
    )
    COMPARISON.check(rows)
    assert verdicts(rows) == {"connection_leak": verdict}
    row = rows.iloc[0]
    assert (row["before"], row["after"], row["per"]) == (before[1], after[1], "hour")
    assert row["before_rate"] == pytest.approx(60 * before[1] / before[0])
    assert row["after_rate"] == pytest.approx(60 * after[1] / after[0])
    assert row["low"] <= row["rate_ratio"] <= row["high"]


def test_each_finding_has_its_sentence_and_new_ones_come_first(tmp_path: Path) -> None:
    rows = compare_incidents(
        write_log(tmp_path / "a", 60, leaks=40),
        write_log(tmp_path / "b", 120, timeouts=30),
    )
    assert rows["code"].tolist() == ["pool_exhausted", "connection_leak"]
    assert rows["summary"].tolist() == [
        "failed attempts to get a connection: 0 in 1 hours before, 30 in 2 after: at "
        "least 3.8 times as often",
        "connections leaked: garbage-collected, never returned: 40 in 1 hours "
        "before, 0 in 2 after: 0 times as often (0 to 0.048)",
    ]


def test_the_ids_are_those_of_the_findings(tmp_path: Path) -> None:
    leaky = write_log(tmp_path / "a", 60, leaks=40)
    rows = compare_incidents(leaky, leaky)
    assert rows["id"].tolist() == dk.rank_findings(leaky)["id"].tolist()


def test_a_log_of_one_moment_gives_no_rate(tmp_path: Path) -> None:
    rows = compare_incidents(
        write_log(tmp_path / "a", 60, leaks=40), write_log(tmp_path / "b", 0, leaks=2)
    )
    row = rows.iloc[0]
    assert row["verdict"] == "too_little_data"
    assert pd.isna(row["rate_ratio"])
    assert row["summary"].endswith("2 in 0 after: nothing to compare")


SATURATED = "timestamp,size,checked_out,overflow,max_overflow\n" + "".join(
    f"2025-11-24T10:00:{n:02}Z,5,10,5,5\n" for n in range(0, 40, 4)
)
CALM = SATURATED.replace(",5,10,5,5", ",5,0,0,5")


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (SATURATED, CALM, "gone"),
        (CALM, SATURATED, "new"),
        (SATURATED, SATURATED, "same"),
        # Nobody looked: it may well be there.
        (SATURATED, None, "too_little_data"),
    ],
)
def test_what_is_there_or_not_is_not_tested(
    tmp_path: Path, before: str, after: str | None, verdict: str
) -> None:
    sides = []
    for name, samples in (("a", before), ("b", after)):
        side = write_log(tmp_path / name, 10)
        if samples is not None:
            (tmp_path / name / "pool.csv").write_text(samples)
            side = dk.open_incident(tmp_path / name)
        sides.append(side)
    rows = compare_incidents(*sides)
    found = rows[rows["code"] == "pool_saturated"].iloc[0]
    assert found["verdict"] == verdict
    assert found["per"] == ""
    assert pd.isna(found["p_value"])


def test_recorded_leaks_are_counted_against_checkouts(tmp_path: Path) -> None:
    sides = []
    for name, lost in (("a", 30), ("b", 1)):
        folder = tmp_path / name
        engine = sa.create_engine("sqlite://", poolclass=sa.pool.QueuePool)
        with dk.PoolRecorder(engine, folder / "recording"):
            for _ in range(lost):
                engine.connect()
                gc.collect(0)
            for _ in range(200 - lost):
                engine.connect().close()
        sides.append(write_log(folder, 60))
    rows = compare_incidents(*sides)
    found = rows[rows["code"] == "recorded_leak"].iloc[0]
    assert (found["before"], found["after"], found["per"]) == (30, 1, "checkout")
    assert found["verdict"] == "less"
    assert found["rate_ratio"] == pytest.approx(1 / 30)
    # One line loses them, another does not: it is the function that is compared.
    name = "unit/analyses/test_comparison.py test_recorded_leaks_are"
    assert f"{name}_counted_against_checkouts left to the" in found["summary"]


def test_a_slip_in_per_is_told(tmp_path: Path) -> None:
    side = write_log(tmp_path, 1)
    with pytest.raises(SettingError, match=r"per is .*hour; 'hours' came"):
        compare_incidents(side, side, per="hours")


def test_a_change_at_the_edge() -> None:
    assert judge_change(1, 1, 1.0, 0.5, 2.0, 1.0) == "same"
    assert judge_change(1, 1, 1.0, 0.49, 2.0, 1.0) == "too_little_data"
