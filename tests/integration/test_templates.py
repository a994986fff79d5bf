"""Templates and the catalogue, against logs that others captured and labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest

import diagkit as dk
from diagkit.analyses.templates import count_templates, fold_messages

if TYPE_CHECKING:
    from pathlib import Path

# Grouping accuracy as measured, less a little: tests/benchmarks/bench_templates.py.
ACCURACY = {
    "Android": 0.92,
    "Apache": 1.0,
    "BGL": 0.95,
    "HDFS": 0.99,
    "HPC": 0.94,
    "HealthApp": 0.99,
    "Linux": 0.93,
    "Mac": 0.82,
    "OpenSSH": 0.95,
    "Spark": 0.92,
    "Windows": 0.99,
    "Zookeeper": 0.99,
}
RUNS = ("old", "big", "head")


@pytest.fixture(scope="module")
def loghub(case_study: Path) -> Path:
    folder = case_study.parent / "loghub"
    if not folder.is_dir():
        pytest.skip("the logs of loghub are not beside this checkout")
    return folder


def read_labels(loghub: Path, system: str) -> pd.DataFrame:
    path = loghub / f"{system}_2k.log_structured.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.parametrize("system", ACCURACY)
def test_groups_are_those_of_people(loghub: Path, system: str) -> None:
    labels = read_labels(loghub, system)
    _, codes = fold_messages(pa.array(labels["Content"], type=pa.large_string()))
    groups = pd.Series(codes).groupby(codes).groups.values()
    people = {frozenset(g) for g in labels.groupby("EventId").groups.values()}
    right = sum(len(group) for group in groups if frozenset(group) in people)
    assert right / len(labels) >= ACCURACY[system]


@pytest.mark.parametrize("system", ACCURACY)
def test_other_systems_raise_no_alarm(loghub: Path, system: str) -> None:
    """Neither events nor near ones, though every record is made an ERROR."""
    labels = read_labels(loghub, system)
    logs = dk.LOGS.build(
        {
            "message": labels["Content"].tolist(),
            "level": "ERROR",
            "source": system,
            "line": range(1, len(labels) + 1),
            "lines": 1,
        }
    )
    assert dk.find_leaks(logs).empty


@pytest.mark.parametrize("run", RUNS)
def test_the_case_study_is_near_nothing(case_study: Path, run: str) -> None:
    leaks = dk.find_leaks(dk.open_incident(case_study / "runs" / run).logs)
    assert "near" not in set(leaks["kind"])
    assert set(leaks["library_version"].dropna()) <= {"2.0"}


def test_the_sample_is_near_nothing() -> None:
    assert "near" not in set(dk.find_leaks(dk.open_sample().logs)["kind"])


@pytest.mark.parametrize("run", RUNS)
def test_the_case_study_has_few_shapes(case_study: Path, run: str) -> None:
    logs = dk.read_logs(case_study / "runs" / run / "api.log", tz="UTC")
    table = count_templates(logs)
    assert 5 < len(table) < 100
    assert table["events"].sum() == len(logs)
    pd.testing.assert_frame_equal(table, count_templates(logs.sample(frac=1)))


def test_leaks_at_shutdown_are_marked_and_counted(case_study: Path) -> None:
    leaks = dk.find_leaks(dk.open_incident(case_study / "runs/old").logs)
    found = leaks[leaks["kind"] == "leak"]
    assert (len(found), int(found["shutdown"].sum())) == (13, 5)
    told = found.loc[found["shutdown"], "timestamp"]
    assert told.notna().all()
    others = found.loc[~found["shutdown"], "timestamp"]
    assert told.min() >= others.max()
    findings = dk.check_leaks(leaks).set_index("code")
    said = "5 of them when the interpreter shut down"
    assert said in findings.loc["connection_leak", "evidence"]
    assert "SQLAlchemy 2.0" in findings.loc["pool_exhausted", "evidence"]


def test_a_file_in_another_zone_is_told(case_study: Path) -> None:
    folder = case_study / "runs" / "big"
    right = dk.read_logs(folder / "api.log", tz="UTC")
    wrong = dk.read_logs(folder / "api.log", tz="America/Jamaica")
    wrong["source"] = "other.log"
    leaks = dk.find_leaks(pd.concat([right, wrong], ignore_index=True))
    findings = dk.check_leaks(leaks).set_index("code")
    evidence = findings.loc["zone_differs", "evidence"]
    assert evidence == "73 of 73 records of other.log stand in api.log 5 h earlier"
    assert "zone_differs" not in set(dk.check_leaks(dk.find_leaks(right))["code"])
