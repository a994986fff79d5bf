from __future__ import annotations

from dataclasses import replace

import pytest

from diagkit.errors import SettingError
from diagkit.frames.findings import (
    Finding,
    build_findings,
    join_findings,
    severity_rank,
)

LOW = Finding("a_code", "subject", "data", "low", "s", "e", "r")
HIGH = replace(LOW, code="b_code", severity="high")


def test_the_most_severe_comes_first() -> None:
    assert build_findings([LOW, HIGH])["code"].tolist() == ["b_code", "a_code"]


def test_the_id_depends_on_code_and_subject_alone() -> None:
    other = replace(LOW, summary="99 of them", severity="critical", evidence="x")
    assert other.id == LOW.id == "a_code-" + LOW.id.rsplit("-")[-1]
    assert replace(LOW, subject="another").id != LOW.id


def test_joined_findings_are_ordered_again() -> None:
    joined = join_findings([build_findings([LOW]), build_findings([HIGH])])
    assert joined["severity"].tolist() == ["high", "low"]
    assert joined["severity"].cat.ordered
    assert list(joined.index) == [0, 1]


def test_nothing_joined_is_an_empty_table() -> None:
    assert len(join_findings([])) == 0
    assert len(join_findings([build_findings([])])) == 0


def test_an_unknown_severity_is_told() -> None:
    with pytest.raises(SettingError, match="did you mean 'critical'"):
        severity_rank("critcal")
