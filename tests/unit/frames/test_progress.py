from __future__ import annotations

import pandas as pd
import pytest

import diagkit as dk
from diagkit.frames.progress import audit_contract


def test_an_unknown_column_in_a_mapping_names_the_nearest():
    with pytest.raises(dk.SettingError, match="did you mean 'execution_started_at'"):
        dk.ProgressSchema(project_columns={"execution_start_at": "begin"})


def test_a_mapping_that_is_none_is_refused():
    with pytest.raises(dk.SettingError, match="task_columns maps names; list came"):
        dk.ProgressSchema(task_columns=["status"])


def test_a_mapped_column_is_theirs_and_the_rest_ours():
    schema = dk.ProgressSchema(task_columns={"status": "state"})
    assert schema.column("tasks", "status") == "state"
    assert schema.column("tasks", "created_at") == "created_at"
    assert schema.column("projects", "created_at") == "created_at"


def test_repr_is_short_and_holds_no_data():
    progress = dk.Progress(
        dk.PROJECTS.build({"project_id": ["secret-client"]}),
        dk.TASKS.empty(),
        "progress.sqlite",
    )
    assert repr(progress) == "Progress(1 projects, 0 tasks, from progress.sqlite)"


def test_progress_refuses_frames_that_are_none():
    with pytest.raises(dk.ContractError, match="not a PROJECTS frame: missing"):
        dk.Progress(pd.DataFrame({"project": ["a"]}), dk.TASKS.empty())


def test_audit_contract_has_a_column_a_policy():
    contract = audit_contract(["a", "b"], ["b"])
    assert contract.names[-5:] == [
        "percent_a",
        "percent_b",
        "effect_pp_a",
        "effect_pp_b",
        "quality_b",
    ]
    assert contract.names[: len(dk.AUDIT.names)] == dk.AUDIT.names
    units = {c.name: c.unit for c in contract.columns}
    assert units["percent_a"] == "%"
    assert units["effect_pp_a"] == "pp"
