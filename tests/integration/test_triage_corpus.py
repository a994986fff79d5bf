"""Triage, held against incidents that are made on purpose, with real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from corpus.cases import CASES
from corpus.faults import FAULTS, Scene
from corpus.servers import run_servers

import diagkit as dk
from diagkit.analyses.triage import UNSETTLED

if TYPE_CHECKING:
    from corpus.cases import Case

pytestmark = [
    pytest.mark.slow,
    # A server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
    pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR"),
]
# A wrong hypothesis that is surer than this is one that misleads.
CONFIDENT = 0.6
RIGHT_SHARE = 0.95


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, dk.Triage]:
    """Inject every fault once, write every folder, and ask triage of each."""
    folder = tmp_path_factory.mktemp("corpus")
    with run_servers(folder) as servers:
        scene = Scene(servers)
        left = {name: scene.run(name) for name in FAULTS}
    # A recorder writes its last second when its process ends.
    found = {}
    for case in CASES:
        case.write(folder / "incidents" / case.name, left)
        incident = dk.open_incident(folder / "incidents" / case.name)
        found[case] = dk.triage(incident)
    return found


def test_the_corpus_is_large_and_every_cause_is_in_it() -> None:
    from diagkit.analyses.hypotheses import HYPOTHESES

    assert len({case.name for case in CASES}) == len(CASES) >= 40
    codes = {hypothesis.code for hypothesis in HYPOTHESES} | {"undetermined"}
    assert {case.right for case in CASES} == codes
    assert {case.fault for case in CASES} == set(FAULTS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_right_one_comes_first(case: Case, verdicts) -> None:
    rows = verdicts[case].hypotheses
    assert rows["code"].iloc[0] == case.right, rows.to_dict("records")


def test_the_right_one_comes_first_nearly_always(verdicts) -> None:
    right = [
        found.hypotheses["code"].iloc[0] == case.right
        for case, found in verdicts.items()
    ]
    assert sum(right) / len(right) >= RIGHT_SHARE


def test_none_is_confidently_wrong(verdicts) -> None:
    wrong = [
        (case.name, row.code, row.confidence)
        for case, found in verdicts.items()
        for row in found.hypotheses.head(1).itertuples()
        if row.code not in (case.right, "undetermined") and row.confidence > CONFIDENT
    ]
    assert wrong == []


def test_code_is_not_blamed_while_the_infrastructure_is_open(verdicts) -> None:
    for case, found in verdicts.items():
        steps = found.checklist
        first = steps[steps["area"] == "infrastructure"]
        is_open = (first["result"] != "passed").any()
        later = found.hypotheses[found.hypotheses["area"].isin(["code", "data"])]
        if is_open:
            assert (later["confidence"] <= UNSETTLED).all(), case.name
