"""Leaks are put down to the right function and line, over generated programs.

A program is put together from sites that take a connection, each called through some
functions of its own. A site that leaks says so at the line that asks.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import random
import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from diagkit.sources.checkouts import read_checkouts
from diagkit.sources.recorder import PoolRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

HEAD = """
import asyncio, contextlib, functools, gc, threading
import sqlalchemy as sa
from sqlalchemy.orm import Session
try:
    from sqlalchemy.ext.asyncio import AsyncSession
except ImportError:
    pass
one = sa.text("select 1")
def collect():
    gc.collect()
def tell(work):
    @functools.wraps(work)
    def told(*args):
        return work(*args)
    return told
"""

# `LEAK name` ends the line that asks for a connection that is lost; the name is that of
# the function. `NN` is the number of the site.
SYNC = {
    "dropped": """
def site_NN(engine):
    engine.connect().execute(one)  # LEAK site_NN
""",
    "closure": """
def site_NN(engine):
    def inner():
        return engine.connect()  # LEAK site_NN.<locals>.inner
    inner().execute(one)
""",
    "lambda": """
def site_NN(engine):
    ask = lambda: engine.connect()  # LEAK site_NN.<locals>.<lambda>
    ask()
""",
    "raw": """
def site_NN(engine):
    link = engine.raw_connection()  # LEAK site_NN
    link.cursor().close()
""",
    "session": """
@tell
def site_NN(engine):
    session = Session(engine)
    session.execute(one)  # LEAK site_NN
""",
    "cycle": """
class Repository_NN:
    def __init__(self, engine):
        self.me = self
        self.link = engine.connect()  # LEAK Repository_NN.__init__
def site_NN(engine):
    Repository_NN(engine)
    collect()
""",
    "generator": """
def rows_NN(engine):
    link = engine.connect()  # LEAK rows_NN
    yield from link.execute(one)
def site_NN(engine):
    for row in rows_NN(engine):
        break
""",
    "raised": """
def site_NN(engine):
    try:
        link = (
            engine
            .connect()  # LEAK site_NN
        )
        raise KeyError(link)
    except KeyError:
        pass
    collect()
""",
    "comprehension": """
def site_NN(engine):
    links = [
        engine.connect() for _ in range(1)  # LEAK site_NN.<locals>.<listcomp>
    ]
    links.clear()
""",
    "thread": """
def site_NN(engine):
    def work():
        engine.connect().execute(one)  # LEAK site_NN.<locals>.work
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
""",
    "compiled": """
def site_NN(engine):
    exec("engine.connect()", globals(), {"engine": engine})  # LEAK site_NN
""",
    "returned": """
def site_NN(engine):
    with engine.connect() as link:
        link.execute(one)
""",
    "returned_late": """
def site_NN(engine):
    @contextlib.contextmanager
    def lent():
        with Session(engine) as session:
            yield session
    with lent() as session:
        session.execute(one)
""",
    "returned_by_generator": """
def rows_NN(engine):
    with engine.begin() as link:
        yield from link.execute(one)
def site_NN(engine):
    next(rows_NN(engine))
""",
}

ASYNC = {
    "dropped": """
async def site_NN(engine):
    link = await engine.connect()  # LEAK site_NN
    await link.execute(one)
""",
    "session": """
async def site_NN(engine):
    await AsyncSession(engine).execute(one)  # LEAK site_NN
""",
    "deeper": """
async def site_NN(engine):
    async def load(session):
        return (await session.scalars(one)).all()  # LEAK site_NN.<locals>.load
    await load(AsyncSession(engine))
""",
    "task": """
async def work_NN(engine):
    link = await engine.connect()  # LEAK work_NN
    await link.execute(one)
async def site_NN(engine):
    await asyncio.create_task(work_NN(engine))
""",
    "gathered": """
async def site_NN(engine):
    async def work(number):
        session = AsyncSession(engine)
        await session.execute(one)  # LEAK site_NN.<locals>.work
    await asyncio.gather(work(1))
""",
    "cancelled": """
async def work_NN(engine, ready):
    session = AsyncSession(engine)
    await session.execute(one)  # LEAK work_NN
    ready.set()
    await asyncio.sleep(60)
async def site_NN(engine):
    ready = asyncio.Event()
    task = asyncio.create_task(work_NN(engine, ready))
    await ready.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
""",
    "timed_out": """
async def work_NN(engine):
    link = await engine.connect()  # LEAK work_NN
    await asyncio.sleep(60)
async def site_NN(engine):
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(work_NN(engine), 0.1)
""",
    "subscription": """
async def events_NN(engine):
    session = AsyncSession(engine)
    for number in range(9):
        await session.execute(one)  # LEAK events_NN
        yield number
async def site_NN(engine):
    async for number in events_NN(engine):
        break
""",
    "subscription_of_a_task": """
async def events_NN(engine):
    link = await engine.connect()  # LEAK events_NN
    while True:
        yield (await link.execute(one)).scalar()
        await asyncio.sleep(60)
async def site_NN(engine):
    async def listen():
        async for number in events_NN(engine):
            pass
    task = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
""",
    "run_sync": """
def load_NN(session):
    return session.execute(one).all()  # LEAK load_NN
async def site_NN(engine):
    await AsyncSession(engine).run_sync(load_NN)
""",
    "returned": """
async def site_NN(engine):
    async with engine.connect() as link:
        await link.execute(one)
""",
    "returned_by_subscription": """
async def events_NN(engine):
    async with AsyncSession(engine) as session:
        while True:
            yield (await session.execute(one)).scalar()
async def site_NN(engine):
    async with contextlib.aclosing(events_NN(engine)) as events:
        async for number in events:
            break
""",
    "returned_when_cancelled": """
async def work_NN(engine, ready):
    async with AsyncSession(engine) as session:
        await session.execute(one)
        ready.set()
        await asyncio.sleep(60)
async def site_NN(engine):
    ready = asyncio.Event()
    task = asyncio.create_task(work_NN(engine, ready))
    await ready.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
""",
}


@pytest.fixture(autouse=True)
def _a_small_heap() -> Iterator[None]:
    # A program collects garbage often: not through all that the tests have loaded.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.collect()


def write_program(
    folder: Path, sites: dict[str, str], seed: int, awaits: bool
) -> tuple[ModuleType, list[Callable[[Any], Any]], Counter[str], int]:
    """Return a program: its calls, the leaks it makes and how many it returns."""
    drawn = random.Random(seed)
    text, calls = HEAD, []
    say, wait = ("async ", "await ") if awaits else ("", "")
    for number in range(12):
        text += sites[drawn.choice(sorted(sites))].replace("NN", str(number))
        last = f"site_{number}"
        for depth in range(drawn.randrange(4)):
            name = f"via_{number}_{depth}"
            text += f"{say}def {name}(engine):\n    return {wait}{last}(engine)\n"
            last = name
        calls += [last] * drawn.randrange(1, 3)
    drawn.shuffle(calls)
    folder.mkdir()
    path = folder / f"program_{seed}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    leaks: Counter[str] = Counter()
    returned = 0
    places = {
        int(re.search(r"\d+", name)[0]): f"{folder.name}/{path.name}:{line} {name}"
        for line, row in enumerate(text.splitlines(), 1)
        if (name := row.partition("# LEAK ")[2])
    }
    for call in calls:
        number = int(call.split("_")[1])
        if number in places:
            leaks[places[number]] += 1
        else:
            returned += 1
    return module, [getattr(module, call) for call in calls], leaks, returned


def judge(
    folder: Path, leaks: Counter[str], returned: int
) -> tuple[int, int, Counter[str]]:
    """Return how many leaks were put down rightly, of how many, and wrong places."""
    rows = read_checkouts(folder)
    lost = rows[rows["outcome"] == "garbage_collected"]
    # The function of a comprehension is gone in Python 3.12.
    found = Counter(lost["holder"].str.replace(".<locals>.<listcomp>", "").tolist())
    truth = Counter(
        {k.replace(".<locals>.<listcomp>", ""): n for k, n in leaks.items()}
    )
    assert int((rows["outcome"] == "returned").sum()) == returned
    assert not rows["holder"].str.contains("collect|asyncio|sqlalchemy").any()
    return (found & truth).total(), truth.total(), found - truth


def test_leaks_of_generated_programs_are_placed(tmp_path: Path) -> None:
    right = injected = 0
    for seed in range(160):
        module, calls, leaks, returned = write_program(
            tmp_path / f"app{seed}", SYNC, seed, awaits=False
        )
        engine = sa.create_engine(
            f"sqlite:///{tmp_path / 'x.db'}", poolclass=sa.QueuePool, pool_timeout=1
        )
        with PoolRecorder(engine, tmp_path / f"rec{seed}") as recorder:
            for call in calls:
                call(engine)
                module.collect()
            assert recorder.checked_out == engine.pool.checkedout() == 0
        engine.dispose()
        placed, made, wrong = judge(tmp_path / f"rec{seed}", leaks, returned)
        right, injected = right + placed, injected + made
        assert wrong == {}, wrong
    print(f"sync leaks placed: {right} of {injected}")  # noqa: T201 (pytest -rP)
    assert injected > 1600
    assert right / injected >= 0.95


@pytest.mark.slow
# SQLAlchemy drops what is lost of an async engine unclosed, and psycopg says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_leaks_of_generated_async_programs_are_placed(
    postgres_url: str, tmp_path: Path
) -> None:
    pytest.importorskip("greenlet")
    from sqlalchemy.ext.asyncio import create_async_engine

    async def run(seed: int) -> tuple[Counter[str], int]:
        module, calls, leaks, returned = write_program(
            tmp_path / f"app{seed}", ASYNC, seed, awaits=True
        )
        engine = create_async_engine(postgres_url, pool_timeout=5)
        with PoolRecorder(engine, tmp_path / f"rec{seed}") as recorder:
            for call in calls:
                await call(engine)
                # The loop closes generators that were dropped, in tasks of its own.
                for _ in range(100):
                    module.collect()
                    await asyncio.sleep(0)
                    if not recorder.checked_out:
                        break
            assert recorder.checked_out == engine.pool.checkedout() == 0
        await engine.dispose()
        return leaks, returned

    right = injected = 0
    for seed in range(60):
        with warnings.catch_warnings():
            # SQLAlchemy says where the garbage collector found what was lost.
            warnings.simplefilter("ignore")
            leaks, returned = asyncio.run(run(seed))
        gc.collect()
        placed, made, wrong = judge(tmp_path / f"rec{seed}", leaks, returned)
        right, injected = right + placed, injected + made
        assert wrong == {}, wrong
    print(f"async leaks placed: {right} of {injected}")  # noqa: T201
    assert injected > 500
    assert right / injected >= 0.95
