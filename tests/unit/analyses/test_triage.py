"""Which cause comes first, how sure triage is of it, and what it says of it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import diagkit as dk
import diagkit.analyses
from diagkit.analyses.checklist import STEPS
from diagkit.analyses.facts import FACTS
from diagkit.analyses.findings import analyse_incident
from diagkit.analyses.hypotheses import HYPOTHESES, PRIOR
from diagkit.analyses.kinds import CODES
from diagkit.analyses.triage import LEAST, UNSETTLED, WORTH, find_parts, triage
from diagkit.frames.findings import AREAS, name_finding
from diagkit.frames.triage import HYPOTHESES as CONTRACT
from diagkit.signatures.catalogue import load_signatures

LEAK = (
    "sqlalchemy.pool.impl.AsyncAdaptedQueuePool: The garbage collector is trying to "
    "clean up non-checked-in connection <AdaptedConnection <asyncpg.connection."
    "Connection object at 0x7f00>>, which will be terminated.  Please ensure that "
    "SQLAlchemy pooled connections are returned to the pool explicitly"
)
GREENLET = "app.api: greenlet_spawn has not been called; can't call await_only() here"
COLUMN = "app.api: column projects.execution_started_at does not exist"
CONNECT = (
    "connect() failed (111: Connection refused) while connecting to upstream, client: "
    '10.0.0.9, server: , request: "GET /a HTTP/1.1", upstream: "http://10.0.0.2:8000/"'
)
RESET = "app.db: current transaction is aborted, commands ignored until end of "
RESET += "transaction block"
COMPOSE = """
services:
  api:
    image: registry.example/api:1
    command: uvicorn app:app --host 0.0.0.0 --port 8000
    ports: ["8000:8000"]
"""
TAKEN = (
    COMPOSE
    + """
  mock:
    image: stoplight/prism:5
    ports: ["8000:4010"]
"""
)
SEEN = '{"method": "GET", "url_effective": "http://a/x", "http_code": 200, '
SEEN += '"time_total": 0.1, "timestamp": "2025-11-24T10:00:00+00:00"}\n'


def log(*messages: str) -> str:
    """Write a log of the application, a second a message."""
    return "".join(
        f"2025-11-24 10:00:{second:02} [ERROR] {message}\n"
        for second, message in enumerate(messages)
    )


def nginx(*messages: str) -> str:
    return "".join(f"2025/11/24 10:00:00 [error] 7#7: *1 {m}\n" for m in messages)


def incident(folder: Path, **files: str) -> dk.Incident:
    names = {"app": "app.log", "error": "error.log", "compose": "compose.yaml"}
    names |= {"curl": "curl.jsonl", "access": "access.log"}
    for name, text in files.items():
        (folder / names[name]).write_text(text, encoding="utf-8")
    (folder / "incident.toml").write_text('zone = "UTC"\n')
    return dk.open_incident(folder)


def weigh(code: str, *names: str) -> float:
    """Return how sure one is of a cause by these weights of its evidence."""
    evidence = dict(next(h.evidence for h in HYPOTHESES if h.code == code))
    odds = PRIOR + sum(evidence[name] for name in names)
    return round(1 / (1 + math.exp(-odds)), 3)


def test_what_is_named_can_be_a_fact() -> None:
    """No weight and no step hangs on a name that nothing ever gives."""
    folder = Path(diagkit.analyses.__file__).parent
    naming = {"hypotheses", "checklist", "check", "tallies"}
    text = " ".join(
        path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*.py"))
        if path.stem not in naming
    )
    signatures = {signature.id for signature in load_signatures()}
    codes = {code for code, _ in CODES.values()} | set(CODES)
    named = {n for h in HYPOTHESES for names, _ in h.evidence for n in names.split("|")}
    named |= {name for step in STEPS for name in step.failed_by}
    unknown = []
    for name in sorted(named):
        code, _, signature = name.partition(":")
        known = code in codes or f'"{code}"' in text or code in FACTS
        if not known or (signature and signature not in signatures):
            unknown.append(name)
    assert unknown == []


def test_each_hypothesis_can_be_first_and_be_refuted() -> None:
    assert len({h.code for h in HYPOTHESES}) == len(HYPOTHESES)
    for hypothesis in HYPOTHESES:
        names = [n for names, _ in hypothesis.evidence for n in names.split("|")]
        assert len(names) == len(set(names)), hypothesis.code
        weights = [weight for _, weight in hypothesis.evidence]
        assert PRIOR + sum(w for w in weights if w > 0) > 0, hypothesis.code
        # No single thing makes one surer than this.
        assert max(weights) <= 6
        assert hypothesis.refuted_by
        assert hypothesis.area in AREAS


def test_a_target_where_nobody_listens_is_weighed_as_the_table_says(
    tmp_path: Path,
) -> None:
    found = triage(incident(tmp_path, error=nginx(CONNECT, CONNECT)))
    CONTRACT.check(found.hypotheses)
    rows = found.hypotheses.to_dict("records")
    connect = "upstream_failed:nginx.connect_failed"
    assert [(row["rank"], row["code"], row["confidence"]) for row in rows] == [
        (1, "wrong_target", weigh("wrong_target", connect)),
        (2, "backend_down", weigh("backend_down", connect)),
    ]
    assert rows[0]["confidence"] == 0.622
    name = name_finding("upstream_failed", "nginx.connect_failed")
    assert rows[0]["evidence_for"] == (
        f"2 times a server could not reach its upstream (nginx.connect_failed) [{name}]"
    )
    assert rows[0]["evidence_against"] == ""
    assert rows[0]["refuted_by"].startswith("Something listens there")
    assert found.conclusion == (
        "a proxy or a service connects to an address where nobody listens (62 %)"
    )
    assert str(found) == found.conclusion


def test_what_got_through_before_is_no_wrong_target(tmp_path: Path) -> None:
    line = '10.0.0.9 - - [24/Nov/2025:10:00:00 +0000] "GET /a HTTP/1.1" {} 5 "-" "-"\n'
    access = "".join(line.format(status) for status in (200, 200, 200, 502, 502))
    found = triage(incident(tmp_path, error=nginx(CONNECT), access=access))
    first, second = found.hypotheses.iloc[0], found.hypotheses.iloc[1]
    connect = "upstream_failed:nginx.connect_failed"
    before = "worked_before|clients_cut_off"
    known = (connect, before, "upstream_unreachable")
    assert first["code"] == "backend_down"
    assert first["confidence"] == weigh("backend_down", *known) == 0.953
    assert second["code"] == "wrong_target"
    assert second["confidence"] == weigh("wrong_target", *known)
    # What speaks for the one speaks against the other.
    before = "the proxy got through 3 times on the same routes before it first failed "
    before += "at 2025-11-24 10:00:00 UTC"
    assert first["evidence_for"].startswith(before)
    assert second["evidence_against"] == before


def test_one_event_in_two_logs_counts_once(tmp_path: Path) -> None:
    line = '10.0.0.9 - - [24/Nov/2025:10:00:00 +0000] "GET /a HTTP/1.1" 504 5 "-" "-"\n'
    slow = "upstream timed out (110: Connection timed out) while reading response "
    slow += "header from upstream, client: 10.0.0.9"
    found = triage(incident(tmp_path, error=nginx(slow), access=line)).hypotheses
    both = "upstream_failed:nginx.upstream_timed_out|upstream_slow"
    assert found["code"].iloc[0] == "timeout"
    assert found["confidence"].iloc[0] == weigh("timeout", both) == 0.881
    # Both are told all the same.
    assert "nginx.upstream_timed_out" in found["evidence_for"].iloc[0]
    assert "504" in found["evidence_for"].iloc[0]


def test_code_is_not_sure_before_the_infrastructure_was_looked_at(
    tmp_path: Path,
) -> None:
    found = triage(incident(tmp_path, app=log(LEAK, LEAK, LEAK)))
    first = found.hypotheses.iloc[0]
    assert weigh("leaked_connections", "connection_leak|recorded_leak") > 0.8
    assert (first["code"], first["confidence"]) == ("leaked_connections", UNSETTLED)
    assert first["summary"] == (
        "the application does not return connections to the pool; not sure before this "
        "is settled: Does each service get the port that it wants? Is what clients and "
        "proxies use published where they are? Did the backend see the requests that "
        "failed?"
    )


def test_code_is_sure_where_the_infrastructure_is_in_order(tmp_path: Path) -> None:
    given = incident(tmp_path, app=log(GREENLET), compose=COMPOSE, curl=SEEN)
    found = triage(given)
    first = found.hypotheses.iloc[0]
    missing = "driver_misuse:sqlalchemy.missing_greenlet"
    assert first["code"] == "missing_greenlet"
    assert first["confidence"] == weigh("missing_greenlet", missing) == 0.924
    assert first["summary"] == (
        "a lazy load or a close touches the database outside of await"
    )
    rows = found.checklist[found.checklist["area"] == "infrastructure"]
    assert set(rows["result"]) == {"passed"}


def test_code_comes_after_a_failed_check_of_the_infrastructure(tmp_path: Path) -> None:
    given = incident(tmp_path, app=log(*9 * [GREENLET]), compose=TAKEN, curl=SEEN)
    found = triage(given).hypotheses
    assert found["code"].tolist()[:2] == ["port_conflict", "missing_greenlet"]
    assert found["confidence"].iloc[0] > found["confidence"].iloc[1] == UNSETTLED
    said = "not sure before this is settled: Does each service get the port that it "
    assert found["summary"].iloc[1].endswith(said + "wants?")
    # The order of areas is that of the contract.
    assert list(found["area"].cat.categories) == list(AREAS)


def test_of_causes_held_down_alike_the_one_with_most_evidence_leads(
    tmp_path: Path,
) -> None:
    found = triage(incident(tmp_path, app=log(RESET, COLUMN))).hypotheses
    assert found["confidence"].tolist() == [UNSETTLED, UNSETTLED]
    # Data after code, were it not for the weights.
    assert found["code"].tolist() == ["migration_half_applied", "poisoned_transactions"]
    against = name_finding("schema_mismatch", "postgresql.undefined_column")
    assert f"[{against}]" in found["evidence_against"].iloc[1]


def test_where_nothing_tells_nothing_is_first(tmp_path: Path) -> None:
    found = triage(incident(tmp_path, app=log("app: all is well")))
    assert found.hypotheses["code"].tolist() == ["undetermined"]
    first = found.hypotheses.iloc[0]
    assert (first["rank"], first["confidence"], first["area"]) == (
        1,
        1.0,
        "infrastructure",
    )
    assert first["evidence_for"] == "no cause has enough that speaks for it"
    assert first["summary"].startswith(
        "what is here does not tell what the cause is; check first: Does each service"
    )
    assert found.conclusion == found.hypotheses["summary"].iloc[0]


def test_undetermined_stands_before_what_is_unlikely(tmp_path: Path) -> None:
    closed = "upstream prematurely closed connection while reading response header "
    closed += "from upstream, client: 10.0.0.9"
    found = triage(incident(tmp_path, error=nginx(closed))).hypotheses
    assert found["code"].tolist() == ["undetermined", "crashed_worker", "backend_down"]
    assert found["confidence"].iloc[1] < LEAST
    assert found["confidence"].iloc[0] == round(1 - found["confidence"].iloc[1], 3)


def test_undetermined_asks_for_nothing_where_all_was_looked_at(tmp_path: Path) -> None:
    given = incident(tmp_path, app=log("app: well"), compose=COMPOSE, curl=SEEN)
    first = triage(given).hypotheses.iloc[0]
    assert first["summary"] == "what is here does not tell what the cause is"


def test_what_hardly_anything_speaks_for_is_left_out(tmp_path: Path) -> None:
    full = "app.db: QueuePool limit of size 5 overflow 10 reached, connection timed "
    full += "out, timeout 30.00"
    text = log(f"app.api: {LEAK}", full)
    found = triage(incident(tmp_path, app=text)).hypotheses
    limit = "pool_exhausted:sqlalchemy.queuepool_timeout"
    leaks = "connection_leak|recorded_leak"
    assert weigh("pool_exhausted", limit, leaks) > WORTH
    assert found["code"].tolist() == ["leaked_connections", "pool_exhausted"]
    # A lock besides makes a pool that is too small less likely still.
    waits = log(f"app.api: {LEAK}", full, "app.db: deadlock detected")
    (tmp_path / "b").mkdir()
    found = triage(incident(tmp_path / "b", app=waits)).hypotheses
    assert weigh("pool_exhausted", limit, leaks, "lock_wait") < WORTH
    assert "pool_exhausted" not in set(found["code"])


def test_what_is_there_to_look_at(tmp_path: Path, sample: Path) -> None:
    backend = 'INFO:     10.0.0.9:5 - "GET /x HTTP/1.1" 200 OK\n'
    proxy = (
        '10.0.0.9 - - [24/Nov/2025:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "-"\n'
    )
    given = incident(tmp_path, app=backend, curl=SEEN, compose=COMPOSE, access=proxy)
    assert find_parts(analyse_incident(given)) == {
        *("logs", "ports", "backends", "clients", "proxies")
    }
    whole = find_parts(analyse_incident(dk.open_incident(sample)))
    assert whole == {"logs", "pool", "progress", "ports", "backends"}
    recorded = analyse_incident(dk.open_sample("pool_pressure"))
    assert {"checkouts", "pool"} <= find_parts(recorded)


@pytest.mark.parametrize("name", ["tenant_dashboard", "pool_pressure"])
def test_every_finding_that_is_named_is_one(name: str) -> None:
    given = dk.open_sample(name)
    findings = set(analyse_incident(given).findings["id"])
    found = triage(given)
    texts = [*found.hypotheses["evidence_for"], *found.hypotheses["evidence_against"]]
    texts += found.checklist["evidence"].tolist()
    named = {one for text in texts for one in re.findall(r"\[([\w-]+-\w{8})\]", text)}
    assert named
    assert named <= findings
    assert found.hypotheses["rank"].tolist() == list(
        range(1, len(found.hypotheses) + 1)
    )
