from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

import diagkit as dk

BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")


def hours(*values):
    return [None if v is None else BASE + pd.Timedelta(hours=v) for v in values]


def small(**columns):
    """Three projects: a ran with a start, b ran without, c has not started."""
    projects = {
        "project_id": ["a", "b", "c"],
        "execution_status": ["completed", "completed", "pending"],
        "created_at": hours(-5, -5, -5),
        "updated_at": hours(1, 1, None),
        "execution_started_at": hours(0, None, None),
        "execution_completed_at": hours(1, 1, None),
    } | columns
    tasks = {
        "task_id": list("123456"),
        "project_id": ["a", "a", "b", "b", "b", "b"],
        "task_name": ["x", "y", "x", "y", "x", "y"],
        "agent_type": ["web"] * 6,
        "status": ["completed", "pending", *["cancelled"] * 2, *["completed"] * 2],
        "created_at": hours(0, 0.1, -4, -4, 0.2, 0.3),
        "started_at": hours(0, None, -4, -4, 0.2, 0.3),
    }
    return dk.Progress(dk.PROJECTS.build(projects), dk.TASKS.build(tasks), "x.sqlite")


def codes(audit):
    return audit.findings["code"].tolist()


def finding(audit, code):
    return audit.findings[audit.findings["code"] == code].iloc[0]


def test_the_table_is_a_row_a_project_in_order():
    table = dk.audit_started_at(small()).projects
    assert table["project_id"].tolist() == ["a", "b", "c"]
    assert table["null"].tolist() == [False, True, True]
    assert table["legal"].isna().tolist() == [True, False, False]
    assert table["legal"][1:].tolist() == [False, True]
    assert table["tasks"].tolist() == [2, 4, 0]
    assert table["percent_current_run_or_all"].tolist() == [50, 50, 0]
    assert table["percent_current_run_or_zero"].tolist() == [50, 0, 0]
    assert table["percent_inferred"].tolist() == [50, 100, 0]
    assert table["effect_pp_current_run_or_zero"].tolist() == [0, -100, 0]
    assert table["percent_exclude"].isna().tolist() == [False, True, True]
    assert str(table["inferred_start"].dtype) == "datetime64[us, UTC]"


def test_the_portfolio_is_a_row_a_policy():
    audit = dk.audit_started_at(small())
    table = audit.portfolio.set_index("policy")
    assert table.index.tolist() == [policy.name for policy in dk.POLICIES]
    zero = table.loc["current_run_or_zero"]
    assert (zero["projects"], zero["changed"], zero["tasks_out"]) == (3, 1, 2)
    assert zero["tasks_in"] == 0
    assert zero["mean_percent"] == pytest.approx(50 / 3)
    assert zero["mean_effect_pp"] == pytest.approx(-100 / 3)
    assert zero["max_effect_pp"] == 100
    assert table.loc["all_runs", "tasks_in"] == 2
    assert table.loc["exclude", "projects"] == 1
    assert table.loc["exclude", "changed"] == 2


def test_the_baseline_is_there_without_being_asked_for():
    audit = dk.audit_started_at(small(), policies=[dk.ProgressPolicy("mine")])
    assert audit.projects["percent_mine"].tolist() == [50, 0, 0]
    assert audit.projects["percent_inferred"].tolist() == [50, 100, 0]
    assert audit.portfolio["policy"].tolist() == ["mine"]
    assert "mine shows 0.0 %" in finding(audit, "null_started_at")["summary"]


def test_no_policy_is_still_an_audit():
    audit = dk.audit_started_at(small(), policies=())
    assert audit.projects["percent_inferred"].tolist() == [50, 100, 0]
    assert audit.portfolio.empty


def test_two_policies_of_one_name_are_refused():
    with pytest.raises(dk.SettingError, match="two policies are called 'mine'"):
        dk.audit_started_at(small(), policies=[dk.ProgressPolicy("mine")] * 2)


def test_the_baseline_cannot_be_redefined_into_something_else():
    with pytest.raises(dk.SettingError, match="has null='inferred', not 'all'"):
        dk.audit_started_at(small(), policies=dk.ProgressPolicy("inferred", null="all"))


def test_nothing_at_all():
    audit = dk.audit_started_at(dk.Progress(dk.PROJECTS.empty(), dk.TASKS.empty()))
    assert len(audit.projects) == 0
    assert len(audit.findings) == 0
    assert audit.now is None
    assert repr(audit) == (
        "StartedAtAudit(0 projects, 0 with a NULL start (0 illegal), 0 findings)"
    )


def test_what_came_in_is_not_changed():
    progress = small()
    before = progress.projects.copy(), progress.tasks.copy()
    dk.audit_started_at(progress)
    pd.testing.assert_frame_equal(progress.projects, before[0])
    pd.testing.assert_frame_equal(progress.tasks, before[1])


def test_the_illegal_and_the_legal_null_are_findings_of_their_own():
    audit = dk.audit_started_at(small())
    rows = audit.findings[audit.findings["code"] == "null_started_at"]
    assert rows["severity"].tolist() == ["high", "info"]
    assert rows["summary"].tolist()[0] == (
        "1 project that ran has no execution_started_at (1 completed); "
        "current_run_or_zero shows 0.0 % for them in the mean, the evidence says "
        "100.0 %"
    )
    assert rows["evidence"].tolist()[0].startswith("b; 1 of them set up before")
    assert rows["evidence"].tolist()[1] == "c"
    assert rows["id"].nunique() == 2


def test_ids_do_not_depend_on_counts():
    one = finding(dk.audit_started_at(small()), "null_started_at")["id"]
    more = small(execution_started_at=hours(None, None, None))
    assert finding(dk.audit_started_at(more), "null_started_at")["id"] == one


def test_never_started_is_a_setting():
    audit = dk.audit_started_at(small(), never_started=("draft",))
    assert audit.projects["legal"][1:].tolist() == [False, False]


@pytest.mark.parametrize(
    ("columns", "code", "text"),
    [
        (
            {"execution_started_at": hours(0, 0, 100)},
            "started_in_future",
            "1 project with a start later than every other time in the data "
            "(2025-11-24 11:00:00Z)",
        ),
        (
            {"execution_started_at": hours(3, 0, None)},
            "started_after_tasks",
            "1 project with a start later than every task",
        ),
        (
            {"execution_started_at": hours(-6, 0, None)},
            "started_before_project",
            "1 project with a start before the project was set up",
        ),
        (
            {"execution_completed_at": hours(-1, 1, None)},
            "completed_before_started",
            "1 project with an end before the start",
        ),
        (
            {"execution_status": ["archived", "completed", "pending"]},
            "unknown_status",
            "1 of the projects with a status that no rule knows",
        ),
    ],
)
def test_a_start_that_is_wrong(columns, code, text):
    assert code not in codes(dk.audit_started_at(small()))
    assert finding(dk.audit_started_at(small(**columns)), code)["summary"].startswith(
        text
    )


def test_now_can_be_said():
    audit = dk.audit_started_at(small(), now="2025-11-24 09:00")
    assert (
        "later than now (2025-11-24 09:00:00Z)"
        in (finding(audit, "started_in_future")["summary"])
    )
    assert audit.now == pd.Timestamp("2025-11-24 09:00", tz="UTC")
    for bad in ("soon", pd.NaT, object()):
        with pytest.raises(dk.SettingError, match="is no time"):
            dk.audit_started_at(small(), now=bad)


def test_without_now_the_latest_time_is_now():
    assert dk.audit_started_at(small()).now == hours(1)[0]


def test_orphans_and_undated_tasks():
    progress = small()
    tasks = progress.tasks.copy()
    tasks.loc[0, "project_id"] = "gone"
    tasks.loc[1, "project_id"] = None
    tasks.loc[5, "created_at"] = pd.NaT
    audit = dk.audit_started_at(dataclasses.replace(progress, tasks=tasks))
    assert finding(audit, "orphan_tasks")["summary"].startswith("2 tasks of no project")
    assert finding(audit, "orphan_tasks")["evidence"] == "gone"
    assert finding(audit, "undated_tasks")["evidence"] == "6"


def test_tasks_that_end_before_they_start():
    progress = small()
    tasks = progress.tasks.copy()
    tasks.loc[0, "completed_at"] = BASE - pd.Timedelta("1s")
    tasks.loc[2, "failed_at"], tasks.loc[3, "failed_at"] = hours(-4.25, -4)
    assert "completed_before_started" not in codes(dk.audit_started_at(progress))
    audit = dk.audit_started_at(dataclasses.replace(progress, tasks=tasks))
    found = finding(audit, "completed_before_started")
    assert found["summary"] == "2 tasks with an end before the start"
    assert found["evidence"] == "of a, b"


def test_displays_that_rounding_parts():
    def audit_of(done, total):
        tasks = {
            "project_id": ["a"] * total,
            "task_name": [str(i) for i in range(total)],
            "status": ["completed"] * done + ["pending"] * (total - done),
            "created_at": hours(0) * total,
        }
        projects = dk.PROJECTS.build({"project_id": ["a"]})
        progress = dk.Progress(projects, dk.TASKS.build(tasks))
        found = dk.audit_started_at(progress).findings
        return found.loc[found["code"] == "rounding_differs", "summary"].tolist()

    whole = "1 project with a percentage on a half"
    cents = "1 project with a quality half way between two decimals"
    # 12.5 %, 3.125 %, 0.625 %; 0.075 % is a half on paper, and below one in binary.
    assert [text[: len(whole)] for text in audit_of(1, 8)] == [whole]
    assert [text[: len(cents)] for text in audit_of(1, 32)] == [cents]
    assert [text[: len(cents)] for text in audit_of(1, 160)] == [cents]
    assert [text[: len(cents)] for text in audit_of(3, 4000)] == [cents]
    assert audit_of(1, 3) == []
    assert audit_of(3, 32) == []


def shifted(progress, by, which=slice(None)):
    projects = progress.projects.copy()
    chosen = projects.index[projects["execution_started_at"].notna()][which]
    projects.loc[chosen, "execution_started_at"] += pd.Timedelta(by)
    return dataclasses.replace(progress, projects=projects)


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (
            "-5h",
            "are 5 h early against their run's first task: local times of a zone at "
            "UTC-05:00",
        ),
        (
            "5h30min",
            "are 5.5 h late against their run's first task: local times of a zone at "
            "UTC+05:30",
        ),
    ],
)
def test_a_zone_shift_is_seen_and_named(case_study, by, text):
    progress = dk.read_progress(case_study / "progress")
    assert "zone_shift" not in codes(dk.audit_started_at(progress))
    found = finding(dk.audit_started_at(shifted(progress, by)), "zone_shift")
    assert text in found["summary"]
    assert found["severity"] == "high"


def through_the_year(zone, months, *, turned=False):
    """A project a month, each start shifted as a clock of the zone would."""
    first = pd.to_datetime([f"2025-{m:02}-15 12:00" for m in months], utc=True)
    ahead = first.tz_convert(zone).tz_localize(None) - first.tz_localize(None)
    start = first - ahead if turned else first + ahead
    ids = [f"p{m}" for m in months]
    projects = {"project_id": ids, "execution_started_at": start}
    tasks = {"project_id": ids, "status": ["completed"] * len(ids)}
    tasks |= {"created_at": first + pd.Timedelta("20s"), "task_name": ids}
    return dk.Progress(dk.PROJECTS.build(projects), dk.TASKS.build(tasks))


@pytest.mark.parametrize(
    ("zone", "months", "text"),
    [
        (
            "America/New_York",
            (1, 2, 3, 6, 7, 8, 12),
            "7 of 7 starts are 4 h early or 5 h early against their run's first task: "
            "local times of a zone at UTC-05:00 and UTC-04:00 stored as UTC (such as "
            "America/New_York, America/Toronto); its clock changed within them: a "
            "fixed offset would explain 4",
        ),
        (
            "Asia/Kathmandu",
            (1, 2, 3),
            "3 of 3 starts are 5.75 h late against their run's first task: local times "
            "of a zone at UTC+05:45 stored as UTC (such as Asia/Kathmandu)",
        ),
        (
            "Australia/Lord_Howe",
            (1, 2, 6, 7),
            "4 of 4 starts are 10.5 h late or 11 h late against their run's first "
            "task: local times of a zone at UTC+10:30 and UTC+11:00 stored as UTC "
            "(such as Australia/Lord_Howe); its clock changed within them: a fixed "
            "offset would explain 2",
        ),
        # In winter nothing is wrong there: a fixed offset would contradict it.
        (
            "Europe/London",
            (1, 2, 5, 6, 7, 12),
            "3 of 6 starts are 1 h late against their run's first task: local times of "
            "a zone at UTC+01:00 stored as UTC (such as Europe/London)",
        ),
    ],
)
def test_the_zone_that_explains_a_shift(zone, months, text):
    audit = dk.audit_started_at(through_the_year(zone, months), now="2026-06-01")
    assert finding(audit, "zone_shift")["summary"] == text


def test_utc_times_that_were_turned_twice():
    progress = through_the_year("Asia/Kolkata", (1, 6, 7), turned=True)
    found = finding(dk.audit_started_at(progress, now="2026-06-01"), "zone_shift")
    assert found["summary"] == (
        "3 of 3 starts are 5.5 h early against their run's first task: UTC times taken "
        "for local ones of a zone at UTC+05:30 and turned into UTC again (such as "
        "Asia/Kolkata)"
    )
    assert found["remedy"].startswith("read them with the zone they were written in, ")
    assert "move them by +5.5 h" in found["remedy"]


def test_a_shift_of_no_zone_is_told_as_well():
    progress = through_the_year("UTC", (1, 6, 7))
    projects = progress.projects.copy()
    projects["execution_started_at"] += pd.Timedelta("90min")
    audit = dk.audit_started_at(dataclasses.replace(progress, projects=projects))
    assert finding(audit, "zone_shift")["summary"].endswith(
        "3 of 3 starts are 1.5 h late against their run's first task: no zone is at "
        "UTC+01:30"
    )


def test_half_of_the_starts_shifted_is_a_shift_and_two_are_none(case_study):
    progress = dk.read_progress(case_study / "progress")
    half = dk.audit_started_at(shifted(progress, "-5h", slice(0, 20)))
    assert "20 of 44 starts" in finding(half, "zone_shift")["summary"]
    two = dk.audit_started_at(shifted(progress, "-5h", slice(0, 2)))
    assert "zone_shift" not in codes(two)


def test_the_case_study_as_it_is(case_study):
    audit = dk.audit_started_at(dk.read_progress(case_study / "progress"))
    table = audit.projects
    assert repr(audit) == (
        "StartedAtAudit(66 projects, 22 with a NULL start (15 illegal), 6 findings)"
    )
    null = table[table["null"]]
    assert null["execution_status"].astype(str).value_counts().to_dict() == {
        "pending": 14,
        "completed": 6,
        "running": 2,
    }
    assert int((null["tasks"] > 0).sum()) == 15
    assert int(null["tasks"].sum()) == 695
    assert int(null["legal"].sum()) == 7
    assert codes(audit) == [
        "null_started_at",
        "started_in_future",
        "started_after_tasks",
        "rounding_differs",
        "orphan_tasks",
        "null_started_at",
    ]
    assert finding(audit, "started_in_future")["evidence"] == "edge-future-start"
    assert finding(audit, "started_after_tasks")["evidence"].endswith(
        "3 of them 5 h late, as a local time would be"
    )
    assert finding(audit, "rounding_differs")["evidence"].startswith(
        "edge-half-a, edge-half-c; under"
    )
    assert "45 tasks" in finding(audit, "orphan_tasks")["summary"]
    zero = audit.portfolio.set_index("policy").loc["current_run_or_zero"]
    assert (zero["changed"], zero["tasks_out"], zero["tasks_in"]) == (15, 592, 0)


def test_a_single_start_off_by_hours(case_study):
    progress = dk.read_progress(case_study / "progress")
    two = dk.audit_started_at(shifted(progress, "-5h", slice(0, 2)))
    found = finding(two, "start_off_by_hours")
    assert found["severity"] == "medium"
    assert "2 starts off by whole or half hours" in found["summary"]
    assert (
        "2 of them 5 h early: perhaps local times of a zone at UTC-05:00 stored as UTC "
        "(such as America/New_York, America/Jamaica, America/Bogota)"
    ) in found["summary"]
    assert found["evidence"] == "bounce-zone-1763736596, avery-enterprise-1763851856"
    assert "start_off_by_hours" not in codes(dk.audit_started_at(progress))
