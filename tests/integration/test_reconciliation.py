"""Leaked, stranded and phantom, made for real on PostgreSQL and told apart."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import sqlalchemy as sa

from diagkit.analyses.reconciliation import reconcile
from diagkit.frames.pool import POOL
from diagkit.sources.activity import sample_activity
from diagkit.sources.checkouts import read_checkouts, read_recorded_pool
from diagkit.sources.recorder import PoolRecorder

if TYPE_CHECKING:
    from pathlib import Path

one = sa.text("select 1")


def watch(url: str) -> pd.DataFrame:
    return sample_activity(url, for_s=0)


class NaiveGauge:
    """Counts as instrumentations in use do: checked out less checked in."""

    def __init__(self, pool: sa.Pool) -> None:
        self.used = 0
        self.rows: list[dict[str, Any]] = []
        sa.event.listen(pool, "checkout", self.out)
        sa.event.listen(pool, "checkin", self.back)

    def out(self, connection: Any, record: Any, proxy: Any) -> None:
        self.used += 1
        self.sample()

    def back(self, connection: Any, record: Any) -> None:
        self.used -= 1

    def sample(self) -> None:
        now = pd.Timestamp.now("UTC")
        row = {"timestamp": now, "pool": "metrics", "checked_out": self.used}
        self.rows.append(row)

    def frame(self) -> pd.DataFrame:
        return POOL.conform(pd.DataFrame(self.rows))


def test_a_sync_leak_and_one_that_is_kept(postgres_url: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgres_url, pool_size=5)
    kept = []

    def forgets() -> None:
        engine.connect().execute(one)

    def keeps() -> None:
        kept.append(engine.connect())
        kept[0].execute(one)

    with PoolRecorder(engine, tmp_path / "rec"):
        with engine.connect() as link:
            link.execute(one)
        forgets()
        gc.collect()
        keeps()
        asyncio.run(asyncio.sleep(0.3))
        activity = watch(postgres_url)
    found = reconcile(
        read_checkouts(tmp_path / "rec"),
        read_recorded_pool(tmp_path / "rec"),
        activity,
        held_longer_than_s=0.2,
    )
    rows = found.discrepancies
    assert rows["verdict"].tolist() == ["leaked", "leaked"]
    assert rows["holder"].str.rpartition(".")[2].tolist() == ["forgets", "keeps"]
    assert rows["evidence"][1].endswith("the server's session is idle in transaction")
    last = found.ledgers[found.ledgers["server"].notna()].iloc[-1]
    figures = last[["process", "metrics", "server", "in_transaction"]]
    assert figures.tolist() == [1, 1, 1, 1]
    assert found.undecided == ()
    kept[0].close()
    engine.dispose()


# What is lost of an async engine is dropped unclosed by SQLAlchemy; psycopg says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_stranded_and_phantom(postgres_url: str, tmp_path: Path) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    keeps: list[Any] = []

    async def main() -> tuple[pd.DataFrame, pd.DataFrame, int]:
        engine = create_async_engine(postgres_url)
        gauge = NaiveGauge(engine.sync_engine.pool)

        async def loses() -> None:
            link = await engine.connect()
            await link.execute(one)
            # As a traceback or a driver's own registry does.
            keeps.append((await link.get_raw_connection()).driver_connection)

        with PoolRecorder(engine, tmp_path / "rec"):
            async with engine.connect() as link:
                await link.execute(one)
            await loses()
            gc.collect()
            assert engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
            await asyncio.sleep(1.2)
            for _ in range(2):
                async with engine.connect() as link:
                    await link.execute(one)
                gauge.sample()
            activity = watch(postgres_url)
        pid = keeps[0].info.backend_pid
        await keeps[0].close()
        await engine.dispose()
        return gauge.frame(), activity, pid

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics, activity, pid = asyncio.run(main())
        keeps.clear()
        gc.collect()
    checkouts = read_checkouts(tmp_path / "rec")
    found = reconcile(checkouts, metrics, activity)
    rows = found.discrepancies
    assert rows["verdict"].tolist() == ["leaked", "stranded", "phantom"]
    assert rows["connection"].tolist()[:2] == [str(pid)] * 2
    assert rows["holder"].tolist()[1].endswith("main.<locals>.loses")
    assert rows["until"].isna().tolist() == [False, True, True]
    # The recorder's own gauge has no phantom.
    own = reconcile(checkouts, read_recorded_pool(tmp_path / "rec"), activity)
    assert own.counts == {"leaked": 1, "stranded": 1, "phantom": 0}
