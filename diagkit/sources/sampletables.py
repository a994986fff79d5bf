"""Tables of samples, as exports write them, to the columns of a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from diagkit.errors import SourceFormatError, suggest
from diagkit.frames.contract import UTC_TIME
from diagkit.frames.pool import ACTIVITY
from diagkit.sources.cells import to_text, to_times
from diagkit.sources.files import refuse_empty
from diagkit.sources.paths import find_files
from diagkit.sources.tables import read_table, table_columns
from diagkit.sources.times import find_zone, parse_times

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from diagkit.frames.contract import Column, Contract
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
MOST = 2.0**53
NEEDED = {"POOL": ("timestamp", "checked_out"), "ACTIVITY": ("timestamp", "pid")}


def read_samples(
    paths: Paths, contract: Contract, names: dict[str, tuple[str, ...]], tz: str | None
) -> pd.DataFrame:
    """Read tables of samples into one frame.

    Parameters
    ----------
    paths
        CSV files, plain or packed, and parquet files.
    contract
        POOL or ACTIVITY.
    names
        Its columns, and under which names they may stand.
    tz
        Zone of times without one.

    Returns
    -------
    pandas.DataFrame
        In the order of the files.

    Raises
    ------
    SourceFormatError
        Naming the file, the row and the column that cannot be used.
    """
    files = find_files(paths)
    for file in files:
        refuse_empty(file.path)
    parts = [read_sample_table(file.path, contract, names, tz) for file in files]
    return contract.conform(pd.concat(parts, ignore_index=True))


def read_sample_table(
    path: Path, contract: Contract, names: dict[str, tuple[str, ...]], tz: str | None
) -> pd.DataFrame:
    """Read one table of samples.

    Parameters
    ----------
    path
        A CSV file, plain or packed, or a parquet file.
    contract, names, tz
        As for `read_samples`.

    Returns
    -------
    pandas.DataFrame
        Of the contract.

    Raises
    ------
    SourceFormatError
        Naming the file, the row and the column that cannot be used.
    """
    header = {name.strip(): name for name in reversed(table_columns(path))}
    chosen = {
        name: next((s for s in spellings if s in header), None)
        for name, spellings in names.items()
    }
    for name in NEEDED[contract.name]:
        if chosen[name] is None:
            msg = f"{path}: no column {' or '.join(names[name])}{suggest(name, header)}"
            raise SourceFormatError(msg)
    used = {name: header[spelled] for name, spelled in chosen.items() if spelled}
    # As text first: what cannot be used is then named by its row.
    raw = read_table(path, list(used.values()), cut_off=_is_own(header, contract))
    renamed = raw.rename(columns={spelled: name for name, spelled in used.items()})
    return cast_samples(renamed, contract, path, tz)


def cast_samples(
    raw: pd.DataFrame, contract: Contract, path: Path, tz: str | None
) -> pd.DataFrame:
    """Turn columns of text, or typed ones, into those of a contract.

    Parameters
    ----------
    raw
        Columns under the contract's names.
    contract, tz
        As for `read_samples`.
    path
        Where they come from, for the error.

    Returns
    -------
    pandas.DataFrame
        Of the contract.

    Raises
    ------
    SourceFormatError
        Naming the file, the row and the column that cannot be used.
    """
    cast = {
        column.name: _cast(raw[column.name], column, path, tz)
        for column in contract.columns
        if column.name in raw
    }
    if "pool" in contract.names:
        named = cast.get("pool", pd.Series([None] * len(raw), dtype=object))
        cast["pool"] = named.fillna(UNNAMED)
    return contract.build(cast)


def is_sample_table(path: Path, contract: Contract) -> bool:
    """Tell a CSV file with the columns that a contract needs.

    Parameters
    ----------
    path
        A file.
    contract
        POOL or ACTIVITY.

    Returns
    -------
    bool
        By its header; False for other files.
    """
    names = {"POOL": POOL_NAMES, "ACTIVITY": ACTIVITY_NAMES}[contract.name]
    plain = path.name.removesuffix(".gz")
    if not plain.endswith((".csv", ".tsv")):
        return False
    header = {name.strip() for name in table_columns(path)}
    return all(header.intersection(names[need]) for need in NEEDED[contract.name])


def _is_own(header: Mapping[str, str], contract: Contract) -> bool:
    """Tell a file that a recorder appends to: its last line is whole, or cut off."""
    return list(header) == contract.names[::-1]


def _cast(values: pd.Series, column: Column, path: Path, tz: str | None) -> pd.Series:
    where = f"{path}: {column.name}"
    if column.dtype == UTC_TIME and values.dtype.kind == "M":
        return to_times(values, find_zone(tz or "UTC"), where)
    text = to_text(values).str.strip()
    blank = text.isna() | (text == "")
    text = text.where(~blank, None)
    if column.dtype == UTC_TIME:
        done, kind = parse_times(text.tolist(), tz, where), "time"
    elif column.dtype in ("Int64", "int64"):
        done, kind = _whole(text), "whole number"
    else:
        return text
    bad = done.isna() & (~blank | (not column.nullable))
    if bad.any():
        row = int(bad.to_numpy().argmax())
        came = "nothing" if blank.iloc[row] else repr(text.iloc[row][:40])
        msg = f"{where}: {came} in row {row + 1} is no {kind}"
        raise SourceFormatError(msg)
    return done


def _whole(text: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(text, errors="coerce")
    # What a float counts exactly.
    fits = numbers.isna() | ((numbers % 1 == 0) & (numbers.abs() < MOST))
    return numbers.where(fits).astype("Int64")
