"""Requests as servers write them, as data: lines of access logs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

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
        ``status``; ``upstream_status``, ``time``, ``seconds`` (added up), ``ms``,
        ``error``, ``rest`` (``key=value`` pairs).
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
            rf"\S+ \S+ \S+ (?P<error>[A-Za-z-]{{2}})\S* .*?{_REQUEST}"
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
        "status": read_status(groups["status"]),
        "upstream_status": read_status(groups.get("upstream_status", upstream)),
        "duration_s": read_seconds(duration),
        "time": groups.get("time"),
        "error": groups.get("error"),
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


def read_status(value: Any) -> int | None:
    """Read a status.

    Parameters
    ----------
    value
        A text or a number; nginx's of several upstreams: the last one counts.

    Returns
    -------
    int or None
        None for what is no answer: ``-``, 0, -1.

    Examples
    --------
    >>> read_status("502, 200"), read_status(0)
    (200, None)
    """
    try:
        number = int(str(value).split(",")[-1])
    except ValueError:
        return None
    return number if 100 <= number <= 999 else None


def read_seconds(value: Any) -> float | None:
    """Read a duration.

    Parameters
    ----------
    value
        A text or a number.

    Returns
    -------
    float or None
        None for what is none, negative or not finite.

    Examples
    --------
    >>> read_seconds("0.25"), read_seconds("-")
    (0.25, None)
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < float("inf") else None
