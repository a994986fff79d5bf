from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.frames.pool import ACTIVITY
from diagkit.sources.watches import frame_sessions, watch_server

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000
START = pd.Timestamp("2025-11-24T10:00Z")


class Clock:
    """A second passes whenever somebody asks."""

    def __init__(self) -> None:
        self.now = 1_763_978_400 * SECOND

    def __call__(self) -> int:
        self.now += SECOND
        return self.now


steps = st.lists(
    st.sampled_from(["take", "take", "give", "look", "lose"]), min_size=1, max_size=60
)


@pytest.mark.slow
@settings(max_examples=40)
@given(steps, st.sampled_from([3.0, 20.0, 1e6]), st.sampled_from([600, 1 << 20]))
def test_a_look_has_what_reading_all_of_it_has(
    tmp_path_factory: pytest.TempPathFactory, steps, last_s: float, max_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("recording")
    clock = Clock()
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool, pool_size=99)
    taken: list[Any] = []
    with dk.PoolRecorder(
        engine, folder, name="app", max_bytes=max_bytes, max_files=9999, clock=clock
    ) as recorder:
        for step in [*steps, "look"]:
            if step == "take":
                taken.append(engine.connect())
            elif step == "give" and taken:
                taken.pop(0).close()
            elif step == "lose":
                engine.connect()
            elif step == "look":
                check(recorder, folder, last_s, clock)
        for one in taken:
            one.close()
    engine.dispose()


def check(recorder: dk.PoolRecorder, folder: Path, last_s: float, clock) -> None:
    pool, found = recorder.look(last_s)
    now = pd.Timestamp(clock.now, unit="ns", tz="UTC")
    oldest = now - pd.Timedelta(seconds=last_s)
    every = dk.read_checkouts(folder)
    ended = every["ended_at"].fillna(now)
    window = every[ended >= oldest].set_index("checkout_id")
    found = found.set_index("checkout_id")
    assert sorted(found.index) == sorted(window.index)
    window = window.loc[found.index]
    assert found["outcome"].tolist() == window["outcome"].tolist()
    assert found["checked_out_at"].tolist() == window["checked_out_at"].tolist()
    held = found["outcome"] == "held"
    assert (found["ended_at"][~held] == window["ended_at"][~held]).all()
    # What is held is counted until now.
    lasts = (now - found["checked_out_at"][held]).dt.total_seconds()
    assert found["held_s"][held].tolist() == lasts.tolist()
    assert pool["checked_out"].iloc[-1] == recorder.checked_out == held.sum()
    assert pool["timestamp"].iloc[-1] == now
    assert (pool["timestamp"] >= oldest).all()
    # Between what was so when the window began, and what is so now.
    samples = dk.read_pool(folder)
    samples = samples[samples["timestamp"] >= oldest]["checked_out"].tolist()
    seen = pool["checked_out"].tolist()[:-1]
    assert seen[len(seen) - len(samples) :] == samples
    assert len(seen) - len(samples) in (0, 1)


def test_what_was_recorded_is_there_when_nobody_records_any_more(tmp_path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool)
    recorder = dk.PoolRecorder(engine, tmp_path, name="app")
    assert [len(frame) for frame in recorder.look()] == [0, 0]
    with recorder, engine.connect():
        assert recorder.look()[1]["outcome"].tolist() == ["held"]
    assert recorder.look()[1]["outcome"].tolist() == ["returned"]
    engine.dispose()


def make(second: int, *rows: tuple[Any, ...]) -> pd.DataFrame:
    """Build a snapshot of (pid, application, state, xact_start, query, type)."""
    names = ("pid", "application_name", "state", "xact_start", "query", "backend_type")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    columns["timestamp"] = START + pd.Timedelta(seconds=second)
    columns["datname"] = "shop"
    return ACTIVITY.build(columns)


CLIENT = "client backend"


def test_sessions_are_checkouts_of_their_application() -> None:
    begun = START - pd.Timedelta(seconds=5)
    query = "UPDATE orders SET name = 'secret' WHERE id = 7"
    waits = (1, "api", "idle in transaction", begun, query, CLIENT)
    snapshots = [
        make(
            0,
            waits,
            (2, "api", "active", START, "SELECT 1", CLIENT),
            (3, "", "idle", None, "COMMIT", CLIENT),
            (9, None, None, None, None, "checkpointer"),
        ),
        make(2, waits, (2, "api", "idle", None, "SELECT 1", CLIENT)),
    ]
    pool, checkouts = frame_sessions(snapshots)
    assert pool[["pool", "checked_out", "checked_in"]].values.tolist() == [
        ["api", 2, 0],
        ["shop", 0, 1],
        ["api", 1, 1],
    ]
    assert checkouts[
        ["connection", "held_s", "outcome", "operation"]
    ].values.tolist() == [
        ["1", 7.0, "held", "UPDATE orders SET name = ? WHERE id = ?"],
        ["2", 0.0, "returned", "SELECT ?"],
    ]
    assert [len(frame) for frame in frame_sessions([])] == [0, 0]


def test_long_statements_are_cut_and_none_is_none() -> None:
    rows = (
        (1, "api", "active", START, "SELECT " + "x" * 500, CLIENT),
        (2, "api", "active", START, None, CLIENT),
    )
    _, checkouts = frame_sessions([make(0, *rows)])
    assert checkouts["operation"].str.len().tolist()[0] == 80
    assert checkouts["operation"].isna().tolist() == [False, True]


def test_old_snapshots_are_forgotten() -> None:
    seconds = iter([0, 4, 20])

    def sample(url: str, for_s: float) -> pd.DataFrame:
        assert (url, for_s) == ("postgresql://db", 0.0)
        return make(next(seconds), (1, "api", "active", START, "SELECT 1", CLIENT))

    watch = watch_server("postgresql://db", 10, sample=sample)
    assert [len(watch.look()[0]) for _ in range(3)] == [1, 2, 1]
    assert repr(watch) == "<ServerWatch, 1 snapshots>"
    with pytest.raises(dk.SettingError, match="last_s is more than 0 seconds; 0 came"):
        watch_server("postgresql://db", 0)


def test_a_real_server_is_looked_at(postgres_url: str) -> None:
    watch = watch_server(postgres_url)
    engine = sa.create_engine(
        postgres_url, connect_args={"application_name": "shop-watch"}
    )
    with engine.connect() as connection:
        pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        pool, checkouts = watch.look()
        (row,) = checkouts[checkouts["pool"] == "shop-watch"].to_dict("records")
        assert (row["connection"], row["outcome"]) == (str(pid), "held")
        assert row["operation"] == "SELECT pg_backend_pid()"
        samples = pool[pool["pool"] == "shop-watch"]
        assert samples["checked_out"].tolist() == [1]
    pool, checkouts = watch.look()
    (row,) = checkouts[checkouts["pool"] == "shop-watch"].to_dict("records")
    assert row["outcome"] == "returned"
    engine.dispose()
