"""What the sessions of a real PostgreSQL do, looked at again and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import sqlalchemy as sa

from diagkit.cli import main
from diagkit.errors import DiagkitWarning, SettingError, SourceError
from diagkit.frames.pool import ACTIVITY
from diagkit.sources.activity import read_activity, record_activity, sample_activity
from diagkit.sources.samplefiles import SampleFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "select 'hunter2', 4711"


class Time:
    """A clock that only sleeping moves; something may happen at a turn."""

    def __init__(self, at: dict[int, Callable[[], object]] | None = None) -> None:
        self.now, self.turns, self.at = 100.0, 0, at or {}

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.turns += 1
        self.at.get(self.turns, lambda: None)()

    @property
    def hands(self) -> dict[str, Callable[..., object]]:
        return {"clock": self.clock, "sleep": self.sleep}


@pytest.fixture
def admin(postgres_url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as link:
        yield link
    engine.dispose()


@contextmanager
def session(url: str, name: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, connect_args={"application_name": name})
    try:
        with engine.connect() as link:
            yield link
    finally:
        engine.dispose()


def pid_of(link: sa.Connection) -> int:
    return int(link.scalar(sa.text("select pg_backend_pid()")))


def test_who_waits_for_whom(postgres_url: str, admin: sa.Connection) -> None:
    admin.execute(sa.text("create table locked (n int)"))
    change = sa.text("lock table locked")
    with (
        session(postgres_url, "keeper") as keeper,
        session(postgres_url, "waiter") as waiter,
        session(postgres_url, "idle") as idle,
    ):
        keeper.execute(change)
        pids = {
            "keeper": pid_of(keeper),
            "waiter": pid_of(waiter),
            "idle": pid_of(idle),
        }
        idle.rollback()
        waiting = threading.Thread(target=waiter.execute, args=(change,))
        waiting.start()
        asked = sa.text("select wait_event_type from pg_stat_activity where pid = :pid")
        while admin.scalar(asked, {"pid": pids["waiter"]}) != "Lock":
            pass
        found = ACTIVITY.check(sample_activity(postgres_url, for_s=0))
        keeper.rollback()
        waiting.join()
        waiter.rollback()
    admin.execute(sa.text("drop table locked"))
    rows = found.set_index("application_name")
    assert {name: int(rows.loc[name, "pid"]) for name in pids} == pids
    assert rows.loc["keeper", "state"] == "idle in transaction"
    assert rows.loc["waiter", "state"] == "active"
    assert rows.loc["idle", "state"] == "idle"
    assert rows.loc["waiter", "wait_event_type"] == "Lock"
    assert rows.loc["waiter", "blocked_by"] == str(pids["keeper"])
    assert pd.isna(rows.loc["keeper", "blocked_by"])
    assert rows.loc["keeper", "xact_start"] < rows.loc["waiter", "query_start"]
    assert pd.isna(rows.loc["idle", "xact_start"])
    assert rows.loc["keeper", "datname"] == "postgres"
    assert rows.loc["keeper", "backend_type"] == "client backend"
    assert found["timestamp"].drop_duplicates().size == 1
    # The one who looks is not among those that are seen.
    assert not found["query"].str.contains("pg_blocking_pids", na=False).any()


def test_nothing_is_held_between_two_looks(
    postgres_url: str, admin: sa.Connection
) -> None:
    own = sa.text(
        "select state, xact_start from pg_stat_activity where pid <> "
        "pg_backend_pid() and application_name like 'diagkit%'"
    )
    seen = []
    time = Time(dict.fromkeys((1, 2, 3), lambda: seen.extend(admin.execute(own).all())))
    found = sample_activity(postgres_url, every_s=5, for_s=15, **time.hands)
    assert found["timestamp"].nunique() == 4
    assert seen == [("idle", None)] * 3
    assert admin.execute(own).all() == []


def test_the_rate_is_steady_and_what_is_late_or_missed_is_told(
    postgres_url: str,
) -> None:
    time = Time()
    due = []

    def sleep(seconds: float) -> None:
        due.append(time.now + seconds)
        # The third sleep lasts for much too long.
        time.sleep(seconds + (3.7 if len(due) == 3 else 0))

    with pytest.warns(DiagkitWarning) as told:
        found = sample_activity(
            postgres_url, every_s=1, for_s=8, clock=time.clock, sleep=sleep
        )
    # At 106.7 those of 103 and 106 are taken; 104 and 105 are gone.
    assert due == [101, 102, 103, 107, 108]
    assert found["timestamp"].nunique() == 7
    (said,) = [str(one.message) for one in told]
    assert said.startswith("2 samples were missed, 2 came late, by 3.70 s at most: ")


def test_a_server_that_goes_away_and_comes_back(
    postgres_url: str, admin: sa.Connection
) -> None:
    admin.execute(sa.text("create database comes_and_goes"))
    url = sa.make_url(postgres_url).set(database="comes_and_goes")
    where = url.render_as_string(hide_password=False)

    def allow(yes: bool) -> None:
        admin.execute(sa.text(f"alter database comes_and_goes allow_connections {yes}"))

    def away() -> None:
        allow(yes=False)
        admin.execute(
            sa.text(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = 'comes_and_goes'"
            )
        )

    time = Time({2: away, 5: lambda: allow(yes=True)})
    try:
        with pytest.warns(DiagkitWarning) as told:
            found = sample_activity(where, every_s=1, for_s=7, **time.hands)
        # Turns 0 and 1; not 2, 3 and 4; 5, 6 and 7.
        assert found["timestamp"].nunique() == 5
        said = [str(one.message) for one in told]
        assert len(said) == 2
        assert said[0].endswith("it is tried again at each due time")
        assert "comes_and_goes answers again; the samples have a gap of" in said[1]

        # From the beginning: nobody waits for what was never there.
        allow(yes=False)
        with pytest.raises(SourceError, match="comes_and_goes"):
            sample_activity(where, every_s=1, for_s=7, **Time().hands)
    finally:
        admin.execute(sa.text("drop database comes_and_goes"))


def test_a_user_who_may_not_see_others_is_told(
    postgres_url: str, admin: sa.Connection
) -> None:
    admin.execute(sa.text("create role blind login password 'hunter2'"))
    url = sa.make_url(postgres_url).set(username="blind", password="hunter2")
    try:
        with pytest.warns(DiagkitWarning, match="GRANT pg_monitor") as told:
            found = sample_activity(url.render_as_string(hide_password=False), for_s=0)
    finally:
        admin.execute(sa.text("drop role blind"))
    assert len(found)
    assert not any("hunter2" in str(one.message) for one in told)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_holds_what_was_seen_and_grows(
    postgres_url: str, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"activity{suffix}"
    with session(postgres_url, "worker") as worker:
        worker.execute(sa.text(SECRET))
        pid = pid_of(worker)
        worker.execute(sa.text(SECRET))
        seen = [
            sample_activity(postgres_url, 1, 2, path, **Time().hands) for _ in range(2)
        ]
    seen = pd.concat(seen, ignore_index=True)
    kept = ACTIVITY.check(read_activity(path))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert len(seen) == len(kept)
    # In memory the statements are as they were run; a file is what leaves.
    assert seen.loc[seen["pid"] == pid, "query"].tolist() == [SECRET] * 6
    assert kept.loc[kept["pid"] == pid, "query"].tolist() == ["select ?"] * 6
    assert b"hunter2" not in path.read_bytes()
    same = ["timestamp", "pid", "state", "backend_start", "xact_start", "datname"]
    order = ["timestamp", "pid"]
    pd.testing.assert_frame_equal(
        seen.sort_values(order, ignore_index=True)[same], kept[same]
    )


def record(url: str, path: Path) -> subprocess.Popen[str]:
    """Start a recording, and return once the file has a sample."""
    code = (
        "import sys; from diagkit.cli import main;"
        "sys.exit(main(['pool', 'record', sys.argv[1], '--every', '20ms',"
        " '--out', sys.argv[2]]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, url, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    written = [path, path.with_name(path.name + ".unfinished.csv")]
    while child.poll() is None:
        if any(file.exists() and file.stat().st_size > 5000 for file in written):
            return child
    pytest.fail(child.communicate()[1])


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_interrupt_ends_a_recording(
    postgres_url: str, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"activity{suffix}"
    child = record(postgres_url, path)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0
    assert err.splitlines()[0] == f"recording into {path.name} until Ctrl-C"
    assert "Traceback" not in err
    kept = read_activity(path)
    samples = kept["timestamp"].nunique()
    assert f"{path.name}: {samples} samples, {len(kept)} rows; " in out
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_is_written_when_an_interrupt_comes_is_counted(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "activity.csv"
    append = SampleFile.append

    def interrupted(self: SampleFile, frame: pd.DataFrame) -> int:
        done = append(self, frame)
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(SampleFile, "append", interrupted)
    done = record_activity(postgres_url, path, 1, **Time().hands)
    assert (done.samples, done.rows) == (1, len(read_activity(path)))


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_kill_keeps_what_was_recorded(
    postgres_url: str, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"activity{suffix}"
    child = record(postgres_url, path)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagkitWarning)
        kept = ACTIVITY.check(read_activity(path))
    rows = kept.groupby("timestamp").size()
    assert len(rows) >= 2
    # No sample is torn: each has the server's own processes.
    own = kept["backend_type"].isin(["checkpointer", "walwriter"])
    assert kept[own].groupby("timestamp").size().tolist() == [2] * len(rows)

    # The next recording goes on in the same file.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagkitWarning)
        done = record_activity(postgres_url, path, 1, 1, **Time().hands)
    assert done.samples == 2
    assert read_activity(path)["timestamp"].nunique() == len(rows) + 2
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_command_speaks_json(postgres_url: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.csv"
    told = ["--every", "10ms", "--for", "0.05s", "--out", str(path), "--json"]
    assert main(["pool", "record", postgres_url, *told]) == 0
    body = json.loads(capsys.readouterr().out)
    kept = read_activity(path)
    assert body["samples"] == kept["timestamp"].nunique() >= 1
    assert body["rows"] == len(kept)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--every", "soon"], "--every is a length of time such as 1s"),
        (["--every", "0s"], "every_s is more than 0 seconds"),
        (["--for", "-1s"], "for_s is at least 0 seconds"),
        (["--out", "a.txt"], "a.txt: its name ends with .csv or .parquet"),
    ],
)
def test_a_slip_is_one_line(
    postgres_url: str, options: list[str], said: str, capsys
) -> None:
    assert main(["pool", "record", postgres_url, *options]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 or err[0].startswith("recording into")
    assert said in err[-1]


def test_another_database_has_no_such_view() -> None:
    with pytest.raises(SettingError, match="pg_stat_activity is PostgreSQL's"):
        sample_activity("mysql+pymysql://root@localhost/app")
