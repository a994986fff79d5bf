"""What is known of an incident: from findings, and from what no finding tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.analyses.facts import Fact, gather_facts
from diagkit.analyses.findings import analyse_incident
from diagkit.analyses.http import find_own
from diagkit.frames.findings import name_finding
from diagkit.frames.http import HTTP

if TYPE_CHECKING:
    from pathlib import Path

AT = "2025-11-24 10:00:00"
LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <asyncpg.connection.Connection object at 0x7f00>>, which will "
    "be terminated.  Please ensure that SQLAlchemy pooled connections are returned."
)
REFUSED = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '
REFUSED += "Connection refused"
API = """
services:
  api:
    image: registry.example/api:1
    command: uvicorn app:app --host 0.0.0.0 --port 8000
    ports: ["8000:8000"]
"""
MOCK = '  mock:\n    image: stoplight/prism:5\n    ports: ["{}:4010"]\n'
CLOSED = API.replace('    ports: ["8000:8000"]\n', "") + (
    "  web:\n    image: registry.example/web:1\n    environment:\n"
    '      VITE_API_URL: http://localhost:8000\n    ports: ["3000:3000"]\n'
)


def facts(folder: Path, **files: str) -> dict[str, Fact]:
    """Return what is known of a folder with these files: ``a_log`` for ``a.log``."""
    for name, text in files.items():
        path = folder / name.replace("_", ".")
        path.write_text(text, encoding="utf-8")
    (folder / "incident.toml").write_text('zone = "UTC"\n')
    return gather_facts(analyse_incident(dk.open_incident(folder)))


def backend(*requests: tuple[str, int]) -> str:
    return "".join(
        f'INFO:     10.0.0.9:5 - "GET {path} HTTP/1.1" {status} X\n'
        for path, status in requests
    )


def proxy(*requests: tuple[str, int], minute: int = 0) -> str:
    return "".join(
        f'10.0.0.9 - - [24/Nov/2025:10:{minute:02}:00 +0000] "GET {path} HTTP/1.1" '
        f'{status} 5 "-" "-"\n'
        for path, status in requests
    )


def test_findings_are_known_by_code_and_by_code_and_signature(tmp_path: Path) -> None:
    text = f"{AT} [ERROR] sqlalchemy.pool.impl.AsyncAdaptedQueuePool: {LEAK}\n"
    known = facts(tmp_path, app_log=2 * text)
    name = name_finding("connection_leak", "sqlalchemy.gc_terminated")
    assert known["connection_leak"] == Fact(
        "2 connections leaked: garbage-collected, never returned", name
    )
    assert str(known["connection_leak:sqlalchemy.gc_terminated"]) == (
        "2 connections leaked: garbage-collected, never returned "
        f"(sqlalchemy.gc_terminated) [{name}]"
    )
    # What happens in every healthy pool is no fact, nor is what came back after all.
    events = (
        f"{AT} [DEBUG] sqlalchemy.pool.impl.QueuePool: Created new connection <x>\n"
    )
    events += f"{AT} [INFO] com.zaxxer.hikari.pool.ProxyLeakTask: Previously reported "
    events += "leaked connection org.postgresql.jdbc.PgConnection@5f2a1c on thread "
    events += "http-nio-8080-exec-3 was returned to the pool (unleaked)\n"
    (tmp_path / "b").mkdir()
    assert facts(tmp_path / "b", app_log=events) == {}


def test_what_is_there_for_information_is_no_fact(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "prod").mkdir()
    database = "\n  db:\n    image: postgres:18\n{}"
    published = '    ports: ["5432:5432"]\n'
    (tmp_path / "dev" / "compose.yaml").write_text(API + database.format(published))
    (tmp_path / "prod" / "compose.yaml").write_text(
        API.replace("8000:8000", "8001:8000") + database.format("")
    )
    known = facts(tmp_path)
    rows = dk.rank_findings(dk.open_incident(tmp_path))
    told = rows[rows["code"] == "not_published"]
    assert told["severity"].tolist() == ["info"]
    assert "not_published" not in known


def test_a_pool_within_its_bounds(tmp_path: Path) -> None:
    rows = "timestamp,pool,size,max_overflow,checked_out\n"
    rows += "".join(f"2025-11-24 10:00:0{n}+00:00,app,5,2,{n}\n" for n in range(6))
    known = facts(tmp_path, pool_csv=rows)
    assert known["pool_in_bounds"].text == (
        "the pool never had more than 5 of 7 connections out in 6 samples"
    )
    (tmp_path / "b").mkdir()
    full = rows + "2025-11-24 10:00:09+00:00,app,5,2,7\n"
    assert "pool_in_bounds" not in facts(tmp_path / "b", pool_csv=full)


@pytest.mark.parametrize(
    ("compose", "differ", "published"),
    [
        (API, "no two services of 1 stack publish the same port", "(1 ports)"),
        (API + MOCK.format(8001), "no two services of 1 stack publish", "(2 ports)"),
        (API + MOCK.format(8000), "", "(2 ports)"),
        (CLOSED, "no two services of 1 stack publish", ""),
    ],
)
def test_ports_in_order(
    tmp_path: Path, compose: str, differ: str, published: str
) -> None:
    known = facts(tmp_path, compose_yaml=compose)
    assert known.get("ports_differ", Fact("")).text.startswith(differ)
    assert ("ports_differ" in known) == bool(differ)
    assert known.get("ports_published", Fact("")).text.endswith(published)
    assert ("ports_published" in known) == bool(published)


def test_a_backend_that_is_well_and_one_that_is_not(tmp_path: Path) -> None:
    known = facts(tmp_path, app_log=backend(("/a", 200), ("/b", 404), ("/a", 200)))
    assert known["backend_well"].text == (
        "the backend answered all its 3 requests without a 5xx"
    )
    assert "backend_errors" not in known
    few, ill = tmp_path / "few", tmp_path / "ill"
    few.mkdir()
    ill.mkdir()
    assert "backend_well" not in facts(few, app_log=backend(("/a", 200), ("/a", 200)))
    known = facts(ill, app_log=backend(("/a", 200), ("/a", 500), ("/a", 503)))
    assert "backend_well" not in known
    assert known["backend_errors"].text == (
        "the backend itself answered 2 of 3 requests with a 5xx"
    )


def test_a_backend_that_answered_often_has_its_port(tmp_path: Path) -> None:
    for number in (19, 20):
        (tmp_path / str(number)).mkdir()
        known = facts(tmp_path / str(number), app_log=backend(*number * [("/a", 500)]))
        assert ("backend_serves" in known) == (number == 20)
    assert str(known["backend_serves"]) == (
        "the backend answered 20 requests, so it has its port"
    )


WELL = 3 * (("/orders/1", 200),)


@pytest.mark.parametrize(
    ("logs", "times"),
    [
        # By place within a file, all in one second; ids of a route do not matter.
        ({"access_log": proxy(*WELL, ("/orders/2", 502))}, 3),
        ({"access_log": proxy(*WELL[:2], ("/orders/2", 502))}, None),
        ({"access_log": proxy(("/orders/2", 502), *WELL)}, None),
        # Another route tells nothing of this one.
        ({"access_log": proxy(*WELL, ("/admin", 502))}, None),
        ({"access_log": proxy(*WELL, ("/orders/2", 500))}, None),
        # By time over two files.
        (
            {
                "old_log": proxy(*WELL, *WELL),
                "new_log": proxy(("/orders/2", 504), minute=5),
            },
            6,
        ),
        # The backend sent the 503 itself: the proxy got through.
        (
            {
                "access_log": proxy(*WELL, ("/orders/2", 503)),
                "app_log": backend(("/orders/2", 503)),
            },
            None,
        ),
        # It sent one of two.
        (
            {
                "access_log": proxy(*WELL, ("/orders/2", 503), ("/orders/2", 503)),
                "app_log": backend(("/orders/2", 503)),
            },
            3,
        ),
    ],
)
def test_a_proxy_that_got_through_before(
    tmp_path: Path, logs: dict[str, str], times: int | None
) -> None:
    known = facts(tmp_path, **logs)
    if times is None:
        assert "worked_before" not in known
    else:
        assert known["worked_before"].text.startswith(
            f"the proxy got through {times} times on the same routes before it first "
            "failed at 2025-11-24 10:0"
        )


def test_a_proxy_without_times_got_through_before(tmp_path: Path) -> None:
    line = '{{"request_method": "GET", "request_uri": "/a", "status": {}}}\n'
    text = "".join(line.format(status) for status in (200, 200, 200, 502))
    known = facts(tmp_path, access_log=text)
    assert known["worked_before"].text == (
        "the proxy got through 3 times on the same routes before it first failed"
    )


CURL = (
    '{{"method": "GET", "url_effective": "http://a{}", "http_code": {}, '
    '"time_total": {}, "timestamp": "2025-11-24T10:00:00+00:00"}}\n'
)


@pytest.mark.parametrize(
    ("last", "seen", "told"),
    [
        # Refused at once, or by a proxy: nobody was there.
        (("/orders/4", 0, 0.01), WELL, True),
        (("/orders/4", 502, 0.5), WELL, True),
        # It waited in vain: somebody was there.
        (("/orders/4", 0, 5.0), WELL, False),
        (("/orders/4", 504, 5.0), WELL, False),
        # The backend saw it.
        (("/orders/4", 503, 0.1), (*WELL, ("/orders/4", 503)), False),
        (("/admin", 0, 0.01), WELL, False),
        # What the backend saw is not known.
        (("/orders/4", 0, 0.01), (), False),
    ],
)
def test_clients_that_got_through_before(
    tmp_path: Path,
    last: tuple[str, int, float],
    seen: tuple[tuple[str, int], ...],
    told: bool,
) -> None:
    text = "".join(CURL.format(path, status, 0.1) for path, status in WELL)
    known = facts(
        tmp_path,
        curl_jsonl=text + CURL.format(*last),
        app_log=f"{AT} [INFO] app: well\n" + backend(*seen),
    )
    assert ("clients_cut_off" in known) == told
    if told:
        assert known["clients_cut_off"].text == (
            "clients got through 3 times on the same routes before nobody answered 1 "
            "of their requests"
        )


def test_clients_that_got_through_too_seldom(tmp_path: Path) -> None:
    text = CURL.format("/orders/1", 200, 0.1) + CURL.format("/orders/2", 0, 0.01)
    known = facts(tmp_path, curl_jsonl=text, app_log=backend(("/orders/1", 200)))
    assert "errors_unseen_by_backend" in known
    assert "clients_cut_off" not in known


def test_one_client_that_leaves_is_no_fact_and_three_are(tmp_path: Path) -> None:
    gone = "2025/11/24 10:00:00 [info] 7#7: *1 epoll_wait() reported that client "
    gone += "prematurely closed connection, so upstream connection is closed too while "
    gone += "sending request to upstream, client: 10.0.0.9\n"
    for number, logs in {
        1: {"access_log": proxy(("/a", 499)), "error_log": gone},
        3: {"access_log": proxy(*3 * [("/a", 499)], ("/a", 200)), "error_log": gone},
        4: {"error_log": 4 * gone},
    }.items():
        (tmp_path / str(number)).mkdir()
        known = facts(tmp_path / str(number), **logs)
        if number == 1:
            assert "clients_gave_up" not in known
        else:
            said = f"clients did not wait for {number} answers"
            assert known["clients_gave_up"] == Fact(said)


def test_a_backend_that_reached_its_database_before(tmp_path: Path) -> None:
    lost = f"{AT} [ERROR] app.db: {REFUSED}\n"
    text = backend(*WELL) + lost + backend(("/orders/4", 500))
    known = facts(tmp_path, app_log=text)
    assert known["reached_before"].text == (
        "the backend answered 3 requests on the same routes before it reached nobody"
    )
    for name, other in {
        "never": lost + backend(("/orders/4", 500), *WELL),
        "well": text.replace(lost, ""),
    }.items():
        (tmp_path / name).mkdir()
        assert "reached_before" not in facts(tmp_path / name, app_log=other)


@pytest.mark.parametrize(
    ("lines", "stopped"),
    [
        (("Started server process [1]", "Shutting down"), None),
        (
            (
                "Started server process [1]",
                "Shutting down",
                "Started server process [2]",
            ),
            2,
        ),
        (("Shutting down",), None),
        (("well",), None),
    ],
)
def test_a_server_that_was_stopped_and_started_again(
    tmp_path: Path, lines: tuple[str, ...], stopped: int | None
) -> None:
    known = facts(tmp_path, app_log="".join(f"INFO:     {line}\n" for line in lines))
    if stopped is None:
        assert "server_stopped" not in known
    else:
        assert known["server_stopped"].text == (
            f"a server was stopped and started again: app.log:{stopped}"
        )


def test_errors_that_are_no_known_failure(tmp_path: Path) -> None:
    failed = (
        f"{AT} [ERROR] app.api: request failed\nTraceback (most recent call last):\n"
    )
    failed += '  File "/srv/app/api.py", line 7, in total\n    return prices[item]\n'
    leak = failed + f"sqlalchemy.exc.TimeoutError: {LEAK}\n"
    known = facts(tmp_path, app_log=2 * (failed + "KeyError: 'item 1'\n") + leak)
    assert known["unexplained_errors"].text == (
        "2 errors in the log end in an exception that is no known failure "
        "(2 KeyError; first at app.log:1)"
    )
    (tmp_path / "b").mkdir()
    calm = failed.replace("ERROR", "INFO") + "KeyError: 'item 1'\n"
    assert "unexplained_errors" not in facts(tmp_path / "b", app_log=calm + leak)


def find_own_slowly(rows: list[tuple[str, str, int, int | None]]) -> list[bool]:
    """Go through the requests one by one, crossing out what the backend sent."""
    sent = [(path, status) for who, path, status, _ in rows if who == "backend"]
    own = []
    for who, path, status, upstream in rows:
        if who != "proxy":
            continue
        failed = status in (502, 503, 504)
        passed = failed and (path, status) in sent
        if passed:
            sent.remove((path, status))
        told = upstream is not None and (upstream < 500 or upstream == status == 503)
        own.append(failed and not passed and not told)
    return own


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["proxy", "backend", "client"]),
            st.sampled_from(["/a", "/b"]),
            st.sampled_from([200, 500, 502, 503, 504]),
            st.sampled_from([None, 200, 502, 503]),
        ),
        max_size=12,
    )
)
def test_failures_that_a_proxy_answered_with_itself(
    rows: list[tuple[str, str, int, int | None]],
) -> None:
    frame = HTTP.build(
        {
            "observer": [row[0] for row in rows],
            "method": ["GET"] * len(rows),
            "path": [row[1] for row in rows],
            "route": [row[1] for row in rows],
            "status": [row[2] for row in rows],
            "upstream_status": [row[3] for row in rows],
            "source": ["a.log"] * len(rows),
            "line": list(range(1, len(rows) + 1)),
        }
    )
    assert find_own(frame).tolist() == find_own_slowly(rows)
