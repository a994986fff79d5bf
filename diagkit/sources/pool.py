"""Samples of connection pools and of the server behind them, to POOL and ACTIVITY."""

from __future__ import annotations

import csv
import io
from os import PathLike
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.errors import SourceFormatError, suggest
from diagkit.frames.pool import ACTIVITY, POOL
from diagkit.sources.checkouts import is_recording, read_recorded_pool
from diagkit.sources.files import open_text, refuse_empty
from diagkit.sources.paths import find_files
from diagkit.sources.times import parse_times

if TYPE_CHECKING:
    from pathlib import Path

    from diagkit.frames.contract import Contract
    from diagkit.sources.paths import Paths

# The spellings under which exports write a column of the contract; the first wins.
POOL_NAMES: dict[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "sampled_at", "time"),
    "pool": ("pool", "pool_name", "instance"),
    "size": ("size", "pool_size"),
    "max_overflow": ("max_overflow",),
    "checked_in": ("checked_in", "checkedin", "idle"),
    "checked_out": ("checked_out", "checkedout", "active", "used"),
    "overflow": ("overflow",),
    "waiting": ("waiting", "requests_waiting"),
}
ACTIVITY_NAMES: dict[str, tuple[str, ...]] = {
    name: (name,) for name in ACTIVITY.names
} | {"timestamp": ("timestamp", "sampled_at")}
# What a sample that does not name its pool is a sample of.
UNNAMED = "pool"
NEEDED = {"POOL": ("timestamp", "checked_out"), "ACTIVITY": ("timestamp", "pid")}


def read_pool(paths: Paths, tz: str | None = "UTC") -> pd.DataFrame:
    r"""Read samples of connection pools.

    Parameters
    ----------
    paths
        CSV files (plain or packed) with a row a sample; the columns are named as
        SQLAlchemy's ``QueuePool`` has them (``checkedout`` or ``checked_out`` ...).
        Or the folder that a `PoolRecorder` writes to.
    tz
        Zone of times without one.

    Returns
    -------
    pandas.DataFrame
        POOL, in order of time. SQLAlchemy's ``overflow()`` starts at minus the pool's
        size; here ``overflow`` is the number of connections above it, never below 0.

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
    """
    if isinstance(paths, str | PathLike) and is_recording(paths):
        return read_recorded_pool(paths)
    frame = _read(paths, POOL, POOL_NAMES, tz)
    frame["overflow"] = frame["overflow"].clip(lower=0)
    return frame.sort_values(["timestamp", "pool"], kind="stable", ignore_index=True)


def read_activity(paths: Paths, tz: str | None = "UTC") -> pd.DataFrame:
    r"""Read snapshots of PostgreSQL's view ``pg_stat_activity``.

    Parameters
    ----------
    paths
        CSV files (plain or packed) with a row a backend and snapshot; the columns are
        the view's own, and ``timestamp`` or ``sampled_at``.
    tz
        Zone of times without one.

    Returns
    -------
    pandas.DataFrame
        ACTIVITY, in order of time.

    Raises
    ------
    SourceFormatError
        Naming the file, the line and the column that cannot be used.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "activity.csv"
    >>> _ = path.write_text("sampled_at,pid,state\n2025-11-24T10:00:00Z,17,idle\n")
    >>> read_activity(path)["state"].tolist()
    ['idle']
    """
    frame = _read(paths, ACTIVITY, ACTIVITY_NAMES, tz)
    return frame.sort_values(["timestamp", "pid"], kind="stable", ignore_index=True)


def _read(
    paths: Paths, contract: Contract, names: dict[str, tuple[str, ...]], tz: str | None
) -> pd.DataFrame:
    files = find_files(paths)
    for file in files:
        refuse_empty(file.path)
    parts = [_read_csv(file.path, contract, names, tz) for file in files]
    return contract.conform(pd.concat(parts, ignore_index=True))


def _read_csv(
    path: Path, contract: Contract, names: dict[str, tuple[str, ...]], tz: str | None
) -> pd.DataFrame:
    with open_text(path) as text:
        # As text first: what cannot be used is then named by its line.
        try:
            raw = pd.read_csv(
                io.StringIO(text.read()),
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
            msg = f"{path}: is no CSV table ({str(error).strip()})"
            raise SourceFormatError(msg) from None
    columns = {
        name: next((raw[s] for s in spellings if s in raw.columns), None)
        for name, spellings in names.items()
    }
    for name in NEEDED[contract.name]:
        if columns[name] is None:
            near = suggest(name, map(str, raw.columns))
            msg = f"{path}: no column {' or '.join(names[name])}{near}"
            raise SourceFormatError(msg)
    cast = {
        column.name: _cast(values, column.dtype, f"{path}: {column.name}", tz)
        for column in contract.columns
        if (values := columns[column.name]) is not None
    }
    if "pool" in contract.names:
        named = cast.get("pool", pd.Series([None] * len(raw), dtype=object))
        cast["pool"] = named.fillna(UNNAMED)
    return contract.build(cast)


def _cast(values: pd.Series, dtype: str, where: str, tz: str | None) -> pd.Series:
    blank = values.str.strip() == ""
    if dtype.startswith("datetime64"):
        done = parse_times(values.where(~blank, None).tolist(), tz, where)
    elif dtype in ("Int64", "int64"):
        done = pd.to_numeric(values.where(~blank, None), errors="coerce")
        whole = done.isna() | (done % 1 == 0)
        done = done.where(whole).astype("Int64")
    else:
        return values.where(~blank, None)
    bad = done.isna() & ~blank
    if bad.any():
        row = int(bad.to_numpy().argmax())
        msg = (
            f"{where}: {values.iloc[row][:40]!r} in row {row + 1} is no {_said(dtype)}"
        )
        raise SourceFormatError(msg)
    return done


def _said(dtype: str) -> str:
    return "whole number" if dtype in ("Int64", "int64") else "time"
