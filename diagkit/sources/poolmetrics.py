"""Pool metrics as monitoring exports them: Prometheus text, OpenTelemetry JSON."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from diagkit.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Metric(NamedTuple):
    """A metric, and what it is of a pool."""

    name: str
    column: str
    labels: Mapping[str, str] = MappingProxyType({})


_USED, _IDLE = MappingProxyType({"state": "used"}), MappingProxyType({"state": "idle"})
# Names are OpenTelemetry's (the semantic conventions of today, and those before 1.27),
# Micrometer's, and those of PgBouncer's exporter. ``capacity`` is the one limit of a
# pool without overflow.
METRICS = (
    Metric("db.client.connection.count", "checked_out", _USED),
    Metric("db.client.connection.count", "checked_in", _IDLE),
    Metric("db.client.connection.max", "capacity"),
    Metric("db.client.connection.pending_requests", "waiting"),
    Metric("db.client.connections.usage", "checked_out", _USED),
    Metric("db.client.connections.usage", "checked_in", _IDLE),
    Metric("db.client.connections.max", "capacity"),
    Metric("db.client.connections.pending_requests", "waiting"),
    Metric("hikaricp.connections.active", "checked_out"),
    Metric("hikaricp.connections.idle", "checked_in"),
    Metric("hikaricp.connections.pending", "waiting"),
    Metric("hikaricp.connections.max", "capacity"),
    Metric("jdbc.connections.active", "checked_out"),
    Metric("jdbc.connections.idle", "checked_in"),
    Metric("jdbc.connections.max", "capacity"),
    Metric("pgbouncer.pools.server.active.connections", "checked_out"),
    Metric("pgbouncer.pools.server.idle.connections", "checked_in"),
    Metric("pgbouncer.pools.client.waiting.connections", "waiting"),
)


def _plain(name: str) -> str:
    """Write a name as Prometheus does."""
    return name.replace(".", "_")


_KNOWN = {
    _plain(metric.name): [m for m in METRICS if m.name == metric.name]
    for metric in METRICS
}
# Labels that name the pool, the first that is there.
POOL_LABELS = (
    ("db_client_connection_pool_name",),
    ("pool_name",),
    ("pool",),
    ("database", "user"),
    ("name",),
    ("service_name",),
)
LINE = re.compile(
    r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>(?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\})?"
    r"[ \t]+(?P<value>\S+)(?:[ \t]+(?P<time>-?[\d.]+(?:e\+?\d+)?))?[ \t]*(?:#.*)?"
)
LABEL = re.compile(r"([a-zA-Z_]\w*)=\"((?:[^\"\\]|\\.)*)\"")
ESCAPE = re.compile(r"\\(.)")
# How the heads of such files look.
PROMETHEUS = re.compile(rf"(?m)^(?:# (?:TYPE|HELP|UNIT) )?(?:{'|'.join(_KNOWN)})\b")
OTLP = re.compile(r"\A\s*\{\s*\"resource_?[mM]etrics\"")


class Sample(NamedTuple):
    """A value of one metric."""

    line: int
    batch: object
    time: object
    name: str
    labels: Mapping[str, str]
    value: float


def read_prometheus(where: str, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read samples of Prometheus's or OpenMetrics's text exposition.

    Parameters
    ----------
    where
        The file's name, for the error.
    lines
        Its lines.

    Yields
    ------
    dict
        A row of POOL, and its ``line``.

    Raises
    ------
    SourceFormatError
        Where a sample has no time, or is none.
    """
    return _to_rows(where, _read_exposition(where, lines))


def read_otlp(where: str, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read metrics that OpenTelemetry exported as JSON (OTLP), a line an export.

    Parameters
    ----------
    where, lines
        As for `read_prometheus`.

    Yields
    ------
    dict
        A row of POOL, and its ``line``.

    Raises
    ------
    SourceFormatError
        Where a line is no such export.
    """
    return _to_rows(where, _read_exports(where, lines))


def _read_exposition(where: str, lines: Iterable[str]) -> Iterator[Sample]:
    for number, line in enumerate(lines, 1):
        if line.startswith("#") or not line.strip():
            continue
        found = LINE.fullmatch(line)
        if found is None:
            msg = f"{where}:{number}: {line[:60]!r} is no sample of Prometheus's"
            raise SourceFormatError(msg)
        if found["name"] not in _KNOWN:
            continue
        if found["time"] is None:
            msg = (
                f"{where}:{number}: the sample has no time; export the series with "
                "their time stamps (/federate, or promtool tsdb dump-openmetrics)"
            )
            raise SourceFormatError(msg)
        labels = {
            name: ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], value)
            for name, value in LABEL.findall(found["labels"] or "")
        }
        value, time = _number(found["value"]), _number(found["time"])
        yield Sample(number, time, time, found["name"], labels, value)


def _read_exports(where: str, lines: Iterable[str]) -> Iterator[Sample]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            body = json.loads(line)
            for resource in body.get("resourceMetrics") or body["resource_metrics"]:
                yield from _read_resource(number, resource)
        except (ValueError, KeyError, TypeError, AttributeError):
            msg = f"{where}:{number}: is no export of OpenTelemetry's (OTLP JSON)"
            raise SourceFormatError(msg) from None


def _read_resource(number: int, resource: dict[str, Any]) -> Iterator[Sample]:
    own = _attributes(resource.get("resource", {}))
    for scope in resource.get("scopeMetrics", ()):
        for metric in scope.get("metrics", ()):
            name = _plain(metric["name"])
            if name not in _KNOWN:
                continue
            kind = metric.get("sum") or metric.get("gauge") or {}
            for point in kind.get("dataPoints", ()):
                labels = own | _attributes(point)
                value = float(point.get("asInt", point.get("asDouble", "nan")))
                time = int(point["timeUnixNano"])
                yield Sample(number, number, time, name, labels, value)


def _attributes(holder: dict[str, Any]) -> dict[str, str]:
    return {
        _plain(one["key"]): str(next(iter(one["value"].values()), ""))
        for one in holder.get("attributes", ())
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _to_rows(where: str, samples: Iterable[Sample]) -> Iterator[dict[str, Any]]:
    """Put the values of one moment and pool into one row."""
    rows: dict[tuple[object, str], dict[str, Any]] = {}
    for sample in samples:
        pool = _find_pool(sample.labels)
        row = rows.setdefault(
            (sample.batch, pool),
            {"line": sample.line, "pool": pool, "timestamp": sample.time},
        )
        row["timestamp"] = max(row["timestamp"], sample.time)
        for metric in _KNOWN[sample.name]:
            if metric.labels.items() <= sample.labels.items():
                # Several series of one pool and moment are of several processes.
                row[metric.column] = row.get(metric.column, 0) + _count(where, sample)
    for row in rows.values():
        if "capacity" in row:
            row["size"], row["max_overflow"] = row.pop("capacity"), 0
        yield row


def _count(where: str, sample: Sample) -> int:
    if not sample.value.is_integer():
        msg = f"{where}:{sample.line}: {sample.value} is no number of connections"
        raise SourceFormatError(msg)
    return int(sample.value)


def _find_pool(labels: Mapping[str, str]) -> str:
    for names in POOL_LABELS:
        if all(labels.get(name) for name in names):
            return "/".join(labels[name] for name in names)
    return ""
