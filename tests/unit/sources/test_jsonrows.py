from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, strategies as st

from diagkit.sources.clocks import NAT
from diagkit.sources.formats import load_registry
from diagkit.sources.jsonrows import JsonReader, make_plan
from diagkit.sources.lines import Lines
from diagkit.sources.recognition import Words
from diagkit.sources.records import iterate_records

REGISTRY = load_registry()
PLAIN = {"timestamp": "2025-11-24T18:17:11Z", "level": "info", "message": "up"}


def read(lines: list[str]) -> tuple[list[int], list[str]]:
    block = Lines.cut("\n".join([*lines, ""]).encode())
    reader = JsonReader(REGISTRY, Words(), Words())
    rows = reader.read(block, np.arange(len(lines)))
    assert rows is not None
    return rows.lines.tolist(), rows.message.to_pylist()


@pytest.mark.parametrize(
    ("record", "keys"),
    [
        (PLAIN, {"message": "message", "timestamp": "timestamp", "level": "level"}),
        ({"msg": "up", "exc_info": None}, {"message": "msg"}),
        ({"msg": "up", "log.level": "x"}, {"message": "msg", "level": "log.level"}),
        (
            {"msg": "up", "levelno": 20, "level": "x"},
            {"message": "msg", "level": "level"},
        ),
        ({"message": 5}, None),
        ({"message": "up", "level": 20}, None),
        ({"message": "up", "exc_info": "E: 1"}, None),
        ({"message": "up", "record": {"x": 1}}, None),
        ({"message": "up", "levelname": "x", "level": None}, None),
        ({"msg": "up", "pid": 1, "hostname": "h", "level": 30, "time": 1}, None),
        ({"x": 1}, None),
    ],
)
def test_a_line_shows_what_the_keys_mean(
    record: dict[str, object], keys: dict[str, str] | None
) -> None:
    plan = make_plan(json.dumps(record), REGISTRY)
    assert (plan.keys if plan else None) == keys


@pytest.mark.parametrize(
    "other",
    [
        {**PLAIN, "exc_info": "Traceback (most recent call last):\nE: 1"},
        {**PLAIN, "message": "two\nlines"},
        {**PLAIN, "message": 5},
        {**PLAIN, "message": None},
        {**PLAIN, "severity": "x"},
        {**PLAIN, "timestamp": 1764008231},
        {**PLAIN, "timestamp": "yesterday"},
        {**PLAIN, "message": "Traceback (most recent call last):"},
        {"message": "up"},
    ],
)
def test_a_line_that_may_mean_more_is_left(other: dict[str, object]) -> None:
    plain = json.dumps(PLAIN)
    lines = [plain] * 40 + [json.dumps(other)] + [plain] * 40
    rows, messages = read(lines)
    left = {40} if rows and 40 not in rows else set(range(25, 60)) - set(rows)
    assert 40 in left
    assert len(left) <= 33
    assert set(messages) == {"up"}


def test_extra_keys_of_any_kind_are_read_over() -> None:
    lines = [
        json.dumps({**PLAIN, "message": f"m{n}", "x": value})
        for n, value in enumerate([1, "a", None, [1, {"y": 2}], {"z": {}}, True])
    ]
    assert read(lines) == ([0, 1, 2, 3, 4, 5], [f"m{n}" for n in range(6)])


def test_a_line_that_is_cut_off_spoils_no_other() -> None:
    plain = json.dumps(PLAIN)
    odd = [plain[:-3], '{"a": {', f"{plain} {plain}"]
    rows, _ = read([*odd, *[plain] * 97])
    assert set(rows) <= set(range(3, 100))
    assert set(range(50, 100)) <= set(rows)


def test_nothing_is_read_where_no_line_shows_how() -> None:
    block = Lines.cut(b'{"x": 1}\n{\n')
    assert JsonReader(REGISTRY, Words(), Words()).read(block, np.arange(2)) is None


VALUES = st.one_of(
    st.text(max_size=8), st.integers(), st.none(), st.booleans(), st.floats()
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["message", "msg", "level", "name", "logger", "exc_info"]),
            VALUES,
        ),
        max_size=12,
    )
)
def test_what_is_read_is_what_each_line_says(records: list[dict[str, object]]) -> None:
    lines = [json.dumps(record) for record in records]
    block = Lines.cut("".join(f"{line}\n" for line in lines).encode())
    words = Words(), Words()
    rows = JsonReader(REGISTRY, *words).read(block, np.arange(len(lines)))
    if rows is None:
        return
    assert (rows.micros == NAT).all()
    for at, line in enumerate(rows.lines.tolist()):
        (expected,) = iterate_records([lines[line]])
        assert rows.message[at].as_py() == expected.message
        assert words[0].words[rows.level[at]] == expected.level
        assert words[1].words[rows.logger[at]] == expected.logger
        assert expected.traceback is None


def test_blocks_that_are_read_at_once_do_not_disturb_each_other() -> None:
    dated, bare = json.dumps(PLAIN), json.dumps({"message": "x", "level": "y"})
    blocks = [Lines.cut(f"{line}\n".encode() * 50) for line in (dated, bare)] * 20
    for _ in range(10):
        reader = JsonReader(REGISTRY, Words(), Words())
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda b, r=reader: r.read(b, np.arange(50)), blocks))
        assert {len(rows.lines) for rows in done if rows is not None} <= {0, 50}
        assert max(len(rows.lines) for rows in done if rows is not None) == 50
