"""Requests as backends, proxies and clients saw them, to HTTP."""

from __future__ import annotations

import csv
import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.errors import SettingError, SourceFormatError, suggest
from diagkit.frames.http import HTTP, OBSERVERS
from diagkit.sources.accesslines import read_line
from diagkit.sources.accessobjects import (
    CSV_NAMES,
    has_request_objects,
    is_har,
    is_request_table,
    read_json_line,
    read_object,
)
from diagkit.sources.decoding import find_encoding
from diagkit.sources.files import iterate_lines, open_text, read_head, warn_of
from diagkit.sources.logs import read_logs
from diagkit.sources.paths import find_files
from diagkit.sources.times import parse_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from diagkit.sources.paths import Paths

# Parts of a path that name one thing of many.
IDS = re.compile(
    r"(?<=/)(?:\d+|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}|\d{4}-\d\d-\d\d|[^/@\s]+@[^/@\s]+"
    r"|(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{20,})(?=/|$)"
)
# How a URL begins, as clients write it.
ORIGIN = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<host>[^/?#]*)")
# What stands in every access log of text, and is looked for before a line is read.
LITERALS = (" HTTP/1.", " HTTP/2", " HTTP/3", " HTTP/0.9")
# A gunicorn's log: what it says of its workers.
GUNICORN = re.compile(r"\[\d+\] \[INFO\] (?:Starting gunicorn|Booting worker)")


def read_http(
    paths: Paths, tz: str | None = None, observer: str | None = None
) -> pd.DataFrame:
    r"""Read requests from access logs, and from what clients recorded.

    Told by content, line by line: uvicorn, gunicorn, nginx and Apache (with further
    fields as ``key=value``, or as JSON), HAProxy, Traefik, Caddy and AWS ALB; HAR
    files of browsers, k6 (JSON or CSV) and ``curl -w '%{json}'``. Lines that are no
    requests (an application's own log in the same file) are passed over.

    Parameters
    ----------
    paths
        Files, plain or packed, in any envelope that `read_logs` knows.
    tz
        Zone of times without one. None: UTC, with one warning.
    observer
        ``backend``, ``proxy`` or ``client``; None: by the format. What nginx, Apache
        and gunicorn write alike is taken for a proxy's, and for a backend's where
        gunicorn says of its workers in the same file.

    Returns
    -------
    pandas.DataFrame
        HTTP, in order of time; those without one last. Queries are cut off.

    Raises
    ------
    SourceFormatError
        If a file holds no request.
    SettingError
        If `observer` is something else.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "console.log"
    >>> _ = path.write_text('INFO:     ::1:5 - "GET /tiles/42?x=1 HTTP/1.1" 200 OK\n')
    >>> read_http(path)[["observer", "route", "status"]].values.tolist()
    [['backend', '/tiles/{id}', 200]]
    """
    if observer is not None and observer not in OBSERVERS:
        near = suggest(observer, OBSERVERS)
        msg = f"observer is one of {', '.join(OBSERVERS)}; {observer!r} came{near}"
        raise SettingError(msg)
    parts = [read_http_file(file.path, tz, observer) for file in find_files(paths)]
    for file, part in zip(find_files(paths), parts, strict=True):
        if part.empty:
            msg = f"{file.path}: holds no request; known are access logs, HAR, k6, curl"
            raise SourceFormatError(msg)
    return join_requests(parts)


def join_requests(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put requests of several files together.

    Parameters
    ----------
    parts
        HTTP frames.

    Returns
    -------
    pandas.DataFrame
        HTTP, in order of time; those without one last.
    """
    filled = [part.astype({"observer": "str"}) for part in parts if len(part)]
    joined = pd.concat(filled, ignore_index=True) if filled else HTTP.empty()
    frame = HTTP.order(HTTP.conform(joined), observer=OBSERVERS)
    return frame.sort_values("timestamp", kind="stable", ignore_index=True)


def read_http_file(
    path: Path, tz: str | None, observer: str | None = None, name: str | None = None
) -> pd.DataFrame:
    """Read the requests of one file.

    Parameters
    ----------
    path
        The file.
    tz, observer
        As for `read_http`.
    name
        What to call it; None: its own name.

    Returns
    -------
    pandas.DataFrame
        HTTP, in the order of the file; without rows where it holds no request.
    """
    raw = read_head(path)
    head = raw.decode(find_encoding(raw), errors="replace")
    rows = list(_find_rows(path, head, tz))
    default = "backend" if GUNICORN.search(head) else None
    return _build(path, rows, tz, observer, default, name or path.name)


def _find_rows(path: Path, head: str, tz: str | None) -> Iterator[dict[str, Any]]:
    first = head.lstrip("\ufeff \r\n")
    if is_har(first):
        return _read_har(path)
    lines = first.splitlines()[:50]
    if is_request_table(lines):
        return _read_csv(path)
    text = _read_text(path, tz)
    return chain(_read_objects(path), text) if has_request_objects(lines) else text


def _read_text(path: Path, tz: str | None) -> Iterator[dict[str, Any]]:
    logs = read_logs(path, tz=tz, matching=LITERALS, progress=False)
    columns = (logs[name] for name in ("timestamp", "message", "line"))
    found, odd = 0, []
    for time, message, line in zip(*columns, strict=True):
        read = read_line(message)
        if read is None:
            odd.append(line)
            continue
        found += 1
        known, row = read
        when = row["time"] or (None if pd.isna(time) else time.isoformat())
        yield row | {"format": known, "time": when, "line": line}
    if found and odd:
        many = f"{len(odd)} record{'' if len(odd) == 1 else 's'}"
        warn_of(path, f"{many} with HTTP/ in no known form; the first at line {odd[0]}")


def _read_objects(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(iterate_lines(path), 1):
        found = read_json_line(line) if line.startswith("{") else None
        if found is not None:
            yield found | {"line": number}


def _read_har(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open_text(path) as stream:
            text = stream.read().lstrip("\ufeff")
        entries = json.loads(text)["log"]["entries"]
        bodies = enumerate(entries, 1)
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path}: is no HAR file ({type(error).__name__}: {error})"
        raise SourceFormatError(msg.splitlines()[0]) from None
    odd = 0
    for number, body in bodies:
        found = read_object(body) if isinstance(body, dict) else None
        if found is None:
            odd += 1
        else:
            yield found[1] | {"format": found[0], "line": number}
    if odd:
        warn_of(path, f"{odd} entries are no requests; they are left out")


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with open_text(path) as stream:
        rows = csv.DictReader(stream)
        chosen = {
            name: next((n for n in names if n in (rows.fieldnames or ())), None)
            for name, names in CSV_NAMES.items()
        }
        for row in rows:
            # k6 writes each of its metrics in a row of its own.
            if row.get("metric_name", "http_req_duration") != "http_req_duration":
                continue
            body = {name: row.get(column or "") for name, column in chosen.items()}
            status = body["status"] or ""
            took = body["duration"] or ""
            yield {
                "method": body["method"] or "",
                "path": body["path"] or "",
                "status": int(status) if re.fullmatch(r"[1-9]\d\d", status) else None,
                "upstream_status": None,
                "duration_s": float(took) / 1000 if _is_number(took) else None,
                "time": body["time"],
                "error": body["error"],
                "line": rows.line_num,
                "format": None,
            }


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(?:\.\d*)?", text) is not None


def _build(
    path: Path,
    rows: list[dict[str, Any]],
    tz: str | None,
    observer: str | None,
    default: str | None,
    name: str,
) -> pd.DataFrame:
    cut = [cut_url(row["path"]) for row in rows]
    paths = [one for _, one in cut]
    return HTTP.build(
        {
            "timestamp": parse_times([row.get("time") for row in rows], tz, str(path)),
            "observer": [observer or _observer(row, default) for row in rows],
            "method": [row["method"] for row in rows],
            "path": paths,
            "route": [fold_ids(one) for one in paths],
            "status": pd.array([row["status"] for row in rows], "Int64"),
            "duration_s": [row["duration_s"] for row in rows],
            "upstream_status": pd.array(
                [row.get("upstream_status") for row in rows], "Int64"
            ),
            "source": [name] * len(rows),
            "line": [row["line"] for row in rows],
            "origin": [origin for origin, _ in cut],
            "error": [_say_error(row.get("error")) for row in rows],
        }
    )


def _say_error(said: object) -> str | None:
    # HAProxy's two hyphens, a client's empty text or 0: nothing broke off.
    text = "" if said is None else str(said)
    return text if text.strip("-0 ") else None


def _observer(row: dict[str, Any], default: str | None) -> str:
    known = row["format"]
    if known is None:
        return "client"
    # What gunicorn and nginx write alike.
    return default or known.observer if known.observer == "proxy" else known.observer


def fold_ids(path: str) -> str:
    """Fold what names one thing of many in a path.

    Parameters
    ----------
    path
        A path without its query.

    Returns
    -------
    str
        The route: numbers, UUIDs, hashes, dates, addresses and tokens are ``{id}``.

    Examples
    --------
    >>> fold_ids("/api/v1/tiles/42/days/2025-11-24")
    '/api/v1/tiles/{id}/days/{id}'
    """
    return IDS.sub("{id}", path)


def cut_url(url: str) -> tuple[str | None, str]:
    """Leave of a URL its origin and its path: queries and users hold secrets.

    Parameters
    ----------
    url
        A URL, or the target of a request line.

    Returns
    -------
    tuple
        The origin (None where there is none) and the path.

    Examples
    --------
    >>> cut_url("https://me:secret@shop:8443/tiles?key=1")
    ('https://shop:8443', '/tiles')
    """
    found = ORIGIN.match(url)
    rest = url[found.end() :] if found else url
    path = re.split(r"[?#]", rest, maxsplit=1)[0] or "/"
    if found is None:
        return None, path
    return f"{found['scheme']}://{found['host'].rpartition('@')[2]}", path
