"""PoolRecorder on real engines: what it writes, what it survives, what it leaves."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, TimeoutError as PoolTimeout

from diagkit.errors import SettingError
from diagkit.sources.checkouts import (
    read_checkouts,
    read_pool_events,
    read_recorded_pool,
)
from diagkit.sources.recorder import EVENTS, PoolRecorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'app.db'}",
        poolclass=sa.QueuePool,
        pool_size=2,
        max_overflow=1,
        pool_timeout=0.05,
    )
    yield engine
    engine.dispose()


def use(engine: sa.Engine) -> None:
    with engine.connect() as link:
        link.execute(sa.text("select 1"))


def test_a_return_is_a_row(engine: sa.Engine, tmp_path: Path) -> None:
    with PoolRecorder(engine, tmp_path / "rec") as recorder:
        assert recorder.checked_out == 0
        use(engine)
        assert repr(recorder) == "<PoolRecorder 'app.db', 0 out>"
    assert repr(recorder) == "<PoolRecorder 'app.db', detached>"
    row = read_checkouts(tmp_path / "rec").iloc[0]
    assert row["outcome"] == "returned"
    assert row["holder"].endswith(" use")
    assert row["pool"] == "app.db"
    assert row["thread"] == "MainThread"
    assert row["checked_in_at"] == row["ended_at"] >= row["checked_out_at"]
    assert 0 <= row["reset_s"] <= row["held_s"]
    assert row["wait_s"] > 0
    assert row["connection"] == row["address"]
    assert row["process"] == os.getpid()


def test_nothing_is_left_behind(engine: sa.Engine, tmp_path: Path) -> None:
    recorder = PoolRecorder(engine, tmp_path / "rec").attach()
    assert recorder.attach() is recorder
    use(engine)
    engine.dispose()
    use(engine)
    recorder.detach()
    recorder.detach()
    assert [name for name in EVENTS if getattr(engine.pool.dispatch, name)] == [
        # The dialect's own.
        name
        for name in EVENTS
        if getattr(sa.create_engine("sqlite:///x").pool.dispatch, name)
    ]
    assert "connect" not in vars(engine.pool)
    assert recorder.checked_out == recorder.lost == 0


def test_a_timeout_names_who_went_without(engine: sa.Engine, tmp_path: Path) -> None:
    def asks_in_vain() -> None:
        engine.connect()

    with PoolRecorder(engine, tmp_path / "rec"):
        held = [engine.connect() for _ in range(3)]
        with pytest.raises(PoolTimeout):
            asks_in_vain()
        for link in held:
            link.close()
    events = read_pool_events(tmp_path / "rec")
    timeout = events[events["event"] == "timeout"].iloc[0]
    assert timeout["holder"].endswith("asks_in_vain")
    assert timeout["error"] == "TimeoutError"
    assert timeout["wait_s"] >= 0.05
    pool = read_recorded_pool(tmp_path / "rec")
    assert int(pool["checked_out"].max()) == 3
    assert int(pool["overflow"].max()) == 1
    assert set(pool["max_overflow"]) == {1}
    assert len(read_checkouts(tmp_path / "rec")) == 3


def test_a_failure_to_connect_is_an_event(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'no' / 'where.db'}")
    with PoolRecorder(engine, tmp_path / "rec") as recorder:
        with pytest.raises(OperationalError):
            engine.connect()
        assert recorder.checked_out == 0
    events = read_pool_events(tmp_path / "rec")
    assert "failure" in events["event"].tolist()
    assert len(read_checkouts(tmp_path / "rec")) == 0


def test_what_was_out_before_is_counted(engine: sa.Engine, tmp_path: Path) -> None:
    early = [engine.connect() for _ in range(2)]
    with PoolRecorder(engine, tmp_path / "rec") as recorder:
        assert recorder.checked_out == 2
        early[0].close()
        assert recorder.checked_out == 1
        early[1].detach()
        assert recorder.checked_out == 0
    early[1].close()
    assert read_recorded_pool(tmp_path / "rec")["checked_out"].iloc[0] == 2


def test_stacks_lead_to_the_holder(engine: sa.Engine, tmp_path: Path) -> None:
    def outer() -> None:
        use(engine)

    with PoolRecorder(engine, tmp_path / "rec", stacks=True):
        outer()
    stack = read_checkouts(tmp_path / "rec").loc[0, "stack"]
    names = [place.split()[-1].rpartition(".")[2] for place in stack]
    assert names[:2] == ["use", "outer"]


def test_two_recorders_do_not_see_each_other(engine: sa.Engine, tmp_path: Path) -> None:
    first = PoolRecorder(engine, tmp_path / "rec", name="first").attach()
    second = PoolRecorder(engine, tmp_path / "rec", name="second").attach()
    use(engine)
    first.detach()
    use(engine)
    second.detach()
    use(engine)
    rows = read_checkouts(tmp_path / "rec")
    assert rows["pool"].value_counts().to_dict() == {"second": 2, "first": 1}
    assert rows["checkout_id"].is_unique


@pytest.mark.parametrize("pool", [sa.NullPool, sa.StaticPool, sa.SingletonThreadPool])
def test_other_pools(pool: Any, tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=pool)
    with PoolRecorder(engine, tmp_path / "rec") as recorder:
        use(engine)
        with engine.connect() as outer:
            assert recorder.checked_out == 1
            if pool is sa.StaticPool:
                use(engine)
            outer.execute(sa.text("select 1"))
        del outer
    engine.dispose()
    rows = read_checkouts(tmp_path / "rec")
    assert rows["pool"].unique().tolist() == ["sqlite"]
    assert set(rows["outcome"].iloc[:1]) == {"returned"}
    assert read_recorded_pool(tmp_path / "rec")["checked_in"].isna().all()


def test_threads(engine: sa.Engine, tmp_path: Path) -> None:
    barrier = threading.Barrier(3)

    def work(_: int) -> None:
        barrier.wait()
        for _ in range(200):
            use(engine)

    with (
        PoolRecorder(engine, tmp_path / "rec", max_bytes=20_000) as recorder,
        ThreadPoolExecutor(3, thread_name_prefix="worker") as executor,
    ):
        list(executor.map(work, range(3)))
        assert recorder.checked_out == engine.pool.checkedout() == 0
        assert recorder.lost == 0
    rows = read_checkouts(tmp_path / "rec")
    counts = rows["thread"].value_counts()
    assert counts.sum() == 600
    assert len(counts) == 3
    assert (rows["outcome"] == "returned").all()
    assert int(read_recorded_pool(tmp_path / "rec")["checked_out"].max()) <= 3


def test_tasks_are_named(tmp_path: Path) -> None:
    pytest.importorskip("greenlet")
    pytest.importorskip("aiosqlite")
    from sqlalchemy.ext.asyncio import create_async_engine

    async def main() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")

        async def work() -> None:
            async with engine.connect() as link:
                await link.execute(sa.text("select 1"))

        with PoolRecorder(engine, tmp_path / "rec"):
            await asyncio.create_task(work(), name="the task")
        await engine.dispose()

    asyncio.run(main())
    row = read_checkouts(tmp_path / "rec").iloc[0]
    assert row["task"] == "the task"
    assert row["holder"].endswith("main.<locals>.work")
    assert row["outcome"] == "returned"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("early", [False, True], ids=["none held", "one held"])
def test_a_fork_has_its_own_file(tmp_path: Path, early: bool) -> None:
    code = textwrap.dedent(f"""
        import os, sys, sqlalchemy as sa
        from diagkit.sources.recorder import PoolRecorder
        engine = sa.create_engine("sqlite:///{tmp_path}/f.db", poolclass=sa.QueuePool)
        rec = PoolRecorder(engine, "{tmp_path}/rec").attach()
        def parent(): engine.connect().close()
        def child(): engine.connect().close()
        held = engine.connect() if {early} else None
        pid = os.fork()
        if pid == 0:
            assert rec.checked_out == engine.pool.checkedout(), rec.checked_out
            child()
            if held is not None: held.close()
            assert rec.checked_out == engine.pool.checkedout() == 0
            rec.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        parent()
        if held is not None: held.close()
        rec.detach()
        engine.dispose()
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = read_checkouts(tmp_path / "rec")
    names = rows["holder"].str.rpartition(" ")[2].tolist()
    assert sorted(names) == sorted(["parent", "child"] + ["<module>"] * early)
    assert rows["process"].nunique() == 2
    assert rows["pool"].nunique() == 2
    assert (rows["outcome"] == "returned").all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forks_beside_the_thread_do_not_warn(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import multiprocessing, sqlalchemy as sa
        from diagkit.sources.recorder import PoolRecorder
        def worker(): engine.connect().close()
        if __name__ == "__main__":
            engine = sa.create_engine(
                "sqlite:///{tmp_path}/f.db", poolclass=sa.QueuePool
            )
            PoolRecorder(engine, "{tmp_path}/rec").attach()
            for _ in range(3):
                engine.connect().close()
                child = multiprocessing.get_context("fork").Process(target=worker)
                child.start()
                child.join()
    """)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = read_checkouts(tmp_path / "rec")
    assert rows.groupby("process").size().tolist() == [3, 1, 1, 1]
    assert (rows["outcome"] == "returned").all()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_killed_process_has_lost_a_second_at_most(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import time, sqlalchemy as sa
        from diagkit.sources.recorder import PoolRecorder
        engine = sa.create_engine("sqlite:///{tmp_path}/k.db", poolclass=sa.QueuePool)
        PoolRecorder(engine, "{tmp_path}/rec", max_bytes=10**6).attach()
        held = engine.connect()
        for number in range(10**9):
            engine.connect().close()
            print(number + 1, time.time(), flush=True)
            time.sleep(0.001)  # So that the thread that writes has its turn.
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as lines:
        first = float(lines.readline().split()[1])
        done = [(1, first)]
        while done[-1][1] < first + 5:
            number, at = lines.readline().split()
            done.append((int(number), float(at)))
        os.kill(child.pid, signal.SIGKILL)
        for line in lines:
            if line.endswith("\n"):
                number, at = line.split()
                done.append((int(number), float(at)))
    child.wait()
    # A second, and as long again for a machine that is busy with others.
    early = max(number for number, at in done if at < done[-1][1] - 2)
    assert early > 0
    rows = read_checkouts(tmp_path / "rec")
    assert rows["holder"].notna().all()
    assert early <= (rows["outcome"] == "returned").sum() <= done[-1][0] + 1
    assert (rows["outcome"] == "held").sum() in (1, 2)


def test_a_wrong_engine_and_wrong_bounds_are_told(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="a str came"):
        PoolRecorder("sqlite://", tmp_path)
    with pytest.raises(SettingError, match="max_files is at least 1; 0 came"):
        PoolRecorder(engine, tmp_path, max_files=0)


def test_a_fault_of_its_own_is_told_once(
    engine: sa.Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    with (
        caplog.at_level(logging.WARNING, "diagkit.recorder"),
        PoolRecorder(engine, tmp_path / "rec", clock=broken) as recorder,
    ):
        use(engine)
        use(engine)
        assert recorder.checked_out == 0
    assert [r.getMessage() for r in caplog.records] == [
        "the pool recorder missed an event (ZeroDivisionError); it goes on"
    ]


def test_an_engine_with_options_shares_the_pool(
    engine: sa.Engine, tmp_path: Path
) -> None:
    other = engine.execution_options(isolation_level="AUTOCOMMIT")
    with PoolRecorder(other, tmp_path / "rec", clock=lambda: 10**18):
        use(engine)
        engine.dispose()
        use(engine)
    rows = read_checkouts(tmp_path / "rec")
    assert len(rows) == 2
    assert str(rows.loc[0, "checked_out_at"]) == "2001-09-09 01:46:40+00:00"
    assert "dispose" in read_pool_events(tmp_path / "rec")["event"].tolist()


def test_a_fault_in_finding_who_asked_costs_no_connection(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("diagkit.sources.holders.Holders.asked", broken)
    with PoolRecorder(engine, tmp_path / "rec"):
        use(engine)
    rows = read_checkouts(tmp_path / "rec")
    assert rows["outcome"].tolist() == ["returned"]
    assert rows["holder"].isna().all()


def test_somebody_else_before_the_pool_stays(engine: sa.Engine, tmp_path: Path) -> None:
    recorder = PoolRecorder(engine, tmp_path / "rec").attach()
    inner = engine.pool.connect
    engine.pool.connect = lambda: inner()  # type: ignore[method-assign]
    use(engine)
    recorder.detach()
    use(engine)
    assert len(read_checkouts(tmp_path / "rec")) == 1


def test_a_pool_asked_past_the_recorder_has_a_holder(
    engine: sa.Engine, tmp_path: Path
) -> None:
    with PoolRecorder(engine, tmp_path / "rec", stacks=True):
        sa.Pool.connect(engine.pool).close()
    row = read_checkouts(tmp_path / "rec").iloc[0]
    assert row["holder"].endswith("past_the_recorder_has_a_holder")
    assert row["stack"][0] == row["holder"]
    assert row["wait_s"] != row["wait_s"]


def test_a_child_begins_anew(engine: sa.Engine, tmp_path: Path) -> None:
    # What a fork calls in the child, seen from within; the real one is above.
    with PoolRecorder(engine, tmp_path / "rec") as recorder:
        held = engine.connect()
        recorder.flush()
        recorder._forked()
        assert recorder.checked_out == 1
        use(engine)
        held.close()
        assert recorder.checked_out == recorder.lost == 0
    recorder._forked()
    rows = read_checkouts(tmp_path / "rec")
    assert rows["outcome"].tolist() == ["held", "returned"]
    assert rows["pool"].nunique() == 2
