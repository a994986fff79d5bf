from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import diagkit as dk
from diagkit.analyses.nulls import judge_nulls, null_rule

STATUS = pd.Series(["pending", "pending", "paused", "paused", None, None, "archived"])
TASKS = np.array([0, 2, 0, 2, 0, 2, 0])


@pytest.mark.parametrize(
    ("rule", "legal"),
    [
        (("pending",), [1, 0, 0, 0, 1, 0, 0]),
        ("pending", [1, 0, 0, 0, 1, 0, 0]),
        (("pending", "archived"), [1, 0, 0, 0, 1, 0, 1]),
        ((), [0, 0, 0, 0, 1, 0, 0]),
        ({}, [0, 0, 0, 0, 0, 0, 0]),
        ({"pending": "without_tasks"}, [1, 0, 0, 0, 0, 0, 0]),
        ({"paused": "always", None: "always"}, [0, 0, 1, 1, 1, 1, 0]),
        ({"paused": "without_tasks", "pending": "always"}, [1, 1, 1, 0, 0, 0, 0]),
    ],
)
def test_the_rule_is_data(rule, legal):
    for status in (STATUS, STATUS.astype("category")):
        assert judge_nulls(status, TASKS, rule).tolist() == [bool(x) for x in legal]


def test_another_word_is_refused():
    with pytest.raises(dk.SettingError, match=r"'pending' is 'never', .* 'always'"):
        null_rule({"pending": "never"})
    with pytest.raises(dk.SettingError, match="did you mean 'without_tasks'"):
        null_rule({None: "without_task"})


def test_an_audit_takes_it():
    projects = dk.PROJECTS.build(
        {"project_id": ["a", "b"], "execution_status": ["paused", "pending"]}
    )
    tasks = dk.TASKS.build({"project_id": ["a"], "created_at": ["2025-11-24 10:00Z"]})
    progress = dk.Progress(projects, tasks)
    default = dk.audit_started_at(progress).projects["legal"]
    assert default.tolist() == [False, True]
    held = dk.audit_started_at(progress, never_started={"paused": "always"})
    assert held.projects["legal"].tolist() == [True, False]
    assert held.findings["severity"].astype("str").tolist() == ["high", "info"]
    with pytest.raises(dk.SettingError, match="never_started: 'paused' is 'yes'"):
        dk.audit_started_at(progress, never_started={"paused": "yes"})
