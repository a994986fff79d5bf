"""Values of a table, as text or typed, to the text and the UTC times of a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from diagkit.errors import SourceFormatError
from diagkit.frames.contract import UTC_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    import sqlalchemy as sa

__all__ = ["plain", "read_rows", "to_text", "to_times"]

# An offset counts only after a time of day: the end of 2025-11-26 is none.
OFFSET = r":\d\d(?:[.,]\d+)?\s*(?:Z|z|[+-]\d\d(?::?\d\d)?)$"
# How programs write NULL into a CSV. In a column of times they can mean nothing else.
NULL_WORDS = frozenset({"", "null", "\\n", "none", "nan", "nat", "na"})


ROWS = 50_000


def read_rows(
    connection: sa.Connection,
    query: sa.Select[Any],
    names: Sequence[str],
    *,
    stream: bool = False,
) -> pd.DataFrame:
    """Read what a query selects, every value as text.

    Parameters
    ----------
    connection
        From `open_readonly`.
    query
        A query; times are cast to text in it, because a driver refuses those that
        Python cannot hold (``infinity``) without saying in which row they stand.
    names
        Names for its columns.
    stream
        Whether to keep the driver from holding all rows. PostgreSQL then works on the
        query with one process only.

    Returns
    -------
    pandas.DataFrame
        Columns of dtype ``str``.
    """
    options = {"stream_results": stream}
    result = connection.execute(query, execution_options=options)
    chunks: list[list[Any]] = [[] for _ in names]
    for rows in result.partitions(ROWS):
        for chunk, values in zip(chunks, zip(*rows, strict=True), strict=True):
            texts = [plain(value) for value in values]
            chunk.append(pa.array(texts, type=pa.large_string()))
    columns = [pa.chunked_array(chunk, type=pa.large_string()) for chunk in chunks]
    frame: pd.DataFrame = pa.table(columns, names=list(names)).to_pandas()
    return frame.astype("str")


def plain(value: object) -> str | None:
    """Return a value of a database as text.

    Parameters
    ----------
    value
        What a driver returned; MySQL has bytes for what is compared sign by sign.

    Returns
    -------
    str or None
        The text.

    Examples
    --------
    >>> plain("Zoë".encode()), plain(True), plain(None)
    ('Zoë', '1', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    return str(int(value) if isinstance(value, bool) else value)


def to_text(values: pd.Series) -> pd.Series:
    """Turn a column into text; what is missing stays missing.

    Parameters
    ----------
    values
        A column of a table, however it is typed.

    Returns
    -------
    pandas.Series
        As ``str``.

    Examples
    --------
    >>> to_text(pd.Series([7.0, None])).tolist()
    ['7', nan]
    """
    if values.dtype == "str":
        return values
    if values.dtype.kind == "f" and bool((values.dropna() % 1 == 0).all()):
        # Ids of a column with gaps: 7.0 is the 7 of the other table.
        values = values.astype("Int64")
    known = values.notna()
    text = pd.Series([None] * len(values), index=values.index, dtype="str")
    text[known] = values[known].astype("object").map(str).astype("str")
    return text


def to_times(values: pd.Series, zone: ZoneInfo | None, where: str) -> pd.Series:
    """Turn a column into UTC times.

    Parameters
    ----------
    values
        A column of a table, typed or as text. Its index counts the table's rows.
    zone
        That of times without an offset; None for UTC.
    where
        Source, table and column, for the error.

    Returns
    -------
    pandas.Series
        As ``datetime64[us, UTC]``.

    Raises
    ------
    SourceFormatError
        If a value is no time; the message names its row.

    Examples
    --------
    >>> to_times(pd.Series(["2025-11-24 10:00-05", "NULL"]), None, "x").tolist()
    [Timestamp('2025-11-24 15:00:00+0000', tz='UTC'), NaT]
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _as_utc(values)
    if values.dtype.kind == "M":
        return _localise(values, zone)
    text = to_text(values).str.strip()
    known = text.notna() & ~text.str.lower().isin(NULL_WORDS)
    out = pd.Series(pd.NaT, index=values.index, dtype=UTC_TIME)
    if not known.any():
        return out
    clean = text[known].str.replace(",", ".", regex=False)
    # pandas reads no blank before an offset. To replace by groups is slow: ask first.
    if clean.str.contains(r"\s[+-]\d\d", regex=True).any():
        clean = clean.str.replace(r"\s+([+-]\d\d)", r"\1", regex=True)
    times = pd.to_datetime(clean, format="ISO8601", utc=True, errors="coerce")
    times = _as_utc(times)
    if times.isna().any():
        row = times.index[times.isna()][0]
        msg = (
            f"{where}: row {int(row) + 1} holds {str(text[row])[:40]!r}, which is no "
            "time; write ISO 8601, such as 2025-11-24 23:20:56+00:00"
        )
        raise SourceFormatError(msg)
    if zone is not None:
        naive = ~clean.str.contains(OFFSET, regex=True)
        local = times[naive].dt.tz_localize(None)
        times[naive] = _localise(local, zone)
    out[known] = times
    return out


def _localise(naive: pd.Series, zone: ZoneInfo | None) -> pd.Series:
    # A table's rows are in no order that could tell the two apart that a clock shows
    # twice: the first is taken.
    local = naive.dt.tz_localize(
        zone or "UTC", ambiguous=[True] * len(naive), nonexistent="shift_forward"
    )
    return _as_utc(local)


def _as_utc(times: pd.Series) -> pd.Series:
    utc: pd.Series = times.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return utc
