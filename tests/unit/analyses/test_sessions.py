"""Sessions by a server's log: what is known of them, and what is bounded."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.sessions import count_occupancy, find_sessions
from diagkit.errors import ContractError
from diagkit.frames.logs import LOGS
from diagkit.frames.sessions import OCCUPANCY, SESSIONS

START = pd.Timestamp("2025-11-24 10:00", tz="UTC")


def second(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(milliseconds=round(1000 * number))


def logs(*lines: tuple[float, str]) -> pd.DataFrame:
    return LOGS.build(
        {
            "timestamp": [second(at) for at, _ in lines],
            "message": [text for _, text in lines],
            "source": "postgresql.log",
            "line": list(range(1, len(lines) + 1)),
            "lines": 1,
        }
    )


def end(length: float, user: str = "app", database: str = "shop") -> str:
    hours, rest = divmod(length, 3600)
    minutes, seconds = divmod(rest, 60)
    return (
        f"disconnection: session time: {hours:.0f}:{minutes:02.0f}:{seconds:06.3f} "
        f"user={user} database={database} host=10.0.0.9 port=4711"
    )


BEGIN = "connection authorized: user=app database=shop application_name=web"


def test_a_session_with_both_lines() -> None:
    rows = SESSIONS.check(find_sessions(logs((0.01, BEGIN), (5, end(5)))))
    assert rows.iloc[0].to_dict() == {
        "user": "app",
        "database": "shop",
        "application_name": "web",
        "host": "10.0.0.9",
        "started_at": second(0),
        "ended_at": second(5),
        "ended_before": second(5),
        "session_s": 5.0,
        "source": "postgresql.log",
        "line": 2,
    }


def test_one_that_was_open_before_the_log_begins_is_dated() -> None:
    rows = find_sessions(logs((0, "x"), (9, end(7200.5))))
    assert rows["started_at"].tolist() == [second(9 - 7200.5)]
    assert rows["application_name"].isna().all()


def test_one_without_an_end_is_bounded_by_the_last_record_or_a_restart() -> None:
    ready = "database system is ready to accept connections"
    rows = find_sessions(logs((0, BEGIN), (30, ready), (40, BEGIN), (90, "x")))
    assert rows["ended_at"].isna().all()
    assert rows["ended_before"].tolist() == [second(30), second(90)]
    found = OCCUPANCY.check(count_occupancy(rows, "10s"))
    assert found["low"].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert found["high"].tolist() == [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "user", "database", "name"),
    [
        (BEGIN, "app", "shop", "web"),
        ("connection authorized: user=app database=shop", "app", "shop", None),
        (
            "connection authorized: user=a b database=c d application_name=my app SSL "
            "enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)",
            "a b",
            "c d",
            "my app",
        ),
        (
            "replication connection authorized: user=copy application_name=standby",
            "copy",
            None,
            "standby",
        ),
    ],
)
def test_how_a_beginning_is_written(
    text: str, user: str, database: str | None, name: str | None
) -> None:
    row = find_sessions(logs((0, text), (60, "x"))).iloc[0]
    assert row["user"] == user
    said = [row[key] if pd.notna(row[key]) else None for key in SESSIONS.names[1:3]]
    assert said == [database, name]


def test_what_only_looks_like_it_is_none() -> None:
    said = f"statement: select '{BEGIN}'"
    assert find_sessions(logs((0, said), (1, f"x {end(1)}"))).empty
    assert find_sessions(logs()).empty
    assert count_occupancy(SESSIONS.empty()).empty


def test_other_frames_are_refused() -> None:
    with pytest.raises(ContractError):
        find_sessions(pd.DataFrame())
    with pytest.raises(ContractError):
        count_occupancy(pd.DataFrame())


@dataclass(frozen=True)
class Session:
    user: str
    begin: float
    length: float
    login: float

    @property
    def end(self) -> float:
        return self.begin + self.length


SESSION = st.builds(
    Session,
    st.sampled_from(["app", "job"]),
    st.integers(-50_000, 100_000).map(lambda ms: ms / 1000),
    st.integers(300, 90_000).map(lambda ms: ms / 1000),
    st.integers(0, 250).map(lambda ms: ms / 1000),
)
LAST = 60.0
# In the seconds before a log begins a login may have been, or be yet to come: which,
# no line tells.
CLEAR = SESSION.filter(lambda one: not -6.5 < one.begin < 0)


@given(st.lists(CLEAR, max_size=12), st.booleans())
def test_the_truth_is_within_the_bounds(sessions: list[Session], whole: bool) -> None:
    """Each session that leaves a line is there, and the counts hold the true one."""
    lines: list[tuple[float, str]] = [(0.0, "first"), (LAST, "last")]
    for one in sessions:
        if 0 <= one.begin + one.login <= min(LAST, one.end):
            text = f"connection authorized: user={one.user} database=shop"
            lines.append((one.begin + one.login, text))
        if 0 <= one.end <= LAST:
            lines.append((one.end, end(one.length, one.user)))
    if whole:
        lines = [(float(int(at)), text) for at, text in lines]
    seen = [
        one
        for one in sessions
        if 0 <= one.begin + one.login <= LAST or 0 <= one.end <= LAST
    ]
    rows = find_sessions(logs(*sorted(lines)))
    assert len(rows) == len(seen)
    ended = sorted(one.length for one in seen if one.end <= LAST)
    assert sorted(rows["session_s"].dropna()) == pytest.approx(ended)
    open_ = [one for one in seen if one.end > LAST]
    assert int(rows["ended_at"].isna().sum()) == len(open_)
    assert rows["ended_before"].ge(rows["started_at"]).all()
    # Nothing began more than a login, or a second of rounding, before or after.
    truth = sorted(one.begin for one in seen)
    found = sorted((rows["started_at"] - START).dt.total_seconds())
    slack = 1.01 + 0.25 if whole else 0.26
    assert found == pytest.approx(truth, abs=slack)


@pytest.mark.slow
@given(
    st.lists(SESSION, min_size=1, max_size=10), st.sampled_from(["1s", "7s", "1min"])
)
def test_occupancy_is_that_of_a_count_at_every_moment(
    sessions: list[Session], every: str
) -> None:
    open_end = [one.length > 40 for one in sessions]
    rows = SESSIONS.build(
        {
            "user": [one.user for one in sessions],
            "started_at": [second(one.begin) for one in sessions],
            "ended_at": [
                None if still else second(one.end)
                for one, still in zip(sessions, open_end, strict=True)
            ],
            "ended_before": [second(one.end) for one in sessions],
            "source": "a.log",
            "line": 1,
        }
    )
    found = count_occupancy(rows, every)
    step = pd.Timedelta(every)
    moments = sorted({*found["timestamp"], *rows["started_at"]})

    def most(since: pd.Timestamp, ends: pd.Series) -> int:
        inside = [at for at in moments if since <= at < since + step]
        return max(
            int(((rows["started_at"] <= at) & (at <= ends)).sum()) for at in inside
        )

    known = rows["ended_at"].fillna(rows["started_at"])
    assert found["low"].tolist() == [most(at, known) for at in found["timestamp"]]
    limit = rows["ended_before"]
    assert found["high"].tolist() == [most(at, limit) for at in found["timestamp"]]
