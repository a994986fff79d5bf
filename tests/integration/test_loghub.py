"""Real logs of twelve systems, against what others made of them."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from diagkit.errors import DiagkitWarning
from diagkit.redaction.text import redact_text
from diagkit.sources.files import iterate_lines
from diagkit.sources.formats import load_registry
from diagkit.sources.records import Record, iterate_records
from diagkit.sources.times import parse_times

if TYPE_CHECKING:
    from pathlib import Path

YEAR = 2005  # of the logs that name none; any will do
# system: its format, the column of its logger, those of its time, how that is written.
# Systems whose logger the table has in another way (Zookeeper, OpenSSH) have no column.
SYSTEMS: dict[str, tuple[str, str, str, str]] = {
    "Android": ("android", "Component", "Date Time", "%m-%d %H:%M:%S.%f"),
    "Apache": ("apache.error", "", "Time", "%a %b %d %H:%M:%S %Y"),
    "BGL": ("bluegene", "Component", "Time", "%Y-%m-%d-%H.%M.%S.%f"),
    "HDFS": ("java.hdfs", "Component", "Date Time", "%y%m%d %H%M%S"),
    "HPC": ("hpc", "Component", "Time", "epoch"),
    "HealthApp": ("healthapp", "Component", "Time", "millis"),
    "Linux": ("syslog.rfc3164", "Component", "Month Date Time", "%b %d %H:%M:%S"),
    "Mac": ("syslog.rfc3164", "Component", "Month Date Time", "%b %d %H:%M:%S"),
    "OpenSSH": ("syslog.rfc3164", "", "Date Day Time", "%b %d %H:%M:%S"),
    "Spark": ("java.spark", "Component", "Date Time", "%y/%m/%d %H:%M:%S"),
    "Windows": ("windows.cbs", "Component", "Date Time", "%Y-%m-%d %H:%M:%S"),
    "Zookeeper": ("java.zookeeper", "", "Date Time", "%Y-%m-%d %H:%M:%S,%f"),
}
WITH_LEVELS = ("Android", "Apache", "BGL", "HDFS", "Spark", "Windows", "Zookeeper")
YEARLESS = ("Android", "Linux", "Mac", "OpenSSH")


@pytest.fixture(scope="session")
def loghub(case_study: Path) -> Path:
    folder = case_study.parent / "loghub"
    if not folder.is_dir():
        pytest.skip("loghub's samples are not beside this checkout")
    return folder


def read(loghub: Path, system: str) -> list[Record]:
    return list(iterate_records(iterate_lines(loghub / f"{system}_2k.log")))


def table_of(loghub: Path, system: str) -> pd.DataFrame:
    path = loghub / f"{system}_2k.log_structured.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_line_is_lost(loghub: Path, system: str) -> None:
    data = (loghub / f"{system}_2k.log").read_bytes()
    physical = data.count(b"\n") + (not data.endswith(b"\n"))
    records = read(loghub, system)
    assert sum(record.lines for record in records) == physical


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_line_is_a_record_of_the_system(loghub: Path, system: str) -> None:
    how, logger, _, _ = SYSTEMS[system]
    records, table = read(loghub, system), table_of(loghub, system)
    assert {record.format for record in records} == {how}
    got = [record.message.strip() for record in records]
    assert got == table["Content"].str.strip().tolist()
    if logger:
        # Linux's login writes "-- root[5]: ...", dashes that name nobody.
        expected = table[logger].str.removeprefix("-- ").tolist()
        assert [record.logger for record in records] == expected


@pytest.mark.parametrize("system", SYSTEMS)
def test_times_equal_the_table(loghub: Path, system: str) -> None:
    _, _, columns, style = SYSTEMS[system]
    records, table = read(loghub, system), table_of(loghub, system)
    text = table[columns.split()].agg(" ".join, axis=1)
    got = parse_times([record.timestamp for record in records], "UTC", system, YEAR)
    if style == "epoch":
        expected = pd.to_datetime(text.astype("int64"), unit="s", utc=True)
    elif style == "millis":
        # Milliseconds are not padded there: ":7" are seven.
        day, millis = text.str.rsplit(":", n=1, expand=True).T.to_numpy()
        expected = pd.to_datetime(pd.Series(day), format="%Y%m%d-%H:%M:%S", utc=True)
        expected += pd.to_timedelta(pd.Series(millis).astype("int64"), unit="ms")
    elif system in YEARLESS:
        text, style = f"{YEAR} " + text, f"%Y {style}"
        expected = pd.to_datetime(text, format=style, utc=True)
    else:
        expected = pd.to_datetime(text, format=style, utc=True)
    assert (got == expected.dt.as_unit("us")).all()


@pytest.mark.parametrize("system", YEARLESS)
def test_no_year_is_invented(loghub: Path, system: str) -> None:
    times = [record.timestamp for record in read(loghub, system)]
    with pytest.warns(DiagkitWarning, match="name no year"):
        assert parse_times(times, "UTC", system).isna().all()


@pytest.mark.parametrize("system", SYSTEMS)
def test_levels_equal_the_table(loghub: Path, system: str) -> None:
    got = [record.level for record in read(loghub, system)]
    if system in WITH_LEVELS:
        level_name = load_registry().level_name
        assert got == [level_name(v) for v in table_of(loghub, system)["Level"]]
    else:
        assert set(got) == {None}


def test_a_file_of_all_systems_comes_apart(loghub: Path) -> None:
    lines = {
        system: list(iterate_lines(loghub / f"{system}_2k.log"))[:200]
        for system in SYSTEMS
    }
    mixed = [line for rows in zip(*lines.values(), strict=True) for line in rows]
    records = list(iterate_records(mixed))
    assert len(records) == len(mixed)
    expected = [how for how, *_ in SYSTEMS.values()] * 200
    assert [record.format for record in records] == expected


def test_all_systems_are_read_without_a_fault(loghub: Path) -> None:
    import diagkit as dk

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagkitWarning)
        for system in SYSTEMS:
            logs = dk.read_logs(loghub / f"{system}_2k.log", tz="UTC", progress=False)
            assert len(logs) == 2000


# Of systems of others, per file: which kinds are replaced that are none, in how many of
# 2,000 lines: identities of objects and sessions that are called token and sessionid,
# and a lock that is called user.
FALSELY: dict[str, dict[str, int]] = {
    "Android": {"secret": 6, "driver": 3},
    "BGL": {},
    "HDFS": {},
    "HealthApp": {},
    "Spark": {},
    "Windows": {},
    "Zookeeper": {"secret": 48},
}


@pytest.mark.parametrize("system", FALSELY)
def test_ordinary_logs_stay_as_they_are(loghub: Path, system: str) -> None:
    found: Counter[str] = Counter()
    text = (loghub / f"{system}_2k.log").read_text(errors="replace")
    for line in text.splitlines():
        kinds = re.findall(r"\[redacted:(\w+)", redact_text(line).text)
        # A user's name in front of a host, as in spark://driver@host, is one to hide.
        found.update({kind for kind in kinds if kind != "dsn"})
    assert found == FALSELY[system]
