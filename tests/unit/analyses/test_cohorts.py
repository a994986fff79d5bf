from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.cohorts import count_cohorts

BASE = pd.Timestamp("2025-11-10", tz="UTC")
DAY = pd.Timedelta(days=1)


def audit_of(created, null, legal=None):
    """An audit's table as far as cohorts look at it; `created` in days."""
    null = np.asarray(null, dtype=bool)
    legal = np.zeros(len(null), dtype=bool) if legal is None else np.asarray(legal)
    at = [None if d is None else BASE + pd.Timedelta(days=float(d)) for d in created]
    table = pd.DataFrame(
        {
            "created_at": pd.Series(at, dtype="datetime64[us, UTC]"),
            "null": null,
            "legal": pd.Series(legal, dtype="boolean").where(null),
        }
    )
    return SimpleNamespace(projects=table)


def clean(count=20, since=9):
    return audit_of(range(count), [i < since for i in range(count)])


def test_null_stops():
    cohorts = count_cohorts(clean())
    change = cohorts.change
    assert change.origin == "fitted"
    assert (change.before, change.after) == (100, 0)
    assert change.at == BASE + 9 * DAY
    assert change.low < BASE + 9 * DAY <= change.high
    assert cohorts.every == DAY
    assert cohorts.reason == ""
    assert repr(cohorts) == (
        "Cohorts(NULL starts stop with projects set up between 2025-11-17 00:00 and "
        "2025-11-20 00:00 UTC: 100 % of those that ran lack one before, 0 % after)"
    )


def test_null_begins():
    found = count_cohorts(audit_of(range(30), [i >= 12 for i in range(30)]))
    assert found.change.at == BASE + 12 * DAY
    assert found.conclusion.startswith("NULL starts begin with projects set up between")


def test_legal_nulls_are_counted_and_fit_no_step():
    null = [i < 9 for i in range(20)]
    legal = [i < 9 for i in range(20)]
    found = count_cohorts(audit_of(range(20), null, legal))
    assert found.change is None
    assert found.conclusion == "0 of 11 projects that ran lack a start"
    assert found.table["legal"].sum() == found.table["null"].sum() == 9
    assert found.table["share"].isna().sum() == 9


@pytest.mark.parametrize(
    ("days", "null", "reason", "text"),
    [
        (range(3), [1, 0, 0], "too little data", "1 of 3 projects that ran lack a "
         "start, too few to tell since when"),
        (range(1), [1], "no step", "1 of 1 project that ran lack a start; no date "
         "parts those that do from those that do not"),
        (range(40), [i % 2 for i in range(40)], "no step", "20 of 40 projects that ran "
         "lack a start; no date parts those that do from those that do not"),
        ([5] * 40, [i < 20 for i in range(40)], "no step", "20 of 40 projects that ran "
         "lack a start; no date parts those that do from those that do not"),
        ([], [], "no step", "0 of 0 projects that ran lack a start"),
    ],
)  # fmt: skip
def test_where_no_step_can_be_told(days, null, reason, text):
    found = count_cohorts(audit_of(days, null))
    assert found.change is None
    assert found.reason == reason
    assert found.conclusion == text
    assert found.table["age_d"].isna().all()


def test_a_date_that_is_given():
    for date in ("2025-11-15", pd.Timestamp("2025-11-15 01:00", tz="Europe/Berlin")):
        found = count_cohorts(clean(), migration=date)
        assert found.change.at == found.change.low == BASE + 5 * DAY
        assert (found.change.before, found.change.after) == (
            100,
            pytest.approx(400 / 15),
        )
        assert found.conclusion == (
            "Of the projects that ran, 100 % of those set up before 2025-11-15 lack a "
            "start, 27 % of those after"
        )
        assert found.table["age_d"].tolist() == list(range(-5, 15))
    late = count_cohorts(clean(), migration="2026-01-01")
    assert late.conclusion.endswith("2026-01-01 lack a start, none of those after")


def marks(*pairs):
    return dk.MARKS.build(
        {
            "timestamp": [BASE + d * DAY for d, _ in pairs],
            "label": [t for _, t in pairs],
        }
    )


def test_marks_name_the_step_or_give_the_date():
    both = marks((3, "deploy"), (8.5, "migration 008 applied"))
    found = count_cohorts(clean(), marks=both)
    assert found.change.origin == "migration 008 applied"
    assert found.change.low < found.change.high
    assert "UTC (migration 008 applied): 100 %" in found.conclusion
    # Two in the interval name nothing.
    two = marks((8.2, "deploy"), (8.5, "migration"))
    assert count_cohorts(clean(), marks=two).change.origin == "fitted"
    # Where nothing can be told, the migration's mark is the date.
    few = audit_of(range(4), [1, 1, 0, 0])
    found = count_cohorts(few, marks=marks((2, "Migration 008"), (0, "deploy")))
    assert (found.change.before, found.change.after) == (100, 0)
    assert "before 2025-11-12 (Migration 008) lack a start" in found.conclusion
    # Not one on the other side of all projects.
    assert count_cohorts(few, marks=marks((90, "migration"))).change is None
    with pytest.raises(dk.ContractError, match="MARKS"):
        count_cohorts(few, marks=pd.DataFrame({"at": []}))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"every": "often"}, "every='often' is no length of time; write 'day', 'week'"),
        ({"every": "-1D"}, "every='-1D' is no length of time"),
        ({"every": "1s"}, "makes 1,641,601 cohorts; choose a longer one"),
        ({"migration": "soon"}, "migration='soon' is no time; write '2025-11-19"),
        ({"migration": pd.NaT}, "migration=NaT is no time"),
    ],
)
def test_settings_without_meaning_are_refused(options, text):
    with pytest.raises(dk.SettingError, match=text):
        count_cohorts(clean(), **options)


def test_long_portfolios_are_counted_by_weeks():
    months = count_cohorts(audit_of(range(0, 400, 10), [i < 20 for i in range(40)]))
    assert months.every == 7 * DAY
    # Cohorts begin where the step is, so that none lies on both sides.
    table = months.table
    assert (table.loc[table["age_d"] < 0, "share"].dropna() == 100).all()
    assert (table.loc[table["age_d"] >= 0, "share"].dropna() == 0).all()
    # Without a step weeks begin on Monday.
    flat = count_cohorts(audit_of([2, 40], [0, 0]), "week").table
    assert flat["cohort"].dt.day_of_week.unique().tolist() == [0]
    assert len(flat) == 6
    assert flat["projects"].tolist() == [1, 0, 0, 0, 0, 1]


day = st.none() | st.floats(0, 30).map(lambda x: round(x, 3))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(day, st.booleans(), st.booleans()), max_size=30),
    every=st.sampled_from(["day", "week", "12h", None]),
    given_day=st.none() | st.integers(-3, 33),
)
def test_every_project_is_counted_once(rows, every, given_day):
    audit = audit_of([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    date = None if given_day is None else BASE + given_day * DAY
    found = count_cohorts(audit, every, migration=date)
    table = found.table
    dated = [r for r in rows if r[0] is not None]
    assert found.undated == len(rows) - len(dated)
    steps = table["cohort"].diff().dropna()
    assert (steps == found.every).all()
    for row in table.itertuples():
        begin = (row.cohort - BASE) / DAY
        held = [r for r in dated if begin <= r[0] < begin + found.every / DAY]
        null = sum(r[1] for r in held)
        legal = sum(r[1] and r[2] for r in held)
        counted = (row.projects, row.null, row.legal, row.illegal)
        assert counted == (len(held), null, legal, null - legal)
        ran = len(held) - legal
        expected = (null - legal) / ran * 100 if ran else None
        assert (row.share == pytest.approx(expected)) if ran else np.isnan(row.share)
    assert table["projects"].sum() == len(dated)


def simulate(generator, count, before, after):
    place = int(count * generator.uniform(0.2, 0.8))
    share = np.where(np.arange(count) < place, before, after)
    days = np.sort(generator.uniform(0, 60, count))
    return days, generator.random(count) < share, place


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0.9, 0.05), (0.03, 0.5)])
def test_the_interval_holds_the_true_date(before, after):
    generator = np.random.default_rng(1)
    seen = held = 0
    for _ in range(150):
        days, null, place = simulate(generator, 80, before, after)
        change = count_cohorts(audit_of(days, null), "week").change
        if change is None:
            continue
        seen += 1
        true = BASE + pd.Timedelta(days=days[place])
        held += change.low < true.floor("us") <= change.high
    assert seen >= 140
    assert held >= 0.95 * seen


@pytest.mark.parametrize(("count", "share"), [(12, 0.5), (80, 0.2), (300, 0.5)])
def test_chance_is_no_step(count, share):
    generator = np.random.default_rng(2)
    steps = 0
    for _ in range(150):
        days, null, _ = simulate(generator, count, share, share)
        steps += count_cohorts(audit_of(days, null), "week").change is not None
    assert steps <= 3


def test_the_migration_of_the_case_study_and_of_the_sample(case_study, sample):
    applied = pd.Timestamp("2025-11-19 12:00", tz="UTC")
    for source in (case_study / "progress", sample / "progress.sqlite"):
        found = count_cohorts(dk.audit_started_at(dk.read_progress(source)))
        assert found.change.low < applied < found.change.high
        assert found.change.before == 100
        assert found.change.after < 11
