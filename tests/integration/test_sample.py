"""The bundled incident, against what its capture counted itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import diagkit as dk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def truth(sample: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((sample / "truth.json").read_text("utf-8"))
    return body


@pytest.fixture(scope="module")
def leaks():
    return dk.find_leaks(dk.open_sample().logs)


def test_every_leak_with_a_trace_is_found_and_no_other(truth, leaks) -> None:
    """Recall and precision are both 1.0: each event is matched with one injection."""
    injected = sorted(
        (leak["connection"], leak["at"]) for leak in truth["leaks"] if leak["trace"]
    )
    found = leaks[leaks["kind"] == "leak"].sort_values("timestamp")
    assert len(found) == len(injected) == truth["leaks_traced"] > 50
    assert Counter(found["connection"]) == Counter(c for c, _ in injected)
    # Found at most a collection (40 s) after it happened; the log cuts to the second.
    lost_at = dict(injected)
    lags = [
        (row.timestamp - pd.Timestamp(lost_at[row.connection])).total_seconds()
        for row in found.itertuples()
    ]
    assert min(lags) > -1
    assert max(lags) <= 41


def test_leaks_without_a_trace_are_named_and_not_found(truth, leaks, sample) -> None:
    silent = {leak["place"] for leak in truth["leaks"] if not leak["trace"]}
    assert {place.split()[-1] for place in silent} == {
        "monthly_report",
        "watch_project",
    }
    readme = (sample / "README.md").read_text(encoding="utf-8")
    assert [place for place in silent if f"`{place}`" not in readme] == []
    found = set(leaks["connection"])
    lost = {leak["connection"] for leak in truth["leaks"] if not leak["trace"]}
    assert found & lost == set()


def test_what_leaves_no_trace_in_the_log_shows_in_the_samples(truth) -> None:
    findings = dk.check_pool(dk.open_sample().pool)
    held = findings[findings["code"] == "connections_held"]
    assert held["summary"].tolist() == [
        "at least 2 connections of pool 'api' stayed out to the end"
    ]


def test_what_follows_from_leaks_is_counted_as_the_application_did(
    truth, leaks
) -> None:
    counted = Counter(leaks["signature"].astype("str"))
    assert counted["sqlalchemy.queuepool_timeout"] == truth["pool_timeouts"]
    assert counted["sqlalchemy.pending_rollback"] == truth["pending_rollbacks"]
    assert counted["postgresql.transaction_aborted"] == truth["aborted_transactions"]
    assert counted["postgresql.admin_shutdown"] == truth["backends_killed"]
    contexts = truth["websocket_contexts_abandoned"]
    assert counted["graphql.context_without_aexit"] == contexts


def test_percentages_equal_what_the_application_showed(truth) -> None:
    progress = dk.open_sample().progress
    assert progress is not None
    shown = dk.audit_started_at(progress).projects.set_index("project_id")
    column = shown[f"percent_{truth['percentages_policy'].split()[0]}"]
    assert column.to_dict() == truth["percentages_displayed"]


def test_the_inferred_start_tells_the_true_run(truth) -> None:
    progress = dk.open_sample().progress
    assert progress is not None
    table = dk.audit_started_at(progress).projects.set_index("project_id")
    wrong = []
    for project, planted in truth["projects_planted"].items():
        row = table.loc[project]
        tasks = planted["true_run_tasks"]
        if not row["null"] or not tasks or planted["true_run_completed"] is None:
            continue
        if not row["percent_low"] <= row["percent_inferred"] <= row["percent_high"]:
            wrong.append(project)
    assert wrong == []


def test_lines_add_up(sample: Path) -> None:
    for name in ("api.log", "console.log"):
        logs = dk.read_logs(sample / name, tz="UTC")
        assert logs["lines"].sum() == (sample / name).read_bytes().count(b"\n")


def test_the_sample_holds_no_path_of_the_machine_that_made_it(sample: Path) -> None:
    paths = re.compile(rb"(?<![\w.])/(?:home|root|tmp|Users|work)/\S+")
    held = {
        path.name: found[:3]
        for path in sample.rglob("*")
        if path.suffix in (".log", ".csv", ".json", ".toml", ".md", ".yaml")
        and (found := paths.findall(path.read_bytes()))
    }
    assert held == {}


def test_the_sample_is_small(sample: Path) -> None:
    files = [p for p in sample.rglob("*") if p.is_file() and p.suffix != ".pyc"]
    assert sum(p.stat().st_size for p in files) < 3_000_000


def test_the_frames_of_the_application_are_those_of_its_code(sample: Path) -> None:
    frames = dk.find_frames(dk.open_sample().logs)
    own = frames[frames["application"]]
    capture = sample / "capture"
    for file, line, function in own[["file", "file_line", "function"]].values.tolist():
        code = (capture / file.removeprefix("/srv/app/")).read_text(encoding="utf-8")
        assert f"def {function.split('.')[-1]}(" in code
        assert line <= len(code.splitlines())
    assert {f.rpartition("/")[2] for f in own["file"]} >= {"subscriptions.py"}
