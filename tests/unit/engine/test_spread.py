from __future__ import annotations

import itertools
import sys
import warnings

import pytest

from diagkit.engine.spread import map_parts, open_cluster
from diagkit.errors import DiagkitWarning, MissingExtraError, SettingError


def test_here_parts_are_done_one_after_the_other() -> None:
    results = map_parts(abs, itertools.count(-3))
    assert list(itertools.islice(results, 4)) == [3, 2, 1, 0]


def test_here_a_warning_is_a_warning() -> None:
    def work(part: str) -> str:
        warnings.warn(part, DiagkitWarning, stacklevel=1)
        return part

    with pytest.warns(DiagkitWarning, match="a"):
        assert list(map_parts(work, "a")) == ["a"]


@pytest.mark.parametrize("engine", [5, object(), "", "foo", "10.0.0.5"])
def test_an_engine_that_is_none(engine: object) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(SettingError, match=r"pass None, a distributed\.Client, or"):
        list(map_parts(len, ["a"], engine))


def test_dask_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingExtraError, match=r'pip install "diagkit\[dask\]"'),
        open_cluster("tcp://10.0.0.5:8786"),
    ):
        pass
