"""Requests as servers and clients write them, as data: objects of JSON, tables."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagkit.sources.accesslines import read_seconds, read_status

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        # Its log of errors tells of the same requests again.
        {"request.method": None, "status": None, "msg": "handled request"},
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
            "error": ("data.tags.error", "data.tags.error_code"),
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
            "error": ("errormsg",),
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
            "error": ("response._error", "response._failureText"),
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
    "error": ("error", "error_code"),
}


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
    >>> body = {"request": {"method": "GET", "uri": "/a"}, "status": 502, "ts": 1.5,
    ...     "msg": "handled request"}
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
            duration = read_seconds(row.pop("duration", None))
            row["duration_s"] = None if duration is None else duration * known.scale
            for name in ("status", "upstream_status"):
                row[name] = read_status(row.get(name))
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
