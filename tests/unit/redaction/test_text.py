from __future__ import annotations

import sys
import time
from collections import OrderedDict

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, strategies as st

from diagkit.redaction.frames import Replacer, redact_frame, tell_apart
from diagkit.redaction.text import redact_text

SECRET = "hunter2Hunter2"
CASES = [
    ("postgresql://app:hunter2Hunter2@db/app", "postgresql://[redacted:dsn]@db/app"),
    ("redis://:hunter2Hunter2@db:6379/0", "redis://[redacted:dsn]@db:6379/0"),
    ("password=hunter2Hunter2 ok", "password=[redacted:secret] ok"),
    ("PGPASSWORD='hunter2Hunter2'", "PGPASSWORD=[redacted:secret]"),
    ('{"api_key": "hunter2Hunter2", "a": 1}', '{"api_key": [redacted:secret], "a": 1}'),
    ("Authorization: Bearer hunter2Hunter2", "Authorization: Bearer [redacted:bearer]"),
    ("Cookie: sid=hunter2Hunter2; a=b", "Cookie: [redacted:cookie]"),
    ("id AKIA2E0A8F3B244C9986.", "id [redacted:aws_key]."),
    ("xoxb-123456789012-abcdefABCDEF", "[redacted:slack_token]"),
    ("glpat-AbCdEfGhIjKlMnOpQrSt", "[redacted:gitlab_token]"),
    ("ghp_0123456789abcdefghij0123456789abcdef", "[redacted:github_token]"),
    ("mail to sam.lee@example.net!", "mail to [redacted:email]!"),
    ("card 5500005555555559 used", "card [redacted:card] used"),
    ("card 5500 0055 5555 5559 used", "card [redacted:card] used"),
    ("client 81.2.69.142 asked", "client [redacted:address] asked"),
    ("from 2a00:1450:4001:82a::200e!", "from [redacted:address]!"),
    ("at localhost/81.2.69.142:80.", "at localhost/[redacted:address]:80."),
    ("card 3782-822463-10005, 1", "card [redacted:card], 1"),
    (
        """[{"f": "pay", "locals": {"a": "'x'", "b": "{'c': \\"}\\"}"}}, {"n": 1}]""",
        """[{"f": "pay", "locals": [redacted:locals]}, {"n": 1}]""",
    ),
    (
        """e="[{'locals': {'a': \\"it's }\\"}}]" level=error\nnext""",
        """e="[{'locals': [redacted:locals]\nnext""",
    ),
    (
        "│ ╭─── locals ────╮ │\n│ │ a = 'Sam Lee' │ │\n│ ╰───────────────╯ │\n",
        "│ ╭─── locals ────╮ │\n[redacted:locals]│ ╰───────────────╯ │\n",
    ),
    (
        "DETAIL:  Failing row contains (4242, null).",
        "DETAIL:  Failing row contains [redacted:row].",
    ),
    (
        "DETAIL:  Key (email)=(x) already exists.",
        "DETAIL:  Key (email)=[redacted:key_value] already exists.",
    ),
    (
        "[SQL: SELECT 1]\n[parameters: {'a': 'b]'}]\n(Background on",
        "[SQL: SELECT 1]\n[parameters: [redacted:parameters]]\n(Background on",
    ),
    (
        "<psycopg.AsyncConnection [INTRANS] (host=h port=1 user=u database=d) at 0x1>",
        "<psycopg.AsyncConnection [INTRANS] (host=h port=1 "
        "user=[redacted:driver] database=d) at 0x1>",
    ),
    (
        "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b",
        "a [redacted:private_key] b",
    ),
    ("eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl", "[redacted:jwt]"),
]
ORDINARY = [
    "QueuePool limit of size 5 overflow 10 reached, connection timed out",
    "2026-11-22 15:47:24 [INFO    ] api.main: Endpoint: POST /graphql",
    'INFO:     127.0.0.1:40236 - "GET /does/not/exist HTTP/1.1" 404 Not Found',
    "Found project: edge-boundary, execution_status: running",
    "task-bounce-zone-1763736596-qa-1763975587-1",
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f8859be6200>>",
    "psycopg.errors.UniqueViolation: duplicate key value violates unique constraint",
    "at 1764026456500000 us",
    "https://sqlalche.me/e/20/3o7r",
    "decorator @pytest.fixture",
    # A network's own addresses tell where it failed, and nobody's name.
    "connect() to 10.0.0.7:8000, 127.0.0.1, 192.168.1.2, 172.17.0.1, 0.0.0.0, ::1",
    "listening on [::]:8000 and fe80::1",
    "PostgreSQL 18.6.3, version 1.2.3.4, nginx/1.22.1, 2.0.44.1-rc",
    "at 10:00:00:123 of 2025:11:24",
    "Mozilla/5.0 (X11) Chrome/120.0.0.0 Safari/537.36",
    "Package_for_KB3121255~31bf3856ad364e35~amd64~~6.1.1.1",
    "block blk_-5500000005555559 and blk_5500000005555559",
    "token=null, password: None, secret=''",
    "locals are not shown",
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_is_secret_is_replaced(text: str, expected: str) -> None:
    done = redact_text(text)
    assert done.text == expected
    assert done.count == expected.count("[redacted:")


@pytest.mark.parametrize("text", ORDINARY)
def test_what_is_ordinary_stays(text: str) -> None:
    assert redact_text(text) == type(redact_text(""))(text, 0)


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_redacting_twice_changes_nothing_more(text: str, expected: str) -> None:
    assert redact_text(expected).text == expected
    assert redact_text(expected).count == 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_password_never_survives_what_stands_around_it(
    before: str, after: str
) -> None:
    text = f"{before} password={SECRET} {after}"
    assert SECRET not in redact_text(text).text


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000, "1 " * 100_000, "@" * 100_000, "://" * 60_000, "key=" * 50_000],
)
def test_long_hostile_text_takes_no_long_time(text: str) -> None:
    start = time.process_time()
    redact_text(text)
    # Quadratic work on these would take minutes.
    assert time.process_time() - start < 5


def test_frames_are_redacted_wherever_text_stands() -> None:
    frame = pd.DataFrame({"m": ["token=abc", "token=abc", None], "n": [1, 2, 3]})
    frame["c"] = pd.Categorical(["a@b.com", "x", "x"])
    frame["o"] = pd.Series([5, "pwd=abc", None], dtype=object)
    done = redact_frame(frame)
    assert done.count == 4
    assert done.frame["m"].tolist()[:2] == ["token=[redacted:secret]"] * 2
    assert done.frame["c"].tolist() == ["[redacted:email]", "x", "x"]
    assert done.frame["o"].tolist()[:2] == [5, "pwd=[redacted:secret]"]
    assert frame["m"][0] == "token=abc"


def test_frames_are_redacted_in_cells_names_and_index() -> None:
    cells = [["x@a.com"], {"password": "abc", "n": 1}, ("q", 2), b"password=abc"]
    frame = pd.DataFrame(
        {"o": cells, "c": pd.Categorical(["x@a.com", "y", "x@a.com", None])},
        index=pd.Index(["b@a.com", "b", "c", "d"], name="token=abc"),
    )
    frame["mail of x@a.com"] = 1
    done = redact_frame(frame)
    assert not [s for s in ("a.com", "abc") if s in done.frame.to_string()]
    assert done.frame["o"].iloc[2] == ("q", 2)
    assert done.frame["c"].dtype == "category"
    assert done.count == 8
    assert frame["o"].iloc[0] == ["x@a.com"]


def test_columns_of_one_name_and_levels_of_an_index_are_redacted() -> None:
    frame = pd.DataFrame([[1, "token=abc"]], columns=["m", "m"])
    assert redact_frame(frame).frame.iloc[0].tolist() == [1, "token=[redacted:secret]"]
    index = pd.MultiIndex.from_tuples([("x@a.com", 2)], names=["a", "b"])
    levels = redact_frame(pd.DataFrame({"v": [1]}, index=index)).frame.index
    assert levels.tolist() == [("[redacted:email]", 2)]
    assert list(levels.names) == ["a", "b"]


@pytest.mark.parametrize("dtype", ["string", "string[pyarrow]", "arrow"])
def test_every_kind_of_text_column_is_redacted(dtype: str) -> None:
    arrow = pytest.importorskip("pyarrow")
    kind = pd.ArrowDtype(arrow.string()) if dtype == "arrow" else dtype
    frame = pd.DataFrame({"m": pd.array(["x@a.com", None], dtype=kind)})
    done = redact_frame(frame).frame
    assert done["m"][0] == "[redacted:email]"
    assert done["m"].dtype == frame["m"].dtype
    assert done["m"].isna().tolist() == [False, True]


def test_names_that_only_a_secret_told_apart_stay_apart() -> None:
    names = ["a@b.example", "n", "c@d.example", "e@f.example"]
    said = ["[redacted:email]", "n", "[redacted:email] (2)", "[redacted:email] (3)"]
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=names)
    assert redact_frame(frame).frame.columns.tolist() == said
    assert redact_frame(frame.T).frame.index.tolist() == said
    twice = pd.DataFrame([[1, 2]], columns=[names[0]] * 2)
    assert redact_frame(twice).frame.columns.tolist() == said[:1] * 2
    deep = frame.set_axis(pd.MultiIndex.from_product([["x"], names]), axis=1)
    assert redact_frame(deep).frame.columns.tolist() == [("x", name) for name in said]
    cell = pd.DataFrame({"m": [dict.fromkeys(names, 1)]})
    assert list(redact_frame(cell).frame.loc[0, "m"]) == said
    # What stands there already keeps its name.
    taken = ["[redacted:email] (2)", *names[:1], names[2]]
    assert tell_apart([taken[0], said[0], said[0]]) == [taken[0], said[0], said[3]]


def test_values_of_any_kind() -> None:
    replacer = Replacer()
    mail, said = "sam@example.net", "[redacted:email]"
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        row = connection.execute(sa.text(f"select '{mail}'")).one()
    engine.dispose()
    assert replacer.value(row) == (said,)
    assert replacer.value(OrderedDict(a=[mail], b=(mail, 1))) == {
        "a": [said],
        "b": (said, 1),
    }
    assert replacer.value({"password": "correct horse"}) != {
        "password": "correct horse"
    }
    assert replacer.count == 4
    # What holds no secret is the same object.
    assert replacer.value(sys.version_info) is sys.version_info
    loop: list[object] = [mail]
    loop.append(loop)
    assert mail not in repr(replacer.value(loop))
    deep: object = mail
    for _ in range(20):
        deep = [deep]
    assert mail not in repr(replacer.value(deep))
    seen = pd.Series(["n"], dtype=pd.CategoricalDtype(["n", mail]))
    assert mail not in repr(replacer.value(seen))
