"""Captures of the case study's own system, against counts that others made."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import diagkit as dk

if TYPE_CHECKING:
    from pathlib import Path

RUNS = ("old", "big", "head")
# name in the truth file -> the signature that explains it
SIGNATURES = {
    "gc_non_checked_in": "sqlalchemy.gc_dropped",
    "context_deleted_without_aexit": "graphql.context_without_aexit",
    "pending_rollback": "sqlalchemy.pending_rollback",
    "queuepool_timeout": "sqlalchemy.queuepool_timeout",
    "admin_shutdown": "postgresql.admin_shutdown",
    "too_many_clients": "postgresql.too_many_clients",
}
EXACT = {name: SIGNATURES[name] for name in SIGNATURES if name != "too_many_clients"}


@pytest.fixture(scope="session")
def truth(case_study: Path) -> dict[str, Any]:
    text = (case_study / "truth.json").read_text(encoding="utf-8")
    runs: dict[str, Any] = json.loads(text)["runs"]
    return runs


@pytest.mark.parametrize("run", RUNS)
def test_records_lines_and_levels(case_study: Path, truth, run: str) -> None:
    logs = dk.read_logs(case_study / "runs" / run / "api.log", tz="UTC")
    expected = truth[run]["api.log"]
    assert len(logs) == expected["records"]
    assert int(logs["lines"].sum()) == expected["newlines"]
    counts = logs["level"].value_counts()
    assert {k: int(v) for k, v in counts.items() if v} == expected["levels"]
    loggers = {k: int(v) for k, v in logs["logger"].value_counts().items()}
    assert loggers == expected["loggers"]
    minutes = logs["timestamp"].dt.strftime("%Y-%m-%d %H:%M").value_counts()
    assert minutes.to_dict() == expected["per_minute_records"]
    # Two messages of clients hold a carriage return; no line is lost to it.
    assert int((logs["lines"] > 1).sum()) == expected["records_multi_line"]
    assert int(logs["traceback"].notna().sum()) == expected["records_with_traceback"]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", EXACT)
def test_events_a_minute(case_study: Path, truth, run: str, name: str) -> None:
    logs = dk.read_logs(case_study / "runs" / run / "api.log", tz="UTC")
    leaks = dk.find_leaks(logs)
    found = leaks[leaks["signature"].astype("str") == EXACT[name]]
    expected = truth[run]["api.log"]["signatures"][name]
    assert len(found) == expected["records_containing"]
    minutes = found["timestamp"].dt.strftime("%Y-%m-%d %H:%M").value_counts()
    assert minutes.to_dict() == expected.get("header_per_minute", {})


@pytest.mark.parametrize("run", RUNS)
def test_the_whole_folder_counts_no_leak_twice(case_study: Path, truth, run) -> None:
    """The log, the console's JSON of the same records, and the bare warnings."""
    incident = dk.open_incident(case_study / "runs" / run)
    leaks = dk.find_leaks(incident.logs)
    counted = Counter(leaks["kind"].astype("str"))
    expected = truth[run]["api.log"]["signatures"]
    assert counted["leak"] == expected["gc_non_checked_in"]["header_lines"]
    contexts = expected["context_deleted_without_aexit"]["header_lines"]
    assert counted["unclosed_context"] == contexts


@pytest.mark.parametrize("run", RUNS)
def test_consoles_come_apart(case_study: Path, truth, run: str) -> None:
    for path in sorted((case_study / "runs" / run).glob("console*.log")):
        logs = dk.read_logs(path, tz="UTC")
        expected = truth[run][path.name]
        text = path.read_bytes()
        assert int(logs["lines"].sum()) == text.count(b"\n")
        dated = logs["timestamp"].notna()
        assert int(dated.sum()) == expected["json_lines"]
        uvicorn = logs["logger"].isin(["uvicorn.access", "uvicorn.error"])
        assert int(uvicorn.sum()) == expected["uvicorn_level_lines"]
        access = logs["logger"] == "uvicorn.access"
        assert int(access.sum()) == expected["access_lines_http"]
        warned = logs["message"].str.contains("SAWarning", regex=False) & ~dated
        assert int(warned.sum()) == expected["sawarning_lines"]
        crashed = logs["message"] == "Exception in ASGI application"
        assert int(crashed.sum()) == expected["exception_in_asgi_application"]
        assert logs.loc[crashed, "exception"].notna().all()


@pytest.mark.parametrize("run", RUNS)
def test_samples(case_study: Path, truth, run: str) -> None:
    folder = case_study / "runs" / run
    pool = dk.read_pool(folder / "pool_samples.csv")
    expected = truth[run]["pool_samples.csv"]["by_instance"]["single"]
    assert len(pool) == expected["rows"]
    assert int(pool["checked_out"].max()) == expected["max_checkedout"]
    assert int(pool["checked_out"].sum()) == expected["sum_checkedout"]
    assert int(pool["overflow"].max()) == max(expected["max_overflow"], 0)
    assert int(pool["overflow"].min()) == 0
    path = next(folder.glob("pg_stat_activity.csv*"))
    activity = dk.read_activity(path)
    expected = truth[run]["pg_stat_activity.csv"]
    assert len(activity) == expected["rows"]
    states = {str(k): int(v) for k, v in activity["state"].value_counts().items()}
    assert states == expected["states"]
    assert activity["pid"].nunique() == expected["distinct_pids"]


def test_what_the_contents_say(case_study: Path) -> None:
    contents = dk.open_incident(case_study / "runs/old").contents.set_index("file")
    assert contents["kind"].to_dict() == {
        "api.log": "logs",
        "client_events.csv": "table",
        "console_stderr.log": "logs",
        "console_stdout.log": "logs",
        "pg_stat_activity.csv": "activity",
        "pool_samples.csv": "pool",
    }
    assert not contents.loc["client_events.csv", "used"]
