from __future__ import annotations

import threading
import warnings

import pytest

from diagkit.engine.told import collect_told
from diagkit.errors import DiagkitWarning


def test_what_is_told_is_collected_and_not_shown() -> None:
    with collect_told() as told:
        warnings.warn("one", DiagkitWarning, stacklevel=1)
        warnings.warn(DiagkitWarning("two"), stacklevel=1)
    assert list(map(repr, told)) == ["DiagkitWarning('one')", "DiagkitWarning('two')"]


def test_other_warnings_are_shown_where_they_come_from() -> None:
    with collect_told() as told, warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        warnings.warn("other", UserWarning, stacklevel=1)
        warnings.warn("plain", stacklevel=1)
    assert told == []
    assert [str(one.message) for one in shown] == ["other", "plain"]
    assert [one.filename for one in shown] == [__file__, __file__]


def test_the_innermost_collects() -> None:
    with collect_told() as outer:
        with collect_told() as inner:
            warnings.warn("in", DiagkitWarning, stacklevel=1)
        warnings.warn("out", DiagkitWarning, stacklevel=1)
    assert list(map(str, inner)) == ["in"]
    assert list(map(str, outer)) == ["out"]


def test_nothing_is_left_behind() -> None:
    before = warnings.warn
    with pytest.raises(KeyError), collect_told():
        raise KeyError
    assert warnings.warn is before
    with pytest.warns(DiagkitWarning, match="shown"):
        warnings.warn("shown", DiagkitWarning, stacklevel=1)


def test_each_thread_has_its_own() -> None:
    told: dict[int, list[str]] = {}
    all_are_in, nobody_is_out = threading.Barrier(4), threading.Barrier(4)

    def work(number: int) -> None:
        with collect_told() as own:
            all_are_in.wait()
            for _ in range(99):
                warnings.warn(str(number), DiagkitWarning, stacklevel=1)
            nobody_is_out.wait()
        told[number] = list(map(str, own))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {number: [str(number)] * 99 for number in range(4)}


def test_a_thread_that_does_not_listen_is_not_heard() -> None:
    shown: list[str] = []

    def work() -> None:
        with pytest.warns(DiagkitWarning, match="loud") as seen:
            warnings.warn("loud", DiagkitWarning, stacklevel=1)
        shown.extend(str(one.message) for one in seen)

    with collect_told() as told:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert (told, shown) == ([], ["loud"])
