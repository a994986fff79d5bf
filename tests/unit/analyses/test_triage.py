"""What is put first, what is left open, and what is never said with confidence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

import diagkit as dk
from diagkit.analyses.checklist import STEPS, make_checklist
from diagkit.analyses.facts import FACTS, Fact
from diagkit.analyses.hypotheses import HYPOTHESES, PRIOR
from diagkit.analyses.kinds import CODES
from diagkit.analyses.triage import UNSETTLED, triage
from diagkit.frames.findings import AREAS
from diagkit.signatures.catalogue import load_signatures

if TYPE_CHECKING:
    from pathlib import Path

LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f00>>, which will "
    "be terminated.  Please ensure that SQLAlchemy pooled connections are returned."
)
TIMEOUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 3"
)
STACK = (
    'services: {api: {image: x, ports: ["8000:80"], healthcheck: {test: ["CMD"]}}}\n'
)
CLASH = 'services: {mock: {image: x, ports: ["8000:80"]}}\n'
ACCESS = (
    '10.0.0.9 - - [24/Nov/2025:10:00:{n:02d} +0000] "GET /a HTTP/1.1" {s} 1 "-" "-"\n'
)


@pytest.fixture
def incident(tmp_path: Path):
    """Make an incident of messages, statuses that nginx saw, and compose files."""

    def make(*messages: str, statuses=(), **stacks: str) -> dk.Incident:
        (tmp_path / "incident.toml").write_text('zone = "UTC"\n')
        lines = [
            f"2025-11-24 10:00:{n:02d} [ERROR] a.b: {text}\n"
            for n, text in enumerate(messages or ["up"])
        ]
        (tmp_path / "api.log").write_text("".join(lines))
        seen = [ACCESS.format(n=n, s=s) for n, s in enumerate(statuses)]
        if seen:
            (tmp_path / "access.log").write_text("".join(seen))
        for name, text in stacks.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "compose.yaml").write_text(text)
        return dk.open_incident(tmp_path)

    return make


def test_nothing_speaks_for_anything(incident) -> None:
    found = triage(incident())
    (row,) = found.hypotheses.to_dict("records")
    assert (row["rank"], row["code"], row["confidence"]) == (1, "undetermined", 1.0)
    assert row["summary"].startswith(
        "what is here does not tell what the cause is; check first: Does each service"
    )
    assert str(found) == found.conclusion == f"{row['summary']} (100 %)"


def test_a_leak_is_first_and_not_sure_before_the_ports_are_checked(incident) -> None:
    found = triage(incident(*[LEAK] * 3, TIMEOUT))
    first = found.hypotheses.iloc[0]
    assert (first["code"], first["area"]) == ("leaked_connections", "code")
    assert first["confidence"] == UNSETTLED
    assert (
        "; not sure before this is settled: Does each service get" in first["summary"]
    )
    leaks, *_ = first["evidence_for"].split("; ")
    assert leaks.startswith(
        "3 connections leaked: collected as garbage, never returned"
    )
    assert leaks.endswith("]")
    assert found.hypotheses["rank"].tolist() == list(
        range(1, len(found.hypotheses) + 1)
    )


def test_it_is_surer_where_the_infrastructure_is_in_order(incident) -> None:
    found = triage(incident(LEAK, statuses=[200] * 4, prod=STACK)).hypotheses.iloc[0]
    assert found["code"] == "leaked_connections"
    weights = dict(next(h for h in HYPOTHESES if h.code == found["code"]).evidence)
    odds = PRIOR + weights["connection_leak"]
    assert found["confidence"] == round(1 / (1 + math.exp(-odds)), 3)
    assert found["summary"] == "the application does not return connections to the pool"


def test_a_conflict_goes_before_the_code(incident) -> None:
    found = triage(incident(LEAK, prod=STACK, dev=CLASH))
    assert found.hypotheses["code"].tolist()[:2] == [
        "port_conflict",
        "leaked_connections",
    ]
    assert found.hypotheses["confidence"].tolist()[1] == UNSETTLED
    steps = found.checklist
    assert steps.loc[0, ["area", "result"]].tolist() == ["infrastructure", "failed"]
    assert "tcp port 8000" in steps.loc[0, "evidence"]


def test_evidence_against_is_told(incident) -> None:
    statuses = [200] * 5 + [502] * 4
    found = triage(incident(statuses=statuses, prod=STACK)).hypotheses.set_index("code")
    assert found.index[0] == "backend_down"
    said = "the proxy got through 5 times before it first failed at 10:00:05 UTC"
    assert said in found.loc["backend_down", "evidence_for"]


def test_the_checklist_is_in_order_and_says_how(incident) -> None:
    steps = triage(incident()).checklist
    assert len(steps) == len(STEPS)
    areas = [AREAS.index(area) for area in steps["area"].astype(str)]
    assert areas == sorted(areas)
    by_hand = steps[steps["result"] == "not done"]
    assert by_hand["evidence"].iloc[0].startswith("Put the compose files of all stacks")
    assert "nothing in logs speaks against" in steps["evidence"].tolist()


def test_a_step_fails_by_its_facts() -> None:
    facts = {"pool_saturated": Fact("used up", "pool_saturated-1")}
    steps = make_checklist(facts, {"pool"}).set_index("step")
    row = steps.loc["Was the pool within its bounds?"]
    assert (str(row["result"]), row["evidence"]) == (
        "failed",
        "used up [pool_saturated-1]",
    )
    other = steps.loc["Are the percentages right?"]
    assert (str(other["result"]), other["evidence"]) == (
        "not done",
        "diagkit audit URL.",
    )


def test_a_server_that_was_stopped_and_came_back(tmp_path: Path) -> None:
    lines = [
        "INFO:     Started server process [7]",
        "INFO:     Shutting down",
        "INFO:     Started server process [8]",
    ]
    (tmp_path / "console.log").write_text("\n".join(lines) + "\n")
    found = triage(dk.open_incident(tmp_path))
    step = found.checklist.set_index("step").loc["Did every process run all the time?"]
    assert str(step["result"]) == "failed"
    assert step["evidence"] == "a server was stopped and started again: console.log:2"
    # That it was stopped in the end is no fault.
    (tmp_path / "console.log").write_text("\n".join(lines[:2]) + "\n")
    found = triage(dk.open_incident(tmp_path))
    step = found.checklist.set_index("step").loc["Did every process run all the time?"]
    assert str(step["result"]) == "passed"


def test_what_is_named_can_be_a_fact() -> None:
    """No weight and no step hangs on a name that nothing ever gives."""
    text = " ".join(
        path.read_text(encoding="utf-8")
        for path in sorted(_analyses().glob("*.py"))
        if path.stem not in {"hypotheses", "checklist", "check", "tallies"}
    )
    signatures = {signature.id for signature in load_signatures()}
    codes = {code for code, _ in CODES.values()} | set(CODES)
    named = {name for h in HYPOTHESES for name, _ in h.evidence}
    named |= {name for step in STEPS for name in step.failed_by}
    unknown = []
    for name in sorted(named):
        code, _, signature = name.partition(":")
        known = code in codes or f'"{code}"' in text or code in FACTS
        if not known or (signature and signature not in signatures):
            unknown.append(name)
    assert unknown == []


def _analyses() -> Path:
    from pathlib import Path

    import diagkit.analyses

    return Path(diagkit.analyses.__file__).parent


def test_each_hypothesis_can_be_first_and_be_refuted() -> None:
    for hypothesis in HYPOTHESES:
        for_it = sum(weight for _, weight in hypothesis.evidence if weight > 0)
        assert PRIOR + for_it > 0, hypothesis.code
        assert hypothesis.refuted_by
        assert hypothesis.area in AREAS
