from __future__ import annotations

import math
import time

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.percentages import (
    check_percentages,
    count_policies,
    find_percentages,
    match_percentages,
)
from diagkit.frames.percentages import PERCENTAGES

BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")


def logs(*messages, logger="api.progress"):
    count = len(messages)
    return dk.LOGS.build(
        {
            "timestamp": [BASE + pd.Timedelta(minutes=i) for i in range(count)],
            "message": list(messages),
            "logger": [logger] * count,
            "source": ["api.log"] * count,
            "line": range(1, count + 1),
            "lines": [1] * count,
        }
    )


def read(message):
    found = find_percentages(logs(message))
    named = (
        found["project_id"].astype("object").where(found["project_id"].notna(), None)
    )
    return list(zip(named, found["written"], strict=True))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # As the case study and the sample write them.
        (
            "Project farm-ledger task stats: total=40, completed=19, failed=3, "
            "completion=47.5%",
            [("farm-ledger", "47.5")],
        ),
        (
            "Project progress calculated: {'project_id': 'reef-014', 'total_tasks': "
            "39, 'completed_tasks': 20, 'completion_percentage': 51.28205128205128}",
            [("reef-014", "51.28205128205128")],
        ),
        # As others do.
        ('{"project_id": "a-1", "progress": 62.300000000000004}', [("a-1",) * 1]),
        ("progress 62.300000000000004 for project 'crm'", [("crm", "62.3")]),
        ("projectId=x7 completionPercentage=33.333333333333336", [("x7", "33.3")]),
        ("project x is at progress of 100 %", [("x", "100")]),
        ("percent: 12", [(None, "12")]),
        (
            "[{'project_id': 'a', 'progress': 1.5}, {'project_id': 'b', 'progress': "
            "2.5, 'quality_percentage': 2.25}]",
            [("a", "1.5"), ("b", "2.5"), ("b", "2.25")],
        ),
        # What is none.
        ("project a: progress 3 of 5", []),
        ("project a: completed=19, completion=3/5", []),
        ("project a: progress_s=12.5, progress 12.5ms, percent 1.2.3", []),
        ("project a: progress=101.5, percent=-4, percent=1000", []),
        ("project a took 62.300000000000004 s", []),
    ],
)
def test_the_shapes_in_which_they_stand(message, expected):
    found = read(message)
    assert len(found) == len(expected)
    for (project, written), wanted in zip(found, expected, strict=True):
        assert project == wanted[0]
        assert written.startswith(wanted[-1] if len(wanted) > 1 else "62.3")


def test_each_is_a_row_with_its_place():
    text = "project a: completion=51.69491525423729%, quality=12.5%"
    found = find_percentages(logs("up", text))
    assert found["measure"].astype("str").tolist() == ["progress", "quality"]
    assert found["percent"].tolist() == [51.69491525423729, 12.5]
    assert found["unrounded"].tolist() == [True, False]
    assert found["line"].tolist() == [2, 2]
    assert found["timestamp"].tolist() == [BASE + pd.Timedelta("1min")] * 2
    assert found["logger"].tolist() == ["api.progress"] * 2
    assert len(find_percentages(logs("up", "and running"))) == 0
    assert len(find_percentages(dk.LOGS.empty())) == 0


quiet = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="%pPcCqQ"),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(
    parts=st.lists(
        st.tuples(
            quiet,
            st.from_regex(r"[a-zé0-9][a-z0-9._-]{0,8}[a-zö0-9]-[0-9]", fullmatch=True),
            st.floats(0, 100).filter(lambda x: "e" not in repr(x)),
        ),
        max_size=4,
    ),
    end=quiet,
)
def test_whatever_stands_around_them(parts, end):
    message = "".join(
        f"{text} [project_id='{project}' progress={value!r}]"
        for text, project, value in parts
    )
    found = find_percentages(logs(message + " " + end))
    expected = [(p, value) for _, p, value in parts if len(repr(value)) < 22]
    got = list(zip(found["project_id"], found["percent"], strict=True))
    assert [one for one in got if one in expected] == expected
    assert len(got) <= len(parts)


@pytest.mark.parametrize(
    "hostile",
    [
        "progress " * 100_000,
        "project project_id=" * 50_000,
        "percent" * 100_000 + "=1",
        "progress=" + "1" * 500_000,
        "\x1c\x1d progress=1.5 \x1c" * 20_000,
        "completion" + " " * 500_000 + "=",
    ],
)
def test_hostile_text_takes_no_longer(hostile):
    began = time.perf_counter()
    find_percentages(logs(hostile))
    assert time.perf_counter() - began < 5


def progress():
    """``a`` has a start and two runs; ``b`` ran without one."""
    runs = {"a": "ccfccpp", "b": "cpf"}
    words = {"c": "completed", "f": "failed", "p": "pending"}
    rows = [
        (name, f"{name}{i}", words[code], BASE + pd.Timedelta(hours=5 * (i >= 4)))
        for name, codes in runs.items()
        for i, code in enumerate(codes)
    ]
    columns = ["project_id", "task_name", "status", "created_at"]
    return dk.Progress(
        dk.PROJECTS.build(
            {
                "project_id": ["a", "b"],
                "execution_started_at": [BASE + pd.Timedelta(hours=5), None],
                "execution_status": ["running", "completed"],
            }
        ),
        dk.TASKS.conform(pd.DataFrame(rows, columns=columns)),
    )


def matched(*messages, **options):
    found = find_percentages(logs(*messages, **options))
    return match_percentages(found, dk.audit_started_at(progress()))


def test_the_rules_that_show_a_number_are_named():
    table = matched(
        f"project a progress={4 / 7 * 100!r}",
        f"project a progress={1 / 3 * 100!r}",
        f"project a progress={math.nextafter(1 / 3 * 100, 0)!r}",
        "project a percent=33",
        "project a progress=33.3",
        "project b quality=33.33",
        "project b percent=0",
        "project nobody progress=33.3",
        "progress=33.3",
    )
    names = [text.split(", ") for text in table["policies"]]
    assert names[0] == ["all_runs_uncapped", "all_runs"]
    assert names[1] == ["current_run_or_all"]
    assert names[2] == [""]
    assert "current_run_or_zero" in names[3]
    # A rule that shows 33 does not show 33.3.
    assert names[4] == ["current_run_or_all"]
    assert names[5] == ["current_run_or_all_finished", "inferred"]
    assert names[6] == ["current_run_or_zero", "sql_null"]
    assert table["known"].tolist() == [True] * 7 + [False] * 2
    assert (table["policies"][7:] == "").all()


def test_a_place_is_told_by_the_rule_that_shows_the_most():
    table = matched(
        f"project a progress={1 / 3 * 100!r}",
        f"project a progress={1 / 3 * 100!r}",
        f"project b progress={1 / 3 * 100!r}",
        "project b progress=50.5",
    )
    rules = count_policies(table)
    assert rules["policy"].tolist()[0] == "current_run_or_all"
    assert rules[["numbers", "shown"]].values.tolist()[0] == [3, 2]
    assert rules["share"][0] == pytest.approx(2 / 3)
    assert rules["first"][0] == BASE
    assert rules["last"][0] == BASE + pd.Timedelta("3min")
    (found,) = check_percentages(table).to_dict("records")
    assert found["code"] == "unrounded_percentage"
    assert found["summary"] == (
        "3 percentages with all the digits of a division logged by api.progress: "
        "current_run_or_all shows exactly 2 of the 3 different numbers of this place, "
        "the next best all_runs_uncapped 1"
    )
    assert found["evidence"] == (
        "first 33.33333333333333 of a at api.log:1; of 2 projects: a, b"
    )


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (
            (f"project b progress={1 / 3 * 100!r}",),
            "all_runs_uncapped shows exactly 1 of the 1 different numbers of this "
            "place (so do all_runs, current_run_or_all)",
        ),
        (("project a progress=1.234567",), "no rule shows them as the tables are now"),
        (("progress=1.234567",), "no rule shows them as the tables are now"),
    ],
)
def test_what_a_finding_says(messages, text):
    found = check_percentages(matched(*messages)).iloc[0]
    assert found["summary"].endswith(text)


def test_rounded_ones_and_records_without_a_logger():
    assert len(check_percentages(matched("project a progress=33.33"))) == 0
    found = check_percentages(matched("progress=1.234567", logger=None)).iloc[0]
    assert "logged by a record without a logger" in found["summary"]
    assert found["evidence"] == (
        "first 1.234567 of no project at api.log:1; of 0 projects: none is named"
    )


def test_other_frames_are_refused():
    audit = dk.audit_started_at(progress())
    with pytest.raises(dk.ContractError, match="LOGS"):
        find_percentages(pd.DataFrame())
    with pytest.raises(dk.ContractError, match="PERCENTAGES"):
        match_percentages(pd.DataFrame(), audit)
    with pytest.raises(dk.ContractError, match="MATCHES"):
        check_percentages(PERCENTAGES.empty())


def test_what_the_application_of_the_sample_showed():
    incident = dk.open_sample()
    audit = dk.audit_started_at(incident.progress)
    table = match_percentages(find_percentages(incident.logs), audit)
    assert len(table) == 540
    rules = count_policies(table)
    best = rules.iloc[0]
    # The capture's own policy, said in its README.
    assert (best["policy"], best["numbers"], best["shown"]) == (
        "current_run_or_all",
        42,
        42,
    )
    assert rules["shown"][1] == 37


@pytest.mark.parametrize(
    ("run", "rule", "shown", "second"),
    [("big", "current_run_or_all", 9, 5), ("head", "current_run_or_zero", 7, 5)],
)
def test_which_rule_each_version_of_the_case_study_used(
    case_study, run, rule, shown, second
):
    incident = dk.open_incident(case_study / "runs" / run)
    audit = dk.audit_started_at(dk.read_progress(case_study / "progress"))
    table = match_percentages(find_percentages(incident.logs), audit)
    rules = count_policies(table)
    assert (rules["policy"][0], rules["shown"][0]) == (rule, shown)
    assert rules["share"][0] == 1
    assert rules["shown"][1] == second
