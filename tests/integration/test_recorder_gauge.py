"""The recorder's gauge and the pool's own figures, after any sequence of events."""

from __future__ import annotations

import gc
import shutil
import tempfile
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
from sqlalchemy.exc import DisconnectionError, TimeoutError as PoolTimeout

from diagkit.sources.checkouts import (
    read_checkouts,
    read_pool_events,
    read_recorded_pool,
)
from diagkit.sources.recorder import PoolRecorder

SIZE, OVERFLOW = 2, 2


class PoolMachine(RuleBasedStateMachine):
    """A pool that is used, misused, broken and replaced."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.fail = ""
        self.engine = sa.create_engine(
            self.url or f"sqlite:///{self.folder / 'x.db'}",
            poolclass=sa.QueuePool,
            pool_size=SIZE,
            max_overflow=OVERFLOW,
            pool_timeout=0.01,
        )
        self.early = [self.engine.connect()]
        self.recorder = PoolRecorder(
            self.engine, self.folder / "rec", max_bytes=2000, max_files=10_000
        )
        self.recorder.attach()
        # A listener of the application's that comes after the recorder's own.
        self.first = self.engine.pool
        sa.event.listen(self.first, "checkout", self._refuse)
        self.held: list[Any] = []
        self.outcomes: dict[str, int] = {}
        self.timeouts = 0

    def _refuse(self, connection: object, record: object, proxy: object) -> None:
        fail, self.fail = self.fail, ""
        if fail == "disconnected":
            raise DisconnectionError
        if fail == "error":
            raise ValueError(fail)

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def _pick(self, number: int) -> Any:
        return self.held.pop(number % len(self.held))

    @rule(raw=st.booleans())
    def take(self, raw: bool) -> None:
        try:
            one = self.engine.raw_connection() if raw else self.engine.connect()
        except PoolTimeout:
            self.timeouts += 1
        else:
            self.held.append(one)

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99))
    def give_back(self, number: int) -> None:
        self._pick(number).close()
        self._count("returned")

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99), cycle=st.booleans())
    def forget(self, number: int, cycle: bool) -> None:
        box: dict[str, Any] = {"one": self._pick(number)}
        if cycle:
            box["self"] = box
        del box
        gc.collect()
        self._count("garbage_collected")

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99))
    def break_one(self, number: int) -> None:
        one = self._pick(number)
        one.invalidate()
        one.close()
        self._count("invalidated")

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99))
    def soft_break(self, number: int) -> None:
        one = self._pick(number)
        proxy = one.connection if isinstance(one, sa.Connection) else one
        proxy.invalidate(soft=True)
        del proxy
        one.close()
        self._count("returned")

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 99))
    def detach(self, number: int) -> None:
        one = self._pick(number)
        one.detach()
        one.close()
        self._count("detached")

    @precondition(lambda self: self.early)
    @rule(how=st.sampled_from(["close", "forget", "invalidate", "detach"]))
    def end_of_what_was_out_before(self, how: str) -> None:
        one = self.early.pop()
        if how != "forget":
            getattr(one, how)()
            one.close()
        del one
        gc.collect()

    @rule(fail=st.sampled_from(["disconnected", "error"]))
    def refused(self, fail: str) -> None:
        self.fail = fail
        before = self.engine.pool.checkedout()
        try:
            one = self.engine.connect()
        except PoolTimeout:
            self.timeouts += 1
            self.fail = ""
        except ValueError:
            self._count("invalidated")
            assert self.engine.pool.checkedout() == before
        else:
            self.held.append(one)

    @rule()
    def dispose(self) -> None:
        self.engine.dispose()

    @invariant()
    def the_gauge_is_the_pools(self) -> None:
        pool = self.engine.pool
        assert self.recorder.checked_out == pool.checkedout()
        assert self.recorder.lost == 0

    def teardown(self) -> None:
        last = self.engine.pool
        out, idle = last.checkedout(), last.checkedin()
        over = max(0, last.overflow())
        held = len(self.held)
        assert self.engine.pool.dispatch.reset
        self.recorder.detach()
        sa.event.remove(self.first, "checkout", self._refuse)
        assert not last.dispatch.checkout
        assert not last.dispatch.reset
        assert "connect" not in vars(last)
        pool = read_recorded_pool(self.folder / "rec").iloc[-1]
        figures = pool[["checked_out", "checked_in", "overflow", "waiting", "size"]]
        assert figures.tolist() == [out, idle, over, 0, SIZE]
        rows = read_checkouts(self.folder / "rec")
        found = rows["outcome"].astype(str).value_counts().to_dict()
        expected = self.outcomes | ({"held": held} if held else {})
        assert found == expected
        events = read_pool_events(self.folder / "rec")["event"]
        assert int((events == "timeout").sum()) == self.timeouts
        for one in self.held + self.early:
            one.close()
        self.engine.dispose()
        shutil.rmtree(self.folder)


SETTINGS = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
def test_the_gauge_equals_the_pool_on_sqlite() -> None:
    run_state_machine_as_test(PoolMachine, settings=SETTINGS)


@pytest.mark.slow
# What comes back to a pool that was replaced is closed by nobody: psycopg says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_gauge_equals_the_pool_on_postgresql(postgres_url: str) -> None:
    machine = type("OnPostgreSQL", (PoolMachine,), {"url": postgres_url})
    run_state_machine_as_test(
        machine, settings=settings(SETTINGS, max_examples=15, stateful_step_count=30)
    )
    gc.collect()
