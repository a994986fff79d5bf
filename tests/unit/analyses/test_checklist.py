"""What is checked, in which order, and what each answer rests on."""

from __future__ import annotations

import pandas as pd
import pytest

from diagkit.analyses.checklist import STEPS, make_checklist
from diagkit.analyses.facts import Fact
from diagkit.analyses.hypotheses import HYPOTHESES
from diagkit.frames.findings import AREAS
from diagkit.frames.triage import CHECKLIST, RESULTS

ALL = {name for step in STEPS for name in step.needs}


def test_infrastructure_is_asked_first_then_service_logs_code_data() -> None:
    areas = [step.area for step in STEPS]
    assert list(dict.fromkeys(areas)) == list(AREAS)
    assert areas == sorted(areas, key=AREAS.index)
    assert areas.count("infrastructure") == 4
    frame = make_checklist({}, set())
    CHECKLIST.check(frame)
    assert frame["step"].tolist() == [step.question for step in STEPS]
    assert list(frame["area"].cat.categories) == list(AREAS)
    assert list(frame["result"].cat.categories) == list(RESULTS)


def test_without_anything_to_look_at_a_person_has_to() -> None:
    frame = make_checklist({}, set())
    assert set(frame["result"]) == {"not done"}
    assert frame["evidence"].tolist() == [step.by_hand for step in STEPS]
    assert "docker compose ps" in frame["evidence"].iloc[0]


def test_what_was_looked_at_and_is_in_order_passes() -> None:
    frame = make_checklist({}, ALL)
    assert set(frame["result"]) == {"passed"}
    assert frame["evidence"].iloc[2] == "nothing in clients and proxies speaks against"
    one = make_checklist({}, {"proxies"})
    assert one["evidence"].iloc[2] == "nothing in proxies speaks against"
    passed = one.loc[one["result"] == "passed", "step"].tolist()
    assert passed == [
        "Did the backend see the requests that failed?",
        "Did answers come in time?",
    ]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.question)
def test_each_fact_against_it_fails_a_step(step) -> None:
    for name in step.failed_by:
        told = Fact("3 times", f"{name}-1a2b3c4d")
        # Also where the part that it came from is not there.
        frame = make_checklist({name: told}, set()).set_index("step")
        row = frame.loc[step.question]
        assert (row["result"], row["evidence"]) == (
            "failed",
            f"3 times [{name}-1a2b3c4d]",
        )


def test_all_that_speaks_against_is_told_once_each() -> None:
    same = Fact("2 connections leaked", "connection_leak-0a")
    facts = {"connection_leak": same, "recorded_leak": same}
    facts["connections_held"] = Fact("5 were out")
    frame = make_checklist(facts, {"logs"}).set_index("step")
    row = frame.loc["Does every connection come back?"]
    assert row["evidence"] == "2 connections leaked [connection_leak-0a]; 5 were out"
    assert frame.loc["Was the pool within its bounds?", "result"] == "failed"
    assert frame.loc["Are the percentages right?", "result"] == "not done"


def test_what_fails_a_step_is_weighed_somewhere() -> None:
    weighed = {
        name for h in HYPOTHESES for names, _ in h.evidence for name in names.split("|")
    }
    codes = {name.partition(":")[0] for name in weighed}
    against = {name for step in STEPS for name in step.failed_by}
    # A wording near a known one is to be read by a person.
    assert {name for name in against - weighed if name not in codes} == {"near_known"}


def test_a_fact_says_where_it_stands() -> None:
    assert str(Fact("known", "code-1")) == "known [code-1]"
    assert str(Fact("known")) == "known"
    assert isinstance(make_checklist({}, set()), pd.DataFrame)
