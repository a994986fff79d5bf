"""The recorder's gauge and an async pool's own figures: tasks that hold, wait, end."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from diagkit.sources.checkouts import read_checkouts, read_pool_events
from diagkit.sources.recorder import PoolRecorder

one = sa.text("select 1")
SIZE, OVERFLOW = 2, 1


class TaskMachine(RuleBasedStateMachine):
    """Tasks that take connections from a pool, and are cancelled at any place."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        from sqlalchemy.ext.asyncio import create_async_engine

        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.engine = create_async_engine(
            self.url, pool_size=SIZE, max_overflow=OVERFLOW, pool_timeout=0.02
        )
        self.recorder = PoolRecorder(self.engine, self.folder / "rec")
        self.recorder.attach()
        self.tasks: list[tuple[asyncio.Task[None], asyncio.Event]] = []
        self.held: list[Any] = []
        self.outcomes: dict[str, int] = {}
        self.timeouts = 0
        self.exact = True

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    @property
    def pool(self) -> Any:
        return self.engine.sync_engine.pool

    async def _take(self) -> Any:
        try:
            return await self.engine.connect()
        except PoolTimeout:
            self.timeouts += 1
            return None

    @rule(execute=st.booleans())
    def take(self, execute: bool) -> None:
        async def work() -> None:
            link = await self._take()
            if link is not None:
                self.held.append(link)
                if execute:
                    await link.execute(one)

        self.run(work())

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 9))
    def give_back(self, number: int) -> None:
        self.run(self.held.pop(number % len(self.held)).close())
        self.count("returned")

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 9))
    def invalidate(self, number: int) -> None:
        async def work() -> None:
            link = self.held.pop(number % len(self.held))
            await link.invalidate()
            await link.close()

        self.run(work())
        self.count("invalidated")

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 9), inside=st.booleans())
    def forget(self, number: int, inside: bool) -> None:
        async def collect() -> None:
            del self.held[number % len(self.held)]
            gc.collect()

        if inside:
            self.run(collect())
        else:
            del self.held[number % len(self.held)]
            gc.collect()
        self.count("garbage_collected")

    @rule(managed=st.booleans())
    def cancel_one_that_holds(self, managed: bool) -> None:
        async def work(ready: asyncio.Event) -> None:
            if managed:
                async with self.engine.connect() as link:
                    await link.execute(one)
                    ready.set()
                    await asyncio.sleep(60)
            link = await self.engine.connect()
            await link.execute(one)
            ready.set()
            await asyncio.sleep(60)

        async def main() -> bool:
            ready = asyncio.Event()
            task = asyncio.create_task(work(ready))
            waits = asyncio.create_task(ready.wait())
            await asyncio.wait([task, waits], return_when=asyncio.FIRST_COMPLETED)
            task.cancel()
            waits.cancel()
            try:
                await task
            except PoolTimeout:
                self.timeouts += 1
                return False
            except asyncio.CancelledError:
                return True
            return False

        held = self.run(main())
        gc.collect()
        if held:
            self.count("returned" if managed else "garbage_collected")

    @precondition(lambda self: len(self.held) == SIZE + OVERFLOW)
    @rule()
    def cancel_one_that_waits(self) -> None:
        async def main() -> None:
            task = asyncio.create_task(self._take())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self.run(main())
        gc.collect()

    @rule(steps=st.integers(0, 12))
    def cancel_at_any_step(self, steps: int) -> None:
        """Where it is then, at connecting, executing or returning, is not known."""

        async def work() -> None:
            async with self.engine.connect() as link:
                await link.execute(one)

        async def main() -> None:
            task = asyncio.create_task(work())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError, PoolTimeout):
                await task

        self.run(main())
        gc.collect()
        self.exact = False

    @rule()
    def dispose(self) -> None:
        self.run(self.engine.dispose())

    @invariant()
    def the_gauge_is_the_pools(self) -> None:
        assert self.recorder.checked_out == self.pool.checkedout()
        assert self.recorder.lost == 0

    def teardown(self) -> None:
        held = len(self.held)
        self.recorder.detach()
        rows = read_checkouts(self.folder / "rec")["outcome"]
        assert int((rows == "held").sum()) == held
        if self.exact:
            found = rows.astype(str).value_counts().to_dict()
            found.pop("held", None)
            assert found == self.outcomes
            events = read_pool_events(self.folder / "rec")["event"]
            assert int((events == "timeout").sum()) == self.timeouts

        async def end() -> None:
            for link in self.held:
                await link.close()
            await self.engine.dispose()

        self.run(end())
        self.runner.close()
        shutil.rmtree(self.folder)
        gc.collect()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_the_gauge_equals_an_async_pool(postgres_url: str, driver: str) -> None:
    pytest.importorskip("greenlet")
    pytest.importorskip(driver)
    url = postgres_url.replace("psycopg", driver)
    machine = type("OnPostgreSQL", (TaskMachine,), {"url": url})
    with warnings.catch_warnings():
        # SQLAlchemy says where the garbage collector found what was lost.
        warnings.simplefilter("ignore")
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=10,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    gc.collect()
