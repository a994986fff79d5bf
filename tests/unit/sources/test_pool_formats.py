"""Samples of pools as others write them: real output of each, and broken ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.errors import DiagkitWarning, SourceError, SourceFormatError
from diagkit.frames.pool import POOL
from diagkit.sources.identify import identify_file
from diagkit.sources.incidents import open_incident
from diagkit.sources.pool import read_pool
from diagkit.sources.poolformats import FORMATS, find_pool_format
from diagkit.sources.poolmetrics import METRICS
from diagkit.sources.poolreports import read_message

if TYPE_CHECKING:
    from pathlib import Path

# psycopg_pool 3.3.3: get_stats(), with the time that its user wrote beside it.
PSYCOPG = """\
{"timestamp": "2025-11-24T10:00:00Z", "pool": "orders", "connections_num": 2, \
"connections_ms": 17, "pool_min": 2, "pool_max": 4, "pool_size": 2, \
"pool_available": 2, "requests_waiting": 0}
{"timestamp": "2025-11-24T10:00:01Z", "pool": "orders", "connections_num": 4, \
"connections_ms": 21, "requests_num": 5, "requests_queued": 3, "requests_wait_ms": 5, \
"pool_min": 2, "pool_max": 4, "pool_size": 4, "requests_waiting": 1}
"""
# PgBouncer 1.18: psql 15, SHOW POOLS \watch 1, a client that waits.
WATCHED = """\
                                                     Mon Nov 24 10:00:08 2025 (every 1s)

 database  |   user    | cl_active | cl_waiting | cl_active_cancel_req \
| cl_waiting_cancel_req | sv_active | sv_active_cancel | sv_being_canceled | sv_idle \
| sv_used | sv_tested | sv_login | maxwait | maxwait_us |  pool_mode
-----------+-----------+-----------+------------+----------------------\
+-----------------------+-----------+------------------+-------------------+---------\
+---------+-----------+----------+---------+------------+-------------
 pgbouncer | pgbouncer |         1 |          0 |                    0 \
|                     0 |         0 |                0 |                 0 |       0 \
|       0 |         0 |        0 |       0 |          0 | statement
 shop      | app       |         2 |          3 |                    0 \
|                     0 |         2 |                0 |                 0 |       1 \
|       1 |         0 |        0 |       0 |          0 | transaction
(2 rows)

                                                     Mon Nov 24 10:00:09 2025 (every 1s)

"""
CSV = """\
timestamp,database,user,cl_active,cl_waiting,sv_active,sv_idle,sv_used,sv_tested,sv_login
2025-11-24 10:00:08+00,shop,app,2,3,2,1,1,0,0
"""


# opentelemetry-instrumentation-sqlalchemy 0.66b1, opentelemetry-sdk 1.45.1.
def attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def point(state: str, value: str) -> dict[str, Any]:
    return {
        "timeUnixNano": "1763978400000452437",
        "asInt": value,
        "attributes": [attribute("pool.name", "web"), attribute("state", state)],
    }


USAGE = {
    "name": "db.client.connections.usage",
    "unit": "connections",
    "sum": {"dataPoints": [point("idle", "1"), point("used", "2")]},
}
CPU = {"name": "process.cpu.time", "sum": {"dataPoints": [{}]}}
SCOPE = {"scope": {"name": "opentelemetry.instrumentation.sqlalchemy"}}
RESOURCE = {"attributes": [attribute("service.name", "shop")]}
OTLP = json.dumps(
    {
        "resourceMetrics": [
            {"resource": RESOURCE, "scopeMetrics": [SCOPE | {"metrics": [USAGE, CPU]}]}
        ]
    }
)
# prometheus_client 0.26 and /federate; Micrometer's names.
PROMETHEUS = r"""# HELP hikaricp_connections_active Active connections
# TYPE hikaricp_connections_active gauge
hikaricp_connections_active{pool="shop \"a\"",} 7.0 1763978400000
hikaricp_connections_idle{pool="shop \"a\"",} 3.0 1763978400000
hikaricp_connections_max{pool="shop \"a\"",} 10.0 1763978400000
hikaricp_connections_pending{pool="shop \"a\"",} 2.0 1763978400000
jvm_threads_live_threads 42.0 1763978400000
"""
AT = pd.Timestamp("2025-11-24 10:00:00", tz="UTC")


def read(tmp_path: Path, name: str, text: str, **options: Any) -> list[dict[str, Any]]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    rows = POOL.check(read_pool(path, **options)).to_dict("records")
    return [
        {str(key): value for key, value in row.items() if not pd.isna(value)}
        for row in rows
    ]


def test_psycopg_leaves_out_what_is_zero(tmp_path: Path) -> None:
    first, second = read(tmp_path, "stats.jsonl", PSYCOPG)
    limits = {"pool": "orders", "size": 2, "max_overflow": 2}
    assert first == limits | {
        "timestamp": AT,
        "checked_in": 2,
        "checked_out": 0,
        "overflow": 0,
        "waiting": 0,
    }
    assert second == limits | {
        "timestamp": AT + pd.Timedelta("1s"),
        "checked_in": 0,
        "checked_out": 4,
        "overflow": 2,
        "waiting": 1,
    }


@pytest.mark.parametrize(("name", "text"), [("pools.txt", WATCHED), ("pools.csv", CSV)])
def test_pgbouncer_as_a_table_and_as_csv(tmp_path: Path, name: str, text: str) -> None:
    assert read(tmp_path, name, text) == [
        {
            "timestamp": AT + pd.Timedelta("8s"),
            "pool": "shop/app",
            "checked_in": 2,
            "checked_out": 2,
            "waiting": 3,
        }
    ]


def test_the_zone_of_psql_is_told(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "pools.txt", WATCHED, tz="Europe/Berlin")
    assert row["timestamp"] == AT + pd.Timedelta("8s") - pd.Timedelta("1h")


def test_opentelemetry(tmp_path: Path) -> None:
    later = OTLP.replace("1763978400", "1763978460").replace('"2"', '"5"')
    rows = read(tmp_path, "metrics.json", f"{OTLP}\n\n{later}\n")
    assert [row["checked_out"] for row in rows] == [2, 5]
    assert rows[0] == {
        "timestamp": AT + pd.Timedelta("452us"),
        "pool": "web",
        "checked_in": 1,
        "checked_out": 2,
    }


def test_prometheus(tmp_path: Path) -> None:
    assert read(tmp_path, "scrape.prom", PROMETHEUS) == [
        {
            "timestamp": AT,
            "pool": 'shop "a"',
            "size": 10,
            "max_overflow": 0,
            "checked_in": 3,
            "checked_out": 7,
            "waiting": 2,
        }
    ]


def test_series_of_several_processes_add_up(tmp_path: Path) -> None:
    lines = [
        f'db_client_connection_count{{state="used",worker="{n}"}} {n} 1763978400.5'
        for n in (1, 2, 4)
    ]
    (row,) = read(tmp_path, "m.txt", "\n".join([*lines, "# EOF"]))
    assert (row["checked_out"], row["pool"]) == (7, "pool")
    assert row["timestamp"] == AT + pd.Timedelta("500ms")


STATUS = (
    "Pool size: 5  Connections in pool: 1 Current Overflow: -2 Current Checked out "
    "connections: 2"
)


def test_sqlalchemys_status_in_a_log(tmp_path: Path) -> None:
    log = f"2025-11-24 10:00:00,000 INFO shop.pool: {STATUS}\nother\n"
    assert read(tmp_path, "api.log", log) == [
        {
            "timestamp": AT,
            "pool": "pool",
            "size": 5,
            "checked_in": 1,
            "checked_out": 2,
            "overflow": 0,
        }
    ]


@pytest.mark.parametrize(
    ("message", "row"),
    [
        (
            "HikariPool-1 - Pool stats (total=10, active=7, idle=3, waiting=5)",
            {"pool": "HikariPool-1", "checked_out": 7, "checked_in": 3, "waiting": 5},
        ),
        (
            "shop - After cleanup  stats (total=10, active=7, idle=3, waiting=0)",
            {"pool": "shop", "checked_out": 7, "checked_in": 3, "waiting": 0},
        ),
        (
            "shop - Timeout failure stats (total=10/20, idle=0/10, active=10, "
            "waiting=5)",
            {
                "pool": "shop",
                "size": 20,
                "max_overflow": 0,
                "checked_in": 0,
                "checked_out": 10,
                "waiting": 5,
            },
        ),
        (
            "Before cleanup pool stats HikariPool-0 (total=10, inUse=2, avail=8, "
            "waiting=0)",
            {"pool": "HikariPool-0", "checked_out": 2, "checked_in": 8, "waiting": 0},
        ),
        ("stats (total=3)", None),
        ("Pool size: x", None),
    ],
)
def test_hikaricp_in_its_versions(message: str, row: dict[str, Any] | None) -> None:
    assert read_message(message) == row


def test_samples_without_a_time_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"INFO:     {STATUS}\n2025-11-24 10:00:00,000 INFO p: {STATUS}\n")
    with pytest.warns(DiagkitWarning, match="1 of 2 samples have no time"):
        assert len(read_pool(path)) == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.log", "up\n", "a.log: no sample of a pool; known are tables, logs with"),
        ("a.log", f"INFO:     {STATUS}\n", "a.log: 1 samples of a pool, none with a"),
        ("a.jsonl", '{"pool_max": 4}\n', "a.jsonl:1: is no get_stats"),
        (
            "a.jsonl",
            '{"pool_min": 1, "pool_max": 4}\n',
            "a.jsonl:1: the sample has no time",
        ),
        ("a.jsonl", f"{PSYCOPG}[]\n", "a.jsonl:3: is no get_stats"),
        (
            "a.jsonl",
            PSYCOPG.replace("10:00:01", "nine"),
            "a.jsonl:2: '2025-11-24TnineZ' is no time",
        ),
        ("a.txt", WATCHED.split("\n\n", 1)[1], "a.txt:4: SHOW POOLS has no time here"),
        (
            "a.txt",
            WATCHED.replace("| transaction", ""),
            "a.txt:6: a row of 15 cells under 16",
        ),
        ("a.csv", CSV.replace(",3,2,", ",x,2,"), "a.csv:2: is no row of SHOW POOLS"),
        (
            "a.txt",
            "database | total_xact_count\nshop | 4\n",
            "a.txt: SHOW STATS counts transactions",
        ),
        (
            "a.prom",
            PROMETHEUS.replace("7.0 1763978400000", "7.0"),
            "a.prom:3: the sample has no time",
        ),
        ("a.prom", PROMETHEUS.replace("7.0", "7.5"), "a.prom:3: 7.5 is no number of"),
        ("a.prom", f"{PROMETHEUS}<html>\n", "a.prom:8: '<html>' is no sample of Prom"),
        ("a.json", f"{OTLP}\n{{}}\n", "a.json:2: is no export of OpenTelemetry's"),
        ("a.json", OTLP.replace('"1"', '"one"'), "a.json:1: is no export of OpenTel"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SourceFormatError) as caught:
        read_pool(path)
    line = str(caught.value)
    assert "\n" not in line
    assert f"{tmp_path}/{said}" in line


FILES = {
    "stats.jsonl": ("psycopg_pool", PSYCOPG),
    "pools.txt": ("PgBouncer", WATCHED),
    "pools.csv": ("PgBouncer", CSV),
    "metrics.json": ("OpenTelemetry (OTLP JSON)", OTLP),
    "scrape.prom": ("Prometheus", PROMETHEUS),
}


def test_an_incident_knows_them_by_their_content(tmp_path: Path) -> None:
    for name, (known, text) in FILES.items():
        path = tmp_path / name
        path.write_text(text)
        assert identify_file(path).kind == "pool"
        assert identify_file(path).note == f"as {known} writes it"
    assert {known for known, _ in FILES.values()} == {f.name for f in FORMATS}
    pools = set(open_incident(tmp_path).pool["pool"])
    assert pools == {"orders", "shop/app", "web", 'shop "a"'}


def test_an_activity_recording_is_known(tmp_path: Path) -> None:
    frame = pd.DataFrame({"timestamp": [AT], "pid": [17], "backend_start": [AT]})
    frame.to_parquet(tmp_path / "a.parquet")
    incident = open_incident(tmp_path)
    assert incident.contents["kind"].tolist() == ["activity"]
    assert incident.activity["pid"].tolist() == [17]


@given(st.sampled_from(list(FILES)), st.integers(0, 3000), st.text(max_size=40))
def test_any_damage_is_one_line_or_rows(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: int, text: str
) -> None:
    whole = FILES[name][1]
    path = tmp_path_factory.mktemp("x") / name
    path.write_text(whole[:at] + text + whole[at + 10 :], encoding="utf-8")
    said = ""
    try:
        POOL.check(read_pool(path))
    except SourceError as error:
        said = str(error)
    assert "\n" not in said


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 5), st.sampled_from("abc")),
        st.tuples(st.integers(0, 99), st.integers(0, 99)),
        min_size=1,
    )
)
def test_metrics_of_any_pools_and_times(
    tmp_path_factory: pytest.TempPathFactory,
    truth: dict[tuple[int, str], tuple[int, int]],
) -> None:
    path = tmp_path_factory.mktemp("x") / "m.prom"
    lines = [
        f'db_client_connection_count{{state="{state}",pool_name="{pool}"}} {number} '
        f"{1763978400000 + 1000 * second}"
        for (second, pool), numbers in truth.items()
        for state, number in zip(("used", "idle"), numbers, strict=True)
    ]
    path.write_text("\n".join(sorted(lines, reverse=True)))
    found = read_pool(path)
    seconds = (found["timestamp"] - AT).dt.total_seconds().astype(int)
    columns = (
        seconds,
        *(found[name] for name in ("pool", "checked_out", "checked_in")),
    )
    assert {(s, p): (o, i) for s, p, o, i in zip(*columns, strict=True)} == truth


def test_every_metric_is_found_under_prometheuss_name() -> None:
    for metric in METRICS:
        assert find_pool_format(f"{metric.name.replace('.', '_')}{{}} 1 1") is not None
