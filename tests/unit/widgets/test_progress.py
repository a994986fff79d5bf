from __future__ import annotations

import ipywidgets
import pytest

import diagkit as dk
from diagkit.widgets.progress import LINES, ProgressExplorer


@pytest.fixture(scope="module")
def progress() -> dk.Progress:
    found = dk.open_sample().progress
    assert found is not None
    return found


@pytest.fixture(scope="module")
def audit(progress) -> dk.StartedAtAudit:
    return dk.audit_started_at(progress)


def test_a_row_is_a_project_with_what_rules_show_of_it(audit) -> None:
    view = ProgressExplorer(audit, policy="current_run_or_zero").view()
    assert len(view.bars) == LINES
    assert view.rows
    table = audit.projects.set_index("project_id")
    for bar in view.bars:
        row = table.loc[bar.value]
        assert bar.label == (
            f"{bar.value}: current_run_or_zero "
            f"{row['percent_current_run_or_zero']:.1f} %, "
            f"inferred {row['percent_inferred']:.1f} %"
        )
    known = {one.value for one in (*view.bars, *view.others)}
    assert known == set(audit.projects["project_id"])


def test_only_illegal_nulls(audit) -> None:
    view = ProgressExplorer(audit, illegal=True).view()
    rows = audit.projects.set_index("project_id")
    wrong = rows[rows["null"] & ~rows["legal"].fillna(True).astype(bool)]
    assert set(view.tables[0].records["project"]) == set(wrong.index)
    assert set(view.tables[0].records["start"]) == {"NULL"}
    assert "17 projects ran without a recorded start" in view.says


def test_a_project_is_told_with_its_tasks(audit, progress) -> None:
    project = audit.projects["project_id"].iloc[3]
    explorer = ProgressExplorer(audit, progress, project=project)
    shown, told, starts, tasks = explorer.view().tables
    row = audit.projects.iloc[3]
    assert dict(
        zip(shown.records["policy"], shown.records["percent"], strict=True)
    ) == {
        name.removeprefix("percent_"): "–" if value != value else f"{value:.1f} %"
        for name, value in row.items()
        if name.startswith("percent_") and name[8:] not in ("low", "high")
    }
    assert row["evidence"] in told.records["is"].tolist()
    mine = audit.candidates[audit.candidates["project_id"] == project]
    assert starts.records["evidence"].tolist() == mine["evidence"].astype(str).tolist()
    of_it = progress.tasks[progress.tasks["project_id"] == project]
    assert len(tasks.records) + tasks.left == len(of_it) > 0
    assert explorer.as_code() == (
        f"dk.ProgressExplorer(audit, progress, project={project!r})"
    )
    again = eval(explorer.as_code(), {"dk": dk, "audit": audit, "progress": progress})
    assert str(again.static()) == str(explorer.static())


def test_controls_move_it(audit) -> None:
    explorer = ProgressExplorer(audit)
    policy, wanted = explorer.widget.children[0].children
    assert isinstance(wanted, ipywidgets.Checkbox)
    wanted.value = True
    policy.value = "all_runs"
    assert explorer.settings == {"policy": "all_runs", "illegal": True, "project": None}
    explorer.set(project="palm-clinic-033")
    assert explorer.as_code() == (
        "dk.ProgressExplorer(audit, policy='all_runs', illegal=True, "
        "project='palm-clinic-033')"
    )
    explorer.close()


def test_a_project_without_tasks_has_none(progress) -> None:
    few = dk.Progress(progress.projects.head(1), dk.TASKS.empty())
    name = few.projects["project_id"].iloc[0]
    view = ProgressExplorer(dk.audit_started_at(few), few, project=name).view()
    assert (view.tables[3].caption, len(view.tables[3].records)) == (
        f"Tasks of {name}",
        0,
    )


def test_what_has_no_meaning_is_refused(audit) -> None:
    with pytest.raises(dk.SettingError, match="no project 'palm' is in the audit"):
        ProgressExplorer(audit, project="palm")
    with pytest.raises(dk.SettingError, match="no policy 'al_runs' in this audit"):
        ProgressExplorer(audit, policy="al_runs")
    with pytest.raises(dk.SettingError, match="explores what audit_started_at returns"):
        ProgressExplorer(audit.projects)


def test_what_is_drawn_has_no_secrets() -> None:
    projects = dk.PROJECTS.build(
        {
            "project_id": ["sam@example.net", "plain"],
            "execution_status": "running",
            "created_at": ["2025-11-24 10:00Z", "2025-11-24 10:00Z"],
        }
    )
    tasks = dk.TASKS.build(
        {
            "task_id": ["1", "2"],
            "project_id": ["sam@example.net", "plain"],
            "status": ["completed", "pending"],
            "created_at": ["2025-11-24 10:01Z", "2025-11-24 10:01Z"],
        }
    )
    explorer = ProgressExplorer(dk.audit_started_at(dk.Progress(projects, tasks)))
    page = str(explorer.static())
    assert "sam@example.net" not in page
    assert "[redacted:email]" in page
    (figure,) = [sheet[0] for sheet in explorer.canvas._sheets.values()]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(labels) == ["[redacted:email]   NULL", "plain   NULL"]
