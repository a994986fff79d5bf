"""The recorded sample, against what its application noted itself."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import diagkit as dk

FOLDER = Path(__file__).parents[2] / "data_samples" / "pool_pressure"
AT_MOST = 300_000


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FOLDER / "truth.json").read_text("utf-8"))
    return body


@pytest.fixture(scope="module")
def incident() -> dk.Incident:
    return dk.open_sample("pool_pressure")


def test_exactly_the_injected_leaks_are_found_with_holder_and_operation(
    truth, incident
) -> None:
    """Recall and precision are both 1.0: each is matched by its backend."""
    found = dk.reconcile(
        incident.checkouts, incident.pool, incident.activity, held_longer_than_s=10
    )
    leaked = found.discrepancies[found.discrepancies["verdict"] == "leaked"]
    names = ["pool", "connection", "holder", "operation"]
    injected = Counter(tuple(one[name] for name in names) for one in truth["leaks"])
    assert Counter(leaked[names].itertuples(index=False, name=None)) == injected
    assert injected.total() == 35
    # Noted a moment after it was taken, before anything else was done with it.
    taken = leaked.set_index(["pool", "connection", "holder"])["since"].sort_index()
    for one in truth["leaks"]:
        since = taken.loc[(one["pool"], one["connection"], one["holder"])]
        lag = pd.Timestamp(one["at"]) - since
        assert 0 <= lag.total_seconds() < 0.5
    assert found.counts == {"leaked": 35, "stranded": 0, "phantom": 0}
    assert found.undecided == ()


def test_the_lines_are_those_of_the_application(truth) -> None:
    source = (FOLDER / "capture/shop.py").read_text(encoding="utf-8").splitlines()
    for place in {one["holder"] for one in truth["leaks"]}:
        file, line, name = re.fullmatch(r"(\S+):(\d+) (\S+)", place).groups()
        assert file == "shop.py"
        assert ".connect()" in source[int(line) - 1]
        assert name in ("Shop.count_stock", "Export.write")


def test_the_slow_query_and_the_long_transaction_are_told_apart(
    truth, incident
) -> None:
    held = dk.find_held(incident.checkouts, 8, incident.activity)
    other = held[held["cause"] != "leak"]
    found = other.set_index("operation")
    assert found["cause"].to_dict() == {
        one["operation"]: one["cause"] for one in truth["slow"]
    }
    for one in truth["slow"]:
        assert found["held_s"][one["operation"]] == pytest.approx(
            one["lasts_s"], abs=0.2
        )


def test_the_log_tells_of_the_leaks_that_the_collector_found(truth, incident) -> None:
    events = dk.find_leaks(incident.logs)["kind"].value_counts()
    pools = Counter(one["pool"] for one in truth["leaks"])
    assert events["leak"] == pools["api"] == 21
    assert events["exhaustion"] == truth["pool_timeouts"] == 8
    outcomes = incident.checkouts.groupby("pool", observed=True)["outcome"]
    assert outcomes.value_counts()["api"]["garbage_collected"] == 21
    assert outcomes.value_counts()["jobs"]["held"] == pools["jobs"] == 14


def test_the_pools_behave_as_they_were_made_to(incident) -> None:
    table = dk.count_utilisation(incident.pool).set_index("pool")
    assert table["capacity"].to_dict() == {"api": 5, "jobs": 20}
    assert table["full_s"]["api"] > 10
    assert table["full_s"]["jobs"] == 0
    assert dk.find_shape(incident.pool, "jobs").name == "ramp"
    assert dk.find_shape(incident.pool, "api").name == "sawtooth"
    forecast = dk.forecast_exhaustion(incident.pool, "jobs")
    assert (forecast.lost, forecast.capacity) == (14, 20)
    low, _, high = forecast.wait_s
    # Five or six more, one every ten seconds.
    assert low < 60 < high


def test_it_is_small_and_names_no_path_of_a_machine() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    kept = [path for path in files if "capture" not in path.relative_to(FOLDER).parts]
    assert sum(path.stat().st_size for path in kept) < AT_MOST
    for path in files:
        if path.suffix == ".pyc":
            continue
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        text = content.decode("utf-8")
        assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp)/", text), path


def test_a_sample_that_does_not_exist_is_told() -> None:
    with pytest.raises(dk.SourceNotFoundError, match=r"did you mean .*pool_pressure"):
        dk.open_sample("pool_presure")
