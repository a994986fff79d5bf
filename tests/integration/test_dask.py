from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
import os
import random
import re
import socket
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import psutil
import pytest

import diagkit as dk
from diagkit.engine.spread import AHEAD, LEAST_THREADS, map_parts
from diagkit.engine.told import collect_told
from diagkit.sources import ranges
from diagkit.sources.logs import join_logs, read_log_file
from diagkit.sources.packers import Limits
from diagkit.sources.parts import Reading, read_parts
from diagkit.sources.paths import SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
zstandard = pytest.importorskip("zstandard")
# A cluster of other processes leaves sockets to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Port .* is already in use"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WORKERS = 3
SHAPES = [
    "2025-10-26 0{hour}:{minute:02}:14 [INFO    ] a.b: one {number}",
    "2025-10-26 0{hour}:{minute:02}:15,250 ERROR a.b: lost it {number}\n"
    "Traceback (most recent call last):\n"
    '  File "x.py", line {number}, in f\n'
    "    boom()\n"
    "ValueError: bad",
    "2025-10-26 01:{minute:02}:16 WARNING c: of\nseveral\n\nlines",
    '{{"timestamp": "2025-10-26T02:{minute:02}:16Z", "level": "info", "message": "j"}}',
    '{{"ts": 17614{number:05}.5, "level": "debug", "msg": "ünïcode"}}',
    'INFO:     127.0.0.1:5 - "GET /{number} HTTP/1.1" 200 OK',
    "2025-10-26 02:{minute:02}:11.123 UTC [77] ERROR:  duplicate key\n"
    "2025-10-26 02:{minute:02}:11.123 UTC [77] DETAIL:  Key (id)=({number}) exists.\n"
    "2025-10-26 02:{minute:02}:11.123 UTC [77] STATEMENT:  insert\n\tinto x",
    "WARNING:root:bare {number}\r",
    "",
]
YEARLESS = ["Dec 31 23:59:{minute:02} host a[1]: x", "Jan  1 00:{minute:02}:01 h b: y"]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def make_log(records: int, seed: int, shapes: list[str] = SHAPES) -> bytes:
    """Write a log of mixed shapes."""
    rng = random.Random(seed)
    lines = (
        rng.choice(shapes).format(
            hour=rng.choice("123"), minute=rng.randrange(60), number=rng.randrange(99)
        )
        for _ in range(records)
    )
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            dashboard_address=None,
            processes=True,
        ) as cluster,
        distributed.Client(cluster) as link,
    ):
        yield link


@pytest.fixture
def big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that is cut into forty ranges and more."""
    path = tmp_path / "big.log"
    path.write_bytes(make_log(3000, seed=1))
    monkeypatch.setattr(ranges, "RANGE_BYTES", 5000)
    assert len(ranges.cut_file(SourceFile(path, "big.log"))) > 40
    return path


def hear(read: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, list[str]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", dk.DiagkitWarning)
        logs = read()
    return logs, [str(warning.message) for warning in told]


def assert_same(paths: Path | str, engine: Any, **options: Any) -> pd.DataFrame:
    here, told = hear(partial(dk.read_logs, paths, progress=False, **options))
    there, told_there = hear(
        partial(dk.read_logs, paths, progress=False, engine=engine, **options)
    )
    pd.testing.assert_frame_equal(here, there)
    assert told_there == told
    return there


@pytest.mark.parametrize(
    "options",
    [
        {"tz": "UTC"},
        {"tz": "Europe/Berlin"},
        {"tz": None},
        {"tz": "UTC", "matching": "lost it"},
        {"tz": "Europe/Berlin", "matching": "lost it"},
        {"tz": "UTC", "matching": ["HTTP/1.1", "bare 7", "(id)=(8)"]},
        {"tz": "UTC", "matching": "nowhere in it"},
    ],
    ids=str,
)
def test_ranges_of_one_file_give_the_same_rows(client, big: Path, options) -> None:
    logs = assert_same(big, client, **options)
    assert len(logs) > (500 if "matching" not in options else -1)


def test_years_that_are_told_by_order(client, big: Path) -> None:
    turns = (make_log(300, seed, [YEARLESS[seed % 2], SHAPES[0]]) for seed in range(4))
    big.write_bytes(b"".join(turns))
    logs = assert_same(big, client, tz="UTC", year=2025)
    assert logs["timestamp"].dt.year.unique().tolist() == [2025, 2026]
    assert_same(big, client, tz="UTC", matching="y", year=2025)
    assert_same(big, client, tz="UTC")


def test_what_is_no_utf_8_is_read_as_a_whole(client, big: Path) -> None:
    data = big.read_bytes()
    big.write_bytes(data[:90_000] + b"\nin latin-1: \xe9\n" + data[90_000:])
    logs = assert_same(big, client, tz="UTC")
    assert logs["message"].str.contains(r"\xe9", regex=False).sum() == 1


def test_ranges_behind_a_url(client, big: Path) -> None:
    pytest.importorskip("fsspec")
    logs = assert_same(f"local://{big.as_posix()}", client, tz="UTC")
    assert len(logs) > 500


@pytest.mark.slow
def test_hundreds_of_files_some_of_them_packed(client, tmp_path: Path) -> None:
    for number, suffix in zip(range(240), itertools.cycle(PACKERS), strict=False):
        data = make_log(number % 20 + 1, seed=number)
        if number == 150:
            data += b"caf\xe9\n"
        data = PACKERS[suffix](data)
        if number == 151:
            data = data[:-20]
        (tmp_path / f"api.{number:03}.log{suffix}").write_bytes(data)
    logs = assert_same(tmp_path, client, tz="UTC")
    assert logs["source"].nunique() == 240
    assert len(assert_same(tmp_path, client, tz=None, matching="lost it")) > 100


def test_an_envelope_a_mark_and_packed_files_are_read_as_a_whole(
    client, big: Path
) -> None:
    text = big.read_bytes().decode()
    folder = big.parent
    wrapped = "".join(f"api-1  | {line}\n" for line in text.split("\n"))
    (folder / "wrapped.log").write_text(wrapped, encoding="utf-8", newline="\n")
    (folder / "marked.log").write_bytes(text.encode("utf-8-sig"))
    (folder / "wide.log").write_bytes(text[:9999].encode("utf-16"))
    (folder / "packed.log.gz").write_bytes(gzip.compress(text.encode()))
    logs = assert_same(folder, client, tz="UTC")
    assert logs.groupby("source").size().min() > 50


def test_a_worker_dies_on_the_way(client, big: Path) -> None:
    killed: list[str] = []

    def kill(_: int) -> None:
        """End a worker that has something to do, when the first part has come in."""
        if not killed:
            killed.extend(
                worker for worker, todo in client.processing().items() if todo
            )
            pids = client.run(os.getpid, workers=killed[:1])
            psutil.Process(pids[killed[0]]).kill()

    file = SourceFile(big, "big.log")
    reading = Reading(partial(read_log_file, tz="UTC"), "UTC", (), None)
    (logs,) = read_parts([file], reading, client, kill)
    pd.testing.assert_frame_equal(join_logs([logs]), dk.read_logs(big, tz="UTC"))
    assert killed[0] not in client.nthreads()
    client.wait_for_workers(WORKERS)


def test_a_part_that_no_worker_survives(client, monkeypatch) -> None:
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)
    said = r"^big\.log: 1 workers died of it, one after the other; most often they lack"
    with pytest.raises(dk.SourceError, match=said):
        list(map_parts(os._exit, [3], client, name=lambda _: "big.log"))
    client.wait_for_workers(WORKERS)


def test_errors_are_those_that_are_raised_here(client, tmp_path: Path) -> None:
    gone = SourceFile(tmp_path / "gone.log", "gone.log")
    bomb = SourceFile(tmp_path / "bomb.log.gz", "bomb.log.gz")
    bomb.path.write_bytes(gzip.compress(b"x\n" * 9999))
    fine = SourceFile(tmp_path / "fine.log", "fine.log")
    fine.path.write_bytes(make_log(9, seed=1))
    work = partial(read_log_file, tz="UTC", limits=Limits(max_bytes=1000))
    reading = Reading(work, "UTC", (), None)
    for bad in (gone, bomb):
        with pytest.raises(dk.SourceError) as here:
            work(bad)
        # The first in order, whichever is known first.
        order = [fine, bad, gone, fine]
        with pytest.raises(type(here.value), match=f"^{re.escape(str(here.value))}$"):
            read_parts(order, reading, client, id)


def test_threads_of_one_worker(tmp_path: Path) -> None:
    for number in range(40):
        data = make_log(20, seed=number) + b"caf\xe9" * (number % 3)
        (tmp_path / f"{number:02}.log").write_bytes(data)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=4, dashboard_address=None, processes=False
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as link,
    ):
        # What catches warnings by other means is none of a thread's own business.
        read = partial(dk.read_logs, tmp_path, progress=False)
        with collect_told() as told:
            here = read()
        with collect_told() as told_there:
            there = read(engine=link)
        pd.testing.assert_frame_equal(here, there)
        assert list(map(str, told_there)) == list(map(str, told))
        assert len(told) > 40
        gone = SourceFile(tmp_path / "gone.log", "gone.log")
        with pytest.raises(dk.SourceNotFoundError, match=r"gone\.log: no such file"):
            list(map_parts(partial(read_log_file, tz="UTC"), [gone], link))


def test_a_server_that_does_not_answer_is_asked_again(client, tmp_path: Path) -> None:
    counter = tmp_path / "asked"
    counter.touch()
    ask = (
        "from diagkit import SourceAccessError\n"
        f"with open({str(counter)!r}, 'a') as file: file.write('x')\n"
        "raise SourceAccessError('no')"
    )
    with pytest.raises(dk.SourceAccessError, match="no"):
        list(map_parts(exec, [ask], client))
    assert counter.read_text() == "xxx"


def test_only_so_many_parts_are_under_way(client) -> None:
    asked: list[int] = []

    def parts() -> Iterator[int]:
        for number in itertools.count():
            asked.append(number)
            yield number

    results = map_parts(abs, parts(), client)
    assert list(itertools.islice(results, 50)) == list(range(50))
    results.close()
    # Those that came out of turn are further ahead, but never all.
    assert len(asked) < 50 + 4 * AHEAD * LEAST_THREADS
    until = time.monotonic() + 30
    while any(client.processing().values()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(client.processing().values())


def test_a_bar_of_bytes_is_shown(client, big: Path, capsys) -> None:
    (big.parent / "b.log").write_bytes(make_log(9, seed=3))
    dk.read_logs(big.parent, tz="UTC", engine=client)
    assert "read_logs" in (shown := capsys.readouterr().err)
    assert "B/s" in shown


def test_a_cluster_object_and_an_address(client, big: Path) -> None:
    here = dk.read_logs(big, tz="UTC", progress=False)
    for engine in (client.cluster, client.scheduler.address):
        there = dk.read_logs(big, tz="UTC", progress=False, engine=engine)
        pd.testing.assert_frame_equal(here, there)
    assert client.status == "running"


@pytest.mark.parametrize("engine", [5, "foo", "tcp://nowhere"])
def test_an_engine_that_is_none(big: Path, engine: object) -> None:
    with pytest.raises(dk.SettingError, match=r"pass None, a distributed\.Client"):
        dk.read_logs(big, tz="UTC", engine=engine)


def test_a_client_that_cannot_be_used(client, big: Path) -> None:
    with distributed.Client(client.cluster, set_as_default=False) as closed:
        pass
    with pytest.raises(dk.SettingError, match="the client is closed"):
        dk.read_logs(big, tz="UTC", engine=closed)


def test_nobody_answers(big: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = "tcp://{}:{}".format(*taken.getsockname())
        with (
            dask.config.set({"distributed.comm.timeouts.connect": "100ms"}),
            pytest.raises(
                dk.SourceAccessError, match="no Dask scheduler answers there"
            ),
        ):
            dk.read_logs(big, tz="UTC", engine=address)


@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        (
            "import diagkit; diagkit.__version__ = '0.0.9 ' + diagkit.__version__",
            "import diagkit; diagkit.__version__ = diagkit.__version__[6:]",
            r"has diagkit 0\.0\.9 .*; install",
        ),
        (
            "import sys; sys.own = sys.modules['diagkit']; sys.modules['diagkit'] = 0",
            "import sys; sys.modules['diagkit'] = sys.own",
            "has no diagkit; install",
        ),
        (
            "import os; os.environ['DIAGKIT_FORMATS'] = {!r}",
            "import os; del os.environ['DIAGKIT_FORMATS']",
            "a worker knows other log formats than there are here",
        ),
    ],
    ids=["version", "missing", "formats"],
)
def test_workers_that_are_not_like_this_process(
    client, big: Path, change: str, back: str, said: str
) -> None:
    formats = big.parent / "formats.toml"
    formats.write_text(
        "[[format]]\nname = 'shop'\nlayout = '<{level:word}> {message}'\n"
        "examples = [{ line = '<Severe> lost', message = 'lost' }]\n"
    )
    client.run(exec, change.format(str(formats)))
    try:
        with pytest.raises(dk.SettingError, match=said):
            dk.read_logs(big, tz="UTC", engine=client)
    finally:
        client.run(exec, back)
    assert len(dk.read_logs(big, tz="UTC", engine=client)) > 500


WITHOUT_DIAGKIT = """
import sys
from distributed.cli.dask_scheduler import main
class Nothing:
    def find_spec(self, name, *rest):
        if name.split('.')[0] == 'diagkit':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nothing())
main()
"""


@contextmanager
def start_cluster(scheduler: list[str]) -> Iterator[tuple[str, Any]]:
    """Start a scheduler and a worker as they are started by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    worker = ["-m", "distributed.cli.dask_worker", address, "--no-nanny", *options]
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for arguments in ([*scheduler, "--port", port, *options], worker)
    ]
    try:
        yield address, processes[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_the_scheduler_goes_away(big: Path) -> None:
    reading = Reading(partial(read_log_file, tz="UTC"), "UTC", (), None)
    with (
        start_cluster(["-m", "distributed.cli.dask_scheduler"]) as (address, scheduler),
        pytest.raises(dk.SourceAccessError, match="the Dask scheduler was lost"),
    ):
        read_parts(
            [SourceFile(big, "big.log")],
            reading,
            address,
            lambda _: scheduler.kill(),
        )


@pytest.mark.slow
def test_a_scheduler_without_diagkit(big: Path) -> None:
    with (
        start_cluster(["-c", WITHOUT_DIAGKIT]) as (address, _),
        pytest.raises(dk.SettingError, match="the scheduler has no diagkit; install"),
    ):
        dk.read_logs(big, tz="UTC", engine=address)
