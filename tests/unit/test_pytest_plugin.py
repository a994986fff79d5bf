"""``--fail-on-leaked-connections``, in runs of pytest of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

SETUP = """
import gc
import pytest
import sqlalchemy as sa

one = sa.text("select 1")
KEPT = []

@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    path = tmp_path_factory.mktemp("x") / "x.db"
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.QueuePool)
    yield engine
    engine.dispose()

@pytest.fixture(scope="session")
def shared(engine):
    with engine.connect() as link:
        yield link

@pytest.fixture
def link(engine):
    with engine.connect() as link:
        yield link
"""
Run = "Callable[..., pytest.RunResult]"


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    def run(tests: str, *options: str) -> pytest.RunResult:
        # Not in this process: that would import SQLAlchemy twice.
        pytester.makepyfile(test_app=SETUP + tests)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)

    return run


def line_of(tests: str, sign: str = "# HERE") -> int:
    lines = (SETUP + tests).strip().splitlines()
    return next(number for number, line in enumerate(lines, 1) if sign in line)


LOST = """
def test_lost(engine):
    def load():
        return engine.connect().execute(one).all()  # HERE
    assert load() == [(1,)]

def test_fine(engine):
    with engine.connect() as link:
        link.execute(one)
"""


def test_a_lost_connection_fails_its_test(run: Run) -> None:
    done = run(LOST, "--fail-on-leaked-connections")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        [
            f"leaked connection: taken at test_app.py:{line_of(LOST)} "
            "test_lost.<locals>.load, left to the garbage collector",
            "FAILED test_app.py::test_lost*",
        ]
    )


def test_nothing_fails_unasked(run: Run) -> None:
    run(LOST).assert_outcomes(passed=2)


def test_the_ini_file_asks_too(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfail_on_leaked_connections = true\n")
    run(LOST).assert_outcomes(passed=1, failed=1)


HELD = """
class Repository:
    def __init__(self, engine):
        self.me = self
        self.link = engine.connect()  # CYCLE

def test_cycle(engine):
    Repository(engine)

def test_held(engine):
    KEPT.append(engine.connect())  # HERE

def test_after(engine):
    KEPT.clear()
    gc.collect()
"""


def test_what_is_held_and_what_cycles_hold(run: Run) -> None:
    done = run(HELD, "--fail-on-leaked-connections", "-v")
    done.assert_outcomes(passed=2, failed=1, errors=1)
    said = done.stdout.str()
    assert f"test_app.py:{line_of(HELD)} test_held, still out after" in said
    assert f":{line_of(HELD, '# CYCLE')} Repository.__init__, left to the" in said


FIXTURES = """
def test_one(shared, link):
    shared.execute(one)
    link.execute(one)

def test_two(shared, link):
    link.execute(one)

def test_that_fails_for_itself(engine):
    link = engine.connect()
    assert link is None

@pytest.mark.parametrize("number", [1, 2])
def test_named(engine, number):
    with engine.connect() as link:
        assert link.scalar(sa.text(f"select {number}")) == number
"""


def test_fixtures_give_back_in_their_time(run: Run) -> None:
    done = run(FIXTURES, "--fail-on-leaked-connections")
    said = done.stdout.str()
    assert "test_that_fails_for_itself" in said
    assert "test_one, " not in said
    assert "leaked connection" not in said
    done.assert_outcomes(passed=4, failed=1)


LATE = """
@pytest.fixture(scope="session")
def lost(engine):
    engine.connect()  # HERE
    gc.collect()

def test_one(lost):
    pass
"""


def test_what_comes_to_light_late_is_told(run: Run) -> None:
    done = run(LATE, "--fail-on-leaked-connections")
    done.stdout.fnmatch_lines(
        [
            "*leaked connections*",
            f"leaked connection: taken at test_app.py:{line_of(LATE)} lost, left to "
            "the garbage collector (found during test_app.py::test_one)",
        ]
    )
    assert done.ret == pytest.ExitCode.TESTS_FAILED


ASYNC = """
import asyncio, warnings
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

@pytest.mark.filterwarnings("ignore")
def test_lost():
    async def load():
        engine = create_async_engine("sqlite+aiosqlite://")
        await AsyncSession(engine).execute(one)  # HERE
        gc.collect()
        await engine.dispose()
    asyncio.run(load())
"""


def test_an_async_one_too(run: Run) -> None:
    pytest.importorskip("aiosqlite")
    done = run(ASYNC, "--fail-on-leaked-connections")
    done.assert_outcomes(failed=1)
    assert f"test_app.py:{line_of(ASYNC)} test_lost.<locals>.load" in done.stdout.str()


def test_sqlalchemy_is_not_imported_unasked(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_plain="import sys\ndef test_it(): assert 'sqlalchemy' not in sys.modules\n"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    pytester.runpytest_subprocess("--fail-on-leaked-connections").assert_outcomes(
        failed=1
    )
