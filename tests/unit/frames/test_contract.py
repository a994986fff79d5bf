from __future__ import annotations

import pandas as pd
import pytest

from diagkit.errors import ContractError
from diagkit.frames.contract import UTC_TIME, Column, Contract

CONTRACT = Contract(
    "THINGS",
    (
        Column("timestamp", UTC_TIME, True),
        Column("name", "str"),
        Column("count", "Int64", True),
    ),
)


def test_build_casts_orders_and_fills() -> None:
    frame = CONTRACT.build({"count": [1, None], "name": ["a", "b"], "more": [1.5, 2]})
    assert list(frame.columns) == ["timestamp", "name", "count", "more"]
    assert [str(d) for d in frame.dtypes] == [UTC_TIME, "str", "Int64", "float64"]
    assert frame["timestamp"].isna().all()


def test_an_empty_frame_fulfils_the_contract() -> None:
    assert CONTRACT.check(CONTRACT.empty()).empty


def test_a_value_that_may_not_be_missing() -> None:
    with pytest.raises(ContractError, match=r"THINGS\.name is missing in row 1"):
        CONTRACT.build({"name": ["a", None]})


def test_a_value_of_the_wrong_kind() -> None:
    with pytest.raises(ContractError, match=r"THINGS\.count is not Int64"):
        CONTRACT.build({"name": ["a"], "count": ["many"]})


def test_missing_columns_are_named_with_the_nearest() -> None:
    frame = pd.DataFrame({"timestamp": [], "nmae": [], "count": []})
    with pytest.raises(ContractError, match="missing name; did you mean 'nmae'"):
        CONTRACT.check(frame)


def test_times_without_a_zone_are_refused() -> None:
    frame = CONTRACT.build({"name": ["a"]})
    frame["timestamp"] = pd.to_datetime(["2025-01-01"])
    with pytest.raises(ContractError, match="times are UTC inside"):
        CONTRACT.check(frame)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ContractError, match="THINGS is a DataFrame; a list came"):
        CONTRACT.check([])  # type: ignore[arg-type]
