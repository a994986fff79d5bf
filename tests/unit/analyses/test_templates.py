from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.templates import CUT, MAX_EXAMPLE, MAX_MESSAGE, count_templates
from diagkit.errors import ContractError, SettingError
from diagkit.frames.logs import LOGS
from diagkit.frames.templates import TEMPLATES

if TYPE_CHECKING:
    import random


def make_logs(messages: list[str], **more: object) -> pd.DataFrame:
    lines = range(1, len(messages) + 1)
    return LOGS.build(
        {"message": messages, "source": "a.log", "line": lines, "lines": 1} | more
    )


def shape(message: str) -> str:
    table = count_templates(make_logs([message]), min_values=None)
    return str(table.loc[0, "template"])


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("took 12.5 ms", "took <*> ms"),
        ("from 10.0.0.1:8080 to [fe80::1]", "from <*> to [<*>]"),
        ("id 550e8400-e29b-41d4-a716-446655440000 done", "id <*> done"),
        ("object at 0x7f8859be6200 lost", "object at <*> lost"),
        ("commit deadbeefcafe pushed", "commit <*> pushed"),
        ("task-fetch-42a failed", "<*> failed"),
        ("at 2025-11-24T10:00:00.123Z sharp", "at <*> sharp"),
        ("since Sun Jul 12 09:15:01 CEST 2005", "since <*>"),
        ("open /var/lib/app/x.db failed", "open <*> failed"),
        (r"load C:\Windows\system\x.dll now", "load <*> now"),
        ("GET https://example.org/a?b=c ok", "GET <*> ok"),
        ("type object 'Query' has no 'x'", "type object <*> has no <*>"),
        ("can't find it, isn't here", "can't find it, isn't here"),
        ("stats: {'done': 3, 'name': 'a b', 'x': None}",
         "stats: {done: <*>, name: <*>, x: <*>}"),
        ('{"level": "x", "ok": true}', "{level: <*>, ok: <*>}"),
        ("blocks blk_1 blk_-2, blk_3 gone", "blocks <*> gone"),
        ("first line\nsecond 1", "first line"),
        ("\n  \n indented 1", "indented <*>"),
        ("two  spaces\tand a tab", "two spaces and a tab"),
        ("nul \x00 byte", "nul byte"),
        ("", ""),
    ],
)  # fmt: skip
def test_values_are_folded_and_words_are_not(message: str, template: str) -> None:
    assert shape(message) == template


def test_a_long_message_is_told_by_its_beginning() -> None:
    long = "word " * MAX_MESSAGE
    table = count_templates(make_logs([long + "a", long + "b"]))
    assert table["events"].tolist() == [2]
    assert table.loc[0, "template"].endswith(CUT)
    assert len(table.loc[0, "example"]) == MAX_EXAMPLE


def test_words_that_vary_are_values_too() -> None:
    names = ["ada", "bob", "cyd"]
    few = count_templates(make_logs([f"Bad user {name}" for name in names]))
    assert len(few) == 3
    many = count_templates(make_logs([f"Bad user {name}" for name in [*names, "dan"]]))
    assert many["template"].tolist() == ["Bad user <*>"]
    alone = count_templates(
        make_logs([f"Bad user {name}" for name in [*names, "dan"]]), min_values=None
    )
    assert len(alone) == 4


def test_the_first_word_has_to_vary_more() -> None:
    verbs = ["boot", "halt", "wait", "stop", "kill", "sync", "read", "seek", "open"]
    assert len(count_templates(make_logs([f"{v} (done)" for v in verbs]))) == 9
    more = [*verbs, "shut"]
    assert len(count_templates(make_logs([f"{v} (done)" for v in more]))) == 1


def test_a_row_says_when_where_and_how_bad() -> None:
    logs = make_logs(
        ["took 3 s", "took 1 s", "took 2 s", "took 9 s"],
        timestamp=pd.to_datetime(
            ["2025-11-24T10:03Z", "2025-11-24T10:01Z", "2025-11-24T10:02Z", None]
        ),
        level=["INFO", "ERROR", "NOTICE", None],
        logger=["b", "a", "a", "b"],
    )
    row = TEMPLATES.check(count_templates(logs)).loc[0]
    assert row[["events", "level", "logger", "loggers"]].tolist() == [
        4,
        "ERROR",
        "a",
        2,
    ]
    assert str(row["first"]) == "2025-11-24 10:01:00+00:00"
    assert str(row["last"]) == "2025-11-24 10:03:00+00:00"
    assert row[["source", "line", "example"]].tolist() == ["a.log", 2, "took 1 s"]


def test_what_has_no_time_level_or_logger_is_a_row_too() -> None:
    row = count_templates(make_logs(["x 1", "x 2"])).loc[0]
    assert row[["level", "logger", "first", "last"]].isna().all()
    assert row[["events", "loggers", "line"]].tolist() == [2, 0, 1]


def test_the_frame_fulfils_its_contract() -> None:
    for logs in (make_logs(["a"]), LOGS.empty()):
        table = TEMPLATES.check(count_templates(logs))
        assert [str(d) for d in table.dtypes] == [c.dtype for c in TEMPLATES.columns]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ContractError, match="not a LOGS frame"):
        count_templates(pd.DataFrame({"a": [1]}))
    with pytest.raises(SettingError, match="one word alone is no value"):
        count_templates(LOGS.empty(), min_values=1)


PIECES = st.sampled_from(
    ["user", "bob", "ada", "cyd", "dan", "12", "0x7f", "a=1", "'q q'", "(x)", "/a/b/c",
     "{'k': 3}", "…", "\x00", "\n", "日本", "<*>", "1.2.3.4:80", "blk_-5", '"']
)  # fmt: skip
MESSAGES = st.lists(
    st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=6).map(" ".join)),
    min_size=1,
    max_size=30,
)


@given(MESSAGES, st.randoms(use_true_random=False))
def test_the_order_plays_no_part(messages: list[str], chance: random.Random) -> None:
    logs = make_logs(messages, logger=[f"l{len(m) % 3}" for m in messages])
    rows = list(range(len(logs)))
    chance.shuffle(rows)
    left, right = count_templates(logs), count_templates(logs.iloc[rows])
    pd.testing.assert_frame_equal(left, right)
    assert left["events"].sum() == len(messages)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=8).map(" ".join)), st.data())
def test_other_digits_are_the_same_shape(message: str, data) -> None:
    digits = st.sampled_from("0123456789")
    other = re.sub("[0-9]", lambda _: data.draw(digits), message)
    table = count_templates(make_logs([message, other]))
    assert table["events"].tolist() == [2]


def test_hostile_text_is_folded_in_no_time() -> None:
    hostile = ["'" * 100_000, "/" * 100_000, "a." * 50_000 + "1", '{"' * 50_000]
    assert count_templates(make_logs(hostile * 50))["events"].sum() == 200
