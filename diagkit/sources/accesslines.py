"""Requests as servers and clients write them, as data: lines, objects of JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUEST = r"\"(?P<method>[A-Z]+) (?P<path>\S+)(?: HTTP/[\d.]+)?\""
_QUOTED = r"\"(?:[^\"\\]|\\.)*\""


@dataclass(frozen=True)
class LineFormat:
    """A line of an access log.

    Attributes
    ----------
    name
        Who writes it.
    observer
        As in HTTP.
    pattern
        The whole line, or a record's message. Groups: ``method``, ``path``,
        ``status``; ``upstream_status``, ``time``, ``seconds``, ``ms`` (all of them are
        added up), ``rest`` (``key=value`` pairs).
    example
        A line.
    """

    name: str
    observer: str
    pattern: re.Pattern[str]
    example: str


LINES = (
    LineFormat(
        "uvicorn",
        "backend",
        re.compile(rf"\S* - {_REQUEST} (?P<status>\d{{3}})(?: [A-Z][\w' -]*)?"),
        '127.0.0.1:5 - "GET / HTTP/1.1" 200 OK',
    ),
    LineFormat(
        "Traefik",
        "proxy",
        re.compile(
            rf"\S+ \S+ \S+ \[[^\]]+\] {_REQUEST} (?P<status>\d{{3}}) \S+ {_QUOTED} "
            rf"{_QUOTED} \d+ {_QUOTED} {_QUOTED} (?P<ms>\d+)ms"
        ),
        '10.0.0.9 - - [24/Nov/2025:10:00:00 +0000] "GET /a HTTP/1.1" 502 11 "-" '
        '"curl/8" 7 "api@docker" "http://10.0.0.2:8000" 3ms',
    ),
    LineFormat(
        "nginx, Apache, gunicorn",
        "proxy",
        re.compile(
            rf"\S+ \S+ .*?\[[^\]]+\] {_REQUEST} (?P<status>\d{{3}}) \S+"
            rf"(?: {_QUOTED} {_QUOTED})?(?P<rest>.*)"
        ),
        '10.0.0.9 - - [24/Nov/2025:10:00:00 +0000] "GET /a HTTP/1.1" 502 157 "-" '
        '"curl/8" rt=0.003 us=502',
    ),
    LineFormat(
        "HAProxy",
        "proxy",
        re.compile(
            r"\S+ \[(?P<time>[^\]]+)\] \S+ \S+ "
            r"-?\d+/-?\d+/-?\d+/(?P<answered>-?\d+)/\+?(?P<ms>\d+) (?P<status>-?\d+) "
            rf".*?{_REQUEST}"
        ),
        "10.0.1.2:33317 [24/Nov/2025:10:00:00.655] http-in static/srv1 "
        '10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index.html HTTP/1.1"',
    ),
    LineFormat(
        "AWS ALB",
        "proxy",
        re.compile(
            r"(?:https?|h2|grpcs|wss?) (?P<time>\S+) \S+ \S+ \S+ "
            r"(?P<seconds>-?[\d.]+ -?[\d.]+ -?[\d.]+) (?P<status>\d{3}) "
            rf"(?P<upstream_status>\d{{3}}|-) \d+ \d+ {_REQUEST} .*"
        ),
        "http 2025-11-24T10:00:00.186641Z app/lb/50dc6c495c0c9188 192.168.131.39:2817 "
        '10.0.0.1:80 0.000 0.001 0.000 502 - 34 366 "GET http://a.example:80/x '
        'HTTP/1.1" "curl/7.46.0" - - arn:aws "Root=1" "-" "-" 0',
    ),
)
# Under which keys the last fields of a line stand, where they have keys.
PAIR = re.compile(r"(\w+)=\"?([^\s\",]+)")
DURATION_KEYS = ("request_time", "rt", "duration")
UPSTREAM_KEYS = ("upstream_status", "us", "ustatus")


@dataclass(frozen=True)
class ObjectFormat:
    """An object of a JSON log or export.

    Attributes
    ----------
    name
        Who writes it.
    observer
        As in HTTP.
    keys
        For each field the keys it may stand under, ``a.b`` for b within a.
    needs
        Keys that tell it, and the values of those that have one.
    scale
        Seconds in a unit of its duration.
    """

    name: str
    observer: str
    keys: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, str | None] = field(default_factory=dict)
    scale: float = 1.0


_TIMES = ("timestamp", "time", "@timestamp", "ts", "time_iso8601", "time_local", "msec")
OBJECTS = (
    ObjectFormat(
        "Caddy",
        "proxy",
        {
            "method": ("request.method",),
            "path": ("request.uri",),
            "status": ("status",),
            "duration": ("duration",),
            "time": _TIMES,
        },
        {"request.method": None, "request.uri": None, "status": None},
    ),
    ObjectFormat(
        "Traefik",
        "proxy",
        {
            "method": ("RequestMethod",),
            "path": ("RequestPath",),
            "status": ("DownstreamStatus",),
            "upstream_status": ("OriginStatus",),
            "duration": ("Duration",),
            "time": ("StartUTC", "time"),
        },
        {"RequestMethod": None, "DownstreamStatus": None},
        1e-9,
    ),
    ObjectFormat(
        "k6",
        "client",
        {
            "method": ("data.tags.method",),
            "path": ("data.tags.url",),
            "status": ("data.tags.status",),
            "duration": ("data.value",),
            "time": ("data.time",),
        },
        {"type": "Point", "metric": "http_req_duration"},
        1e-3,
    ),
    ObjectFormat(
        "curl",
        "client",
        {
            "method": ("method",),
            "path": ("url_effective", "url"),
            "status": ("http_code", "response_code"),
            "duration": ("time_total",),
            "time": _TIMES,
        },
        {"http_code": None, "time_total": None},
    ),
    ObjectFormat(
        "HAR",
        "client",
        {
            "method": ("request.method",),
            "path": ("request.url",),
            "status": ("response.status",),
            "duration": ("time",),
            "time": ("startedDateTime",),
        },
        {"startedDateTime": None, "request.url": None},
        1e-3,
    ),
    ObjectFormat(
        "nginx as JSON",
        "proxy",
        {
            "method": ("request_method", "method"),
            "path": ("request_uri", "uri", "path"),
            "status": ("status",),
            "upstream_status": ("upstream_status",),
            "duration": ("request_time", "duration"),
            "time": _TIMES,
        },
        {"request_method": None, "status": None},
    ),
)
# How a HAR file begins.
HAR = re.compile(r"\A\s*\{\s*\"log\"\s*:\s*\{")
# A CSV of a client: under which names its columns stand (the first is k6's).
CSV_NAMES = {
    "time": _TIMES,
    "method": ("method",),
    "path": ("url", "path", "name"),
    "status": ("status", "status_code", "http_code"),
    "duration": ("metric_value", "duration_ms"),
}


def read_line(text: str) -> tuple[LineFormat, dict[str, Any]] | None:
    """Read a line of an access log.

    Parameters
    ----------
    text
        The line, or the message of its record.

    Returns
    -------
    tuple or None
        Its format and ``method``, ``path``, ``status``, ``upstream_status``,
        ``duration_s``, ``time``; None where it is no such line.

    Examples
    --------
    >>> known, row = read_line('127.0.0.1:5 - "GET /a HTTP/1.1" 503 Unavailable')
    >>> known.name, row["path"], row["status"]
    ('uvicorn', '/a', 503)
    """
    for known in LINES:
        found = known.pattern.fullmatch(text)
        if found:
            groups = {k: v for k, v in found.groupdict().items() if v is not None}
            return known, _of_line(groups)
    return None


def _of_line(groups: dict[str, str]) -> dict[str, Any]:
    pairs = dict(PAIR.findall(groups.get("rest", "")))
    duration = next((pairs[key] for key in DURATION_KEYS if key in pairs), None)
    upstream = next((pairs[key] for key in UPSTREAM_KEYS if key in pairs), None)
    row = {
        "method": groups["method"],
        "path": groups["path"],
        "status": _whole(groups["status"]),
        "upstream_status": _whole(groups.get("upstream_status", upstream)),
        "duration_s": _float(duration),
        "time": groups.get("time"),
    }
    if "ms" in groups:
        row["duration_s"] = int(groups["ms"]) / 1000
    if "seconds" in groups:
        parts = [float(part) for part in groups["seconds"].split()]
        row["duration_s"] = sum(parts) if min(parts) >= 0 else None
    # HAProxy: whether the server ever began to answer.
    if int(groups.get("answered", -1)) >= 0:
        row["upstream_status"] = row["status"]
    return row


def read_object(body: dict[str, Any]) -> tuple[ObjectFormat, dict[str, Any]] | None:
    """Read a request from an object of a JSON log or export.

    Parameters
    ----------
    body
        The object.

    Returns
    -------
    tuple or None
        As for `read_line`.

    Examples
    --------
    >>> body = {"request": {"method": "GET", "uri": "/a"}, "status": 502, "ts": 1.5}
    >>> known, row = read_object(body)
    >>> known.name, row["status"], row["time"]
    ('Caddy', 502, 1.5)
    """
    for known in OBJECTS:
        if all(
            (got := _look_up(body, key)) is not None and value in (None, got)
            for key, value in known.needs.items()
        ):
            row = {
                name: next(
                    (v for key in keys if (v := _look_up(body, key)) is not None), None
                )
                for name, keys in known.keys.items()
            }
            duration = _float(row.pop("duration", None))
            row["duration_s"] = None if duration is None else duration * known.scale
            for name in ("status", "upstream_status"):
                row[name] = _whole(row.get(name))
            if isinstance(row["method"], str) and isinstance(row["path"], str):
                return known, row
    return None


def read_json_line(line: str) -> dict[str, Any] | None:
    """Read a request from a line of JSON.

    Parameters
    ----------
    line
        The line.

    Returns
    -------
    dict or None
        As `read_object` gives it, and its ``format``; None where it is none.
    """
    try:
        body = json.loads(line)
    except ValueError:
        return None
    found = read_object(body) if isinstance(body, dict) else None
    return None if found is None else found[1] | {"format": found[0]}


def is_har(head: str) -> bool:
    """Tell by its head whether a file is a browser's record of requests.

    Parameters
    ----------
    head
        How it begins.

    Returns
    -------
    bool
        True for HAR.
    """
    return HAR.match(head) is not None


def is_request_table(lines: list[str]) -> bool:
    """Tell by its header whether a CSV file has requests.

    Parameters
    ----------
    lines
        How it begins.

    Returns
    -------
    bool
        True where it has methods, paths and statuses.
    """
    header = {name.strip() for name in (lines[:1] or [""])[0].split(",")}
    needs = (CSV_NAMES[name] for name in ("method", "path", "status"))
    return all(header.intersection(names) for names in needs)


def has_request_objects(lines: list[str], observer: str | None = None) -> bool:
    """Tell by its head whether a file has requests as objects of JSON.

    Parameters
    ----------
    lines
        How it begins.
    observer
        Whose; None: anybody's.

    Returns
    -------
    bool
        True where one of the lines is such an object.
    """
    found = (read_json_line(line) for line in lines if line.startswith("{"))
    return any(
        row is not None and observer in (None, row["format"].observer) for row in found
    )


def _look_up(body: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(body, dict) or part not in body:
            return None
        body = body[part]
    return body


def _whole(value: Any) -> int | None:
    """Return a status; what is none, 0 or -1 is no answer."""
    try:
        number = int(str(value).split(",")[-1])
    except ValueError:
        return None
    return number if 100 <= number <= 999 else None


def _float(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < float("inf") else None
