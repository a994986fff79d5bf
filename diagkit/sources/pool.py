"""Samples of connection pools to POOL."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.errors import SourceFormatError
from diagkit.frames.pool import POOL
from diagkit.sources import poolreports
from diagkit.sources.checkouts import is_recording, read_recorded_pool
from diagkit.sources.decoding import find_encoding
from diagkit.sources.files import iterate_lines, read_head, refuse_empty, warn_of
from diagkit.sources.logs import read_logs
from diagkit.sources.paths import find_files
from diagkit.sources.poolformats import FORMATS, find_pool_format
from diagkit.sources.sampletables import (
    POOL_NAMES,
    UNNAMED,
    is_sample_table,
    read_sample_table,
)
from diagkit.sources.times import parse_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from diagkit.sources.paths import Paths


def read_pool(paths: Paths, tz: str | None = "UTC") -> pd.DataFrame:
    r"""Read samples of connection pools, whoever took them.

    What a file is is told by its content: a table of samples; PgBouncer's ``SHOW
    POOLS``, as psql's ``\watch`` prints it or with a column of times; JSON lines of
    psycopg_pool's ``get_stats()`` with a time beside them; metrics of OpenTelemetry
    (OTLP JSON) or Prometheus (with time stamps); else a log, in which SQLAlchemy's
    ``pool.status()`` and HikariCP's figures are looked for.

    Parameters
    ----------
    paths
        Files, plain or packed. The columns of a CSV or parquet file are named as
        SQLAlchemy's ``QueuePool`` has them (``checkedout`` or ``checked_out`` ...).
        Or the folder that a `PoolRecorder` writes to.
    tz
        Zone of times without one.

    Returns
    -------
    pandas.DataFrame
        POOL, in order of time. SQLAlchemy's ``overflow()`` starts at minus the pool's
        size; here ``overflow`` is the number of connections above it, never below 0.
        Where a pool has one limit alone (HikariCP, OpenTelemetry), that is ``size``,
        and ``max_overflow`` is 0; psycopg_pool's ``min_size`` is ``size``.

    Raises
    ------
    SourceFormatError
        Naming the file, the line and the column that cannot be used.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "pool.csv"
    >>> text = "sampled_at,size,checkedout,overflow\n2025-11-24T10:00:00Z,5,2,-3\n"
    >>> _ = path.write_text(text)
    >>> int(read_pool(path).loc[0, "overflow"])
    0
    >>> path = path.with_name("api.log")
    >>> _ = path.write_text("2025-11-24 10:00:00,123 DEBUG HikariPool: shop - Pool "
    ...     "stats (total=10, active=7, idle=3, waiting=0)\n")
    >>> read_pool(path)[["pool", "checked_out", "checked_in"]].values.tolist()
    [['shop', 7, 3]]
    """
    if isinstance(paths, str | PathLike) and is_recording(paths):
        return read_recorded_pool(paths)
    parts = [_read_file(file.path, tz) for file in find_files(paths)]
    frame = POOL.conform(pd.concat(parts, ignore_index=True))
    frame["overflow"] = frame["overflow"].clip(lower=0)
    return frame.sort_values(["timestamp", "pool"], kind="stable", ignore_index=True)


def _read_file(path: Path, tz: str | None) -> pd.DataFrame:
    refuse_empty(path)
    raw = read_head(path)
    head = raw.decode(find_encoding(raw), errors="replace")
    known = None if is_sample_table(path, POOL) else find_pool_format(head)
    if known is not None:
        return _build(path, known.read(str(path), iterate_lines(path)), tz)
    if is_sample_table(path, POOL) or path.name.removesuffix(".gz").endswith(
        (".csv", ".tsv", ".parquet")
    ):
        return read_sample_table(path, POOL, POOL_NAMES, tz)
    if poolreports.STATS.search(head):
        msg = (
            f"{path}: SHOW STATS counts transactions, and says nothing of connections; "
            "record SHOW POOLS"
        )
        raise SourceFormatError(msg)
    return _build(path, _read_log(path, tz), tz)


def _read_log(path: Path, tz: str | None) -> Iterator[dict[str, Any]]:
    logs = read_logs(path, tz=tz, matching=poolreports.LITERALS, progress=False)
    found = undated = 0
    columns = (logs[name] for name in ("timestamp", "line", "message"))
    for time, line, message in zip(*columns, strict=True):
        row = poolreports.read_message(message)
        if row is None:
            continue
        found += 1
        if pd.isna(time):
            undated += 1
        else:
            yield row | {"timestamp": time.isoformat(), "line": line}
    if found == undated:
        why = (
            f"{undated} samples of a pool, none with a time: log them with one"
            if undated
            else "no sample of a pool; known are tables, logs with SQLAlchemy's "
            f"pool.status() or HikariCP's figures, {', '.join(f.name for f in FORMATS)}"
        )
        msg = f"{path}: {why}"
        raise SourceFormatError(msg)
    if undated:
        warn_of(path, f"{undated} of {found} samples have no time and are left out")


def _build(path: Path, rows: Iterable[dict[str, Any]], tz: str | None) -> pd.DataFrame:
    kept = list(rows)
    times = parse_times([row["timestamp"] for row in kept], tz, str(path))
    if times.isna().any():
        bad = kept[int(times.isna().to_numpy().argmax())]
        msg = f"{path}:{bad['line']}: {str(bad['timestamp'])[:40]!r} is no time"
        raise SourceFormatError(msg)
    names = [name for name in POOL.names if name not in ("timestamp", "pool")]
    body: dict[str, Any] = {
        name: pd.array([row.get(name) for row in kept], "Int64") for name in names
    }
    body["timestamp"] = times
    body["pool"] = [row.get("pool") or UNNAMED for row in kept]
    return POOL.build(body)
