"""Requests out of what real servers and clients wrote."""

# ruff: noqa: E501 (captured lines stand as they were written)
from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.errors import DiagkitWarning, SettingError, SourceFormatError
from diagkit.frames.http import HTTP
from diagkit.sources.accesslines import LINES, read_line
from diagkit.sources.accessobjects import OBJECTS
from diagkit.sources.http import cut_url, fold_ids

if TYPE_CHECKING:
    from pathlib import Path

# What nginx 1.22, HAProxy 2.6, Caddy 2.6, gunicorn 20.1, uvicorn 0.38 and curl wrote of
# the same requests to an application that answers, raises, is slow, and breaks off in
# the middle of a stream; and what Traefik and AWS say in their manuals that they write.
UVICORN = """\
INFO:     Started server process [1207]
INFO:     Uvicorn running on http://127.0.0.1:18000 (Press CTRL+C to quit)
INFO:     127.0.0.1:38750 - "GET /ok/42?token=secret HTTP/1.1" 200 OK
INFO:     127.0.0.1:38752 - "GET /boom HTTP/1.1" 500 Internal Server Error
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "/srv/app.py", line 8, in boom
    def boom(): raise RuntimeError("boom")
                ^^^^^^^^^^^^^^^^^^^^^^^^^^
RuntimeError: boom
INFO:     127.0.0.1:38766 - "GET /nowhere HTTP/1.1" 404 Not Found
"""
NGINX = """\
127.0.0.1 - - [23/Nov/2026:09:00:26 +0000] "GET /ok/42?token=secret HTTP/1.1" 200 8 "-" "curl/7.88.1"
127.0.0.1 - - [23/Nov/2026:09:00:27 +0000] "GET /slow HTTP/1.1" 504 167 "-" "curl/7.88.1"
127.0.0.1 - - [23/Nov/2026:09:00:27 +0000] "GET /slow HTTP/1.1" 499 0 "-" "curl/7.88.1"
127.0.0.1 - - [23/Nov/2026:09:00:35 +0000] "\\x16\\x03\\x01garbage" 400 157 "-" "-"
"""
TIMED = """\
127.0.0.1 - - [23/Nov/2026:09:00:27 +0000] "GET /slow HTTP/1.1" 504 167 "-" "curl/7.88.1" rt=1.008 us=504 uct=0.000
127.0.0.1 - - [23/Nov/2026:09:00:27 +0000] "GET /nowhere HTTP/1.1" 502 157 "-" "curl/7.88.1" rt=0.000 us=502 uct=-
127.0.0.1 - - [23/Nov/2026:09:00:27 +0000] "GET /slow HTTP/1.1" 499 0 "-" "curl/7.88.1" rt=0.503 us=- uct=0.000
"""
NGINX_JSON = """\
{"time_iso8601":"2026-11-23T09:00:27+00:00","request_method":"GET","request_uri":"/nowhere","status":"502","upstream_status":"502","request_time":"0.000"}
{"time_iso8601":"2026-11-23T09:00:27+00:00","request_method":"GET","request_uri":"/slow","status":"499","upstream_status":"-","request_time":"0.503"}
"""
GUNICORN = """\
[2026-11-23 09:00:24 +0000] [1208] [INFO] Starting gunicorn 20.1.0
[2026-11-23 09:00:24 +0000] [1210] [INFO] Booting worker with pid: 1210
127.0.0.1 - - [23/Nov/2026:09:00:35 +0000] "GET /ok/42?token=secret HTTP/1.1" 200 1 "-" "curl/7.88.1"
"""
HAPROXY = """\
Nov 23 09:00:27 lb haproxy[1216]: 127.0.0.1:60452 [23/Nov/2026:09:00:27.829] f b/s1 0/0/0/3/3 200 131 - - ---- 1/1/0/0/0 0/0 "GET /ok/42?token=secret HTTP/1.1"
Nov 23 09:00:28 lb haproxy[1216]: 127.0.0.1:60464 [23/Nov/2026:09:00:27.865] f b/s1 0/0/0/-1/1001 504 198 - - sH-- 1/1/0/0/0 0/0 "GET /slow HTTP/1.1"
Nov 23 09:00:28 lb haproxy[1216]: 127.0.0.1:60474 [23/Nov/2026:09:00:28.880] f b/s1 0/0/0/2/5 200 114 - - SD-- 1/1/0/0/0 0/0 "GET /stream HTTP/1.1"
Nov 23 09:00:31 lb haproxy[1216]: 127.0.0.1:60478 [23/Nov/2026:09:00:28.899] f dead/s2 0/0/-1/-1/3004 503 217 - - SC-- 1/1/0/0/3 0/0 "GET /nowhere HTTP/1.1"
Nov 23 09:00:35 lb haproxy[1216]: 127.0.0.1:60130 [23/Nov/2026:09:00:35.516] f f/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"
"""
CADDY = """\
{"level":"info","ts":1795424434.479116,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"127.0.0.1","proto":"HTTP/1.1","method":"GET","host":"127.0.0.1:18082","uri":"/slow"},"user_id":"","duration":2.004415,"size":2,"status":200}
{"level":"error","ts":1795424434.5098743,"logger":"http.log.error.log0","msg":"dial tcp 127.0.0.1:18999: connect: connection refused","request":{"method":"GET","uri":"/nowhere"},"duration":0.000409505,"status":502,"err_id":"srs0n0uf7"}
{"level":"error","ts":1795424434.509909,"logger":"http.log.access.log0","msg":"handled request","request":{"method":"GET","uri":"/nowhere"},"duration":0.00041,"status":502}
{"level":"info","ts":1795424435.036177,"logger":"http.log.access.log0","msg":"handled request","request":{"method":"GET","uri":"/slow"},"duration":0.502977,"status":0}
"""
TRAEFIK = """\
{"ClientAddr":"10.0.0.9:1","DownstreamStatus":502,"Duration":3000000,"OriginStatus":0,"RequestMethod":"GET","RequestPath":"/a?b=1","StartUTC":"2025-11-24T10:00:00.5Z","time":"2025-11-24T10:00:01Z"}
"""
ALB = """\
http 2025-11-24T10:00:00.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 502 - 34 366 "GET http://a.example:80/x?k=1 HTTP/1.1" "curl/7.46.0" - - arn:aws "Root=1" "-" "-" 0
h2 2025-11-24T10:00:01.000000Z app/lb/50dc6c495c0c9188 10.0.1.2:4 10.0.0.1:80 0.001 0.048 0.002 200 200 34 366 "POST https://a.example:443/y HTTP/2.0" "x" - - arn:aws "Root=1" "-" "-" 0
"""
CURL = """\
{"errormsg":null,"exitcode":0,"http_code":200,"method":"GET","response_code":200,"time_total":0.004241,"url_effective":"http://127.0.0.1:18081/ok/42?token=secret"}
{"errormsg":"transfer closed with outstanding read data remaining","exitcode":18,"http_code":200,"method":"GET","response_code":200,"time_total":0.006421,"url_effective":"http://127.0.0.1:18081/stream"}
{"errormsg":"Failed to connect to 127.0.0.1 port 18998 after 0 ms: Couldn't connect to server","exitcode":7,"http_code":0,"method":"GET","response_code":0,"time_total":0.000127,"url_effective":"http://127.0.0.1:18998/x"}
"""
K6 = """\
{"type":"Metric","data":{"name":"http_req_duration","type":"trend"},"metric":"http_req_duration"}
{"metric":"http_reqs","type":"Point","data":{"time":"2025-11-24T10:00:00Z","value":1,"tags":{"method":"GET","status":"503","url":"http://shop:8000/a"}}}
{"metric":"http_req_duration","type":"Point","data":{"time":"2025-11-24T10:00:00Z","value":12.5,"tags":{"method":"GET","status":"503","url":"http://shop:8000/a"}}}
{"metric":"http_req_duration","type":"Point","data":{"time":"2025-11-24T10:00:01Z","value":0,"tags":{"method":"GET","status":"0","url":"http://shop:8000/a","error":"dial: connection refused","error_code":"1212"}}}
"""
K6_CSV = """\
metric_name,timestamp,metric_value,error,error_code,method,name,status,url
http_reqs,1763978400,1,,,GET,http://shop:8000/a,503,http://shop:8000/a
http_req_duration,1763978400,12.5,,,GET,http://shop:8000/a,503,http://shop:8000/a
http_req_duration,1763978401,0,dial: connection refused,1212,GET,http://shop:8000/a,0,http://shop:8000/a
"""
HAR = json.dumps(
    {
        "log": {
            "version": "1.2",
            "entries": [
                {
                    "startedDateTime": "2025-11-24T10:00:00.250Z",
                    "time": 3.5,
                    "request": {
                        "method": "POST",
                        "url": "http://me:pw@shop:8000/login",
                    },
                    "response": {"status": 503},
                },
                {
                    "startedDateTime": "2025-11-24T10:00:01Z",
                    "time": 1,
                    "request": {"method": "GET", "url": "http://shop:8000/tiles/7?k=1"},
                    "response": {"status": 0, "_error": "net::ERR_CONNECTION_REFUSED"},
                },
            ],
        }
    }
)
T = "2026-11-23 09:00:"
REFUSED = (
    "Failed to connect to 127.0.0.1 port 18998 after 0 ms: Couldn't connect to server"
)
# timestamp (after the date), observer, route, status, duration, upstream, line, error
EXPECTED = {
    "uvicorn": (
        UVICORN,
        [
            (None, "backend", "/ok/{id}", 200, None, None, 3, None),
            (None, "backend", "/boom", 500, None, None, 4, None),
            (None, "backend", "/nowhere", 404, None, None, 11, None),
        ],
    ),
    "nginx": (
        NGINX,
        [
            (f"{T}26", "proxy", "/ok/{id}", 200, None, None, 1, None),
            (f"{T}27", "proxy", "/slow", 504, None, None, 2, None),
            (f"{T}27", "proxy", "/slow", 499, None, None, 3, None),
        ],
    ),
    "nginx with more fields": (
        TIMED,
        [
            (f"{T}27", "proxy", "/slow", 504, 1.008, 504, 1, None),
            (f"{T}27", "proxy", "/nowhere", 502, 0.0, 502, 2, None),
            (f"{T}27", "proxy", "/slow", 499, 0.503, None, 3, None),
        ],
    ),
    "nginx as JSON": (
        NGINX_JSON,
        [
            (f"{T}27", "proxy", "/nowhere", 502, 0.0, 502, 1, None),
            (f"{T}27", "proxy", "/slow", 499, 0.503, None, 2, None),
        ],
    ),
    "gunicorn": (
        GUNICORN,
        [(f"{T}35", "backend", "/ok/{id}", 200, None, None, 3, None)],
    ),
    "HAProxy": (
        HAPROXY,
        [
            (f"{T}27.829", "proxy", "/ok/{id}", 200, 0.003, 200, 1, None),
            (f"{T}27.865", "proxy", "/slow", 504, 1.001, None, 2, "sH"),
            (f"{T}28.880", "proxy", "/stream", 200, 0.005, 200, 3, "SD"),
            (f"{T}28.899", "proxy", "/nowhere", 503, 3.004, None, 4, "SC"),
        ],
    ),
    "Caddy": (
        CADDY,
        [
            (f"{T}34.479116", "proxy", "/slow", 200, 2.004415, None, 1, None),
            (f"{T}34.509909", "proxy", "/nowhere", 502, 0.00041, None, 3, None),
            (f"{T}35.036177", "proxy", "/slow", None, 0.502977, None, 4, None),
        ],
    ),
    "Traefik": (
        TRAEFIK,
        [("2025-11-24 10:00:00.5", "proxy", "/a", 502, 0.003, None, 1, None)],
    ),
    "AWS ALB": (
        ALB,
        [
            ("2025-11-24 10:00:00.186641", "proxy", "/x", 502, 0.001, None, 1, None),
            ("2025-11-24 10:00:01", "proxy", "/y", 200, 0.051, 200, 2, None),
        ],
    ),
    "curl": (
        CURL,
        [
            (None, "client", "/ok/{id}", 200, 0.004241, None, 1, None),
            (
                None,
                "client",
                "/stream",
                200,
                0.006421,
                None,
                2,
                "transfer closed with outstanding read data remaining",
            ),
            (None, "client", "/x", None, 0.000127, None, 3, REFUSED),
        ],
    ),
    "k6": (
        K6,
        [
            ("2025-11-24 10:00:00", "client", "/a", 503, 0.0125, None, 3, None),
            (
                "2025-11-24 10:00:01",
                "client",
                "/a",
                None,
                0.0,
                None,
                4,
                "dial: connection refused",
            ),
        ],
    ),
    "k6 as CSV": (
        K6_CSV,
        [
            ("2025-11-24 10:00:00", "client", "/a", 503, 0.0125, None, 3, None),
            (
                "2025-11-24 10:00:01",
                "client",
                "/a",
                None,
                0.0,
                None,
                4,
                "dial: connection refused",
            ),
        ],
    ),
    "HAR": (
        HAR,
        [
            ("2025-11-24 10:00:00.25", "client", "/login", 503, 0.0035, None, 1, None),
            (
                "2025-11-24 10:00:01",
                "client",
                "/tiles/{id}",
                None,
                0.001,
                None,
                2,
                "net::ERR_CONNECTION_REFUSED",
            ),
        ],
    ),
}
COLUMNS = [
    "timestamp",
    "observer",
    "route",
    "status",
    "duration_s",
    "upstream_status",
    "line",
    "error",
]


def write(folder: Path, text: str, name: str = "x.log") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.filterwarnings("ignore:.*name no year")
@pytest.mark.parametrize("name", EXPECTED)
def test_what_each_wrote(tmp_path: Path, name: str) -> None:
    text, expected = EXPECTED[name]
    found = dk.read_http(write(tmp_path, text), tz="UTC")
    HTTP.check(found)
    frame = found[COLUMNS].astype("object").where(found[COLUMNS].notna(), None)
    frame["timestamp"] = [t and t.tz_localize(None) for t in frame["timestamp"]]
    frame["duration_s"] = [d if d is None else round(d, 9) for d in frame["duration_s"]]
    assert list(frame.itertuples(index=False, name=None)) == [
        (when and pd.Timestamp(when), *rest) for when, *rest in expected
    ]
    assert set(found["source"]) == {"x.log"}
    assert (
        not found.astype("str")
        .apply(lambda c: c.str.contains("secret|pw@"))
        .any()
        .any()
    )


@pytest.mark.parametrize("known", LINES, ids=lambda known: known.name)
def test_each_example_is_its_own(known) -> None:
    found = read_line(known.example)
    assert found is not None
    assert found[0] is known


def test_names_are_told_once() -> None:
    assert len({known.name for known in LINES}) == len(LINES)
    assert len({known.name for known in OBJECTS}) == len(OBJECTS)


def test_origins_are_kept_and_passwords_are_not(tmp_path: Path) -> None:
    found = dk.read_http(write(tmp_path, HAR, "x.har"))
    assert found["origin"].tolist() == ["http://shop:8000"] * 2
    assert found["path"].tolist() == ["/login", "/tiles/7"]


def test_an_envelope_is_taken_off(tmp_path: Path) -> None:
    lines = "".join(
        json.dumps(
            {"log": line + "\n", "stream": "stdout", "time": f"2025-11-24T10:00:0{n}Z"}
        )
        + "\n"
        for n, line in enumerate(UVICORN.splitlines()[:4])
    )
    found = dk.read_http(write(tmp_path, lines))
    assert found["status"].tolist() == [200, 500]
    assert found["timestamp"].dt.second.tolist() == [2, 3]


def test_an_observer_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, NGINX)
    assert set(dk.read_http(path, tz="UTC", observer="backend")["observer"]) == {
        "backend"
    }
    with pytest.raises(SettingError, match=r"'proxi' came; did you mean 'proxy'"):
        dk.read_http(path, observer="proxi")


def test_several_files_in_order_of_time(tmp_path: Path) -> None:
    late = write(tmp_path, TIMED, "late.log")
    early = write(tmp_path, HAR, "early.har")
    found = dk.read_http([late, early], tz="UTC")
    assert found["source"].tolist() == ["early.har"] * 2 + ["late.log"] * 3
    assert found["observer"].cat.categories.tolist() == ["backend", "proxy", "client"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2025-11-24 10:00:00 INFO up\n", "holds no request; known are access logs"),
        ('{"log": {"entries": 7}}', "is no HAR file"),
        ('{"log": {"entries": [', "is no HAR file"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceFormatError, match=said) as caught:
        dk.read_http(write(tmp_path, text), tz="UTC")
    assert "\n" not in str(caught.value)


def test_entries_that_are_no_requests_are_told(tmp_path: Path) -> None:
    body = json.loads(HAR)
    body["log"]["entries"] += [7, {"startedDateTime": "x"}]
    with pytest.warns(DiagkitWarning, match="2 entries are no requests"):
        assert len(dk.read_http(write(tmp_path, json.dumps(body)))) == 2


def test_lines_in_no_known_form_are_told(tmp_path: Path) -> None:
    odd = '10.0.0.9 "GET /a HTTP/1.1" took 3 ms\n'
    with pytest.warns(DiagkitWarning, match=r"1 record with HTTP/ .* at line 5"):
        assert len(dk.read_http(write(tmp_path, NGINX + odd), tz="UTC")) == 3


def test_numbers_out_of_range_are_no_statuses(tmp_path: Path) -> None:
    line = json.dumps({"http_code": 42, "time_total": -1, "method": "GET", "url": "/a"})
    found = dk.read_http(write(tmp_path, line + "\n"))
    assert found["status"].isna().all()
    assert found["duration_s"].isna().all()


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/tiles/42/days/2025-11-24", "/tiles/{id}/days/{id}"),
        ("/v2/users/550e8400-e29b-41d4-a716-446655440000", "/v2/users/{id}"),
        ("/blobs/9f86d081884c7d659a2feaa0c55ad015", "/blobs/{id}"),
        ("/users/sam@example.net/keys", "/users/{id}/keys"),
        ("/t/eyJhbGciOiJIUzI1NiJ9-xyz12/x", "/t/{id}/x"),
        # Words are none, however long, nor versions.
        (
            "/api/v1/internationalization-settings",
            "/api/v1/internationalization-settings",
        ),
        ("/decade/facade", "/decade/facade"),
    ],
)
def test_ids_are_folded(path: str, route: str) -> None:
    assert fold_ids(path) == route


WORD = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=12)


@given(
    scheme=st.sampled_from(["http", "https", "ws"]),
    user=st.sampled_from(["", "me@", "me:se@cret@"]),
    host=st.sampled_from(["shop", "shop:8000", "[::1]:80", "127.0.0.1"]),
    path=st.lists(WORD.map(lambda text: re.sub(r"[/?#]", "", text)), max_size=3),
    query=st.sampled_from(["", "?token=secret", "?a=http://b/c", "#top"]),
)
def test_urls_leave_their_secrets(
    scheme: str, user: str, host: str, path: list[str], query: str
) -> None:
    steps = "".join(f"/{step}" for step in path)
    origin, left = cut_url(f"{scheme}://{user}{host}{steps}{query}")
    assert (origin, left) == (f"{scheme}://{host}", steps or "/")
    assert cut_url(f"/{steps}{query}")[1] == f"/{steps}"


METHODS = st.sampled_from(["GET", "POST", "DELETE", "PROPFIND"])
STEP = st.text("abz09._-~%", min_size=1, max_size=8)


@pytest.mark.slow
@given(
    rows=st.lists(
        st.tuples(
            METHODS,
            st.lists(STEP, min_size=1, max_size=3).map(lambda s: "/" + "/".join(s)),
            st.integers(100, 599),
            st.integers(0, 10**5),
            st.sampled_from(["-", "curl/8", 'say \\"hi\\" [1]', "HTTP/1.1 200"]),
            st.sampled_from(["-", "frank", "a b"]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_combined_lines_of_any_kind(tmp_path_factory, rows) -> None:
    text = "".join(
        f"10.0.0.{n} - {user} [24/Nov/2025:10:00:{n:02d} +0100] "
        f'"{method} {path} HTTP/1.1" {status} 5 "{agent}" "{agent}" rt={ms / 1000}\n'
        for n, (method, path, status, ms, agent, user) in enumerate(rows)
    )
    found = dk.read_http(write(tmp_path_factory.mktemp("http"), text))
    assert found["method"].tolist() == [row[0] for row in rows]
    assert found["path"].tolist() == [row[1] for row in rows]
    assert found["status"].tolist() == [row[2] for row in rows]
    assert found["duration_s"].tolist() == [row[3] / 1000 for row in rows]
    assert found["timestamp"].dt.hour.tolist() == [9] * len(rows)
    assert found["line"].tolist() == list(range(1, len(rows) + 1))


def test_an_incident_has_its_requests(tmp_path: Path) -> None:
    write(tmp_path, UVICORN, "api.log")
    write(tmp_path, HAR, "browser.har")
    (tmp_path / "nginx").mkdir()
    write(tmp_path / "nginx", NGINX, "access.log")
    (tmp_path / "incident.toml").write_text('zone = "UTC"\n')
    incident = dk.open_incident(tmp_path)
    kinds = dict(zip(incident.contents["file"], incident.contents["kind"], strict=True))
    assert kinds["browser.har"] == "http"
    counts = incident.http["observer"].value_counts().to_dict()
    assert counts == {"backend": 3, "proxy": 3, "client": 2}
    assert set(incident.http["source"]) == {
        "api.log",
        "browser.har",
        "nginx/access.log",
    }


def test_an_incident_can_say_whose_a_file_is(tmp_path: Path) -> None:
    write(tmp_path, NGINX, "access.log")
    settings = tmp_path / "incident.toml"
    settings.write_text('zone = "UTC"\nobservers = { "access.log" = "backend" }\n')
    assert set(dk.open_incident(tmp_path).http["observer"]) == {"backend"}
    settings.write_text('observers = { "access.log" = "server" }\n')
    with pytest.raises(SettingError, match=r"'server' must be one of backend, proxy"):
        dk.open_incident(tmp_path)
