"""Many rows out of PostgreSQL: COPY sends them as CSV, and Arrow reads that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    import sqlalchemy as sa

__all__ = ["copy_rows"]

# A row must fit into a block.
BLOCK_BYTES = 1 << 24


def copy_rows(
    connection: sa.Connection,
    query: sa.Select[Any],
    names: Sequence[str],
    zones: Mapping[str, str | None],
) -> pd.DataFrame:
    """Read what a query selects, about five times as fast as row by row.

    Parameters
    ----------
    connection
        From `open_readonly`, to PostgreSQL.
    query
        A query.
    names
        Names for its columns.
    zones
        Which of them are times, and their zone (None: without one).

    Returns
    -------
    pandas.DataFrame
        Times as they are typed, everything else as ``str``. Where there is a time that
        Arrow cannot hold, such as ``infinity``, its whole column is ``str``.
    """
    compiled = query.compile(connection)
    statement = f"COPY ({compiled}) TO STDOUT (FORMAT csv)"
    kinds = dict.fromkeys(names, pa.large_string())
    try:
        times = {name: pa.timestamp("us", tz=zone) for name, zone in zones.items()}
        table = _copy(connection, statement, compiled.params, kinds | times)
    except pa.ArrowInvalid:
        table = _copy(connection, statement, compiled.params, kinds)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _copy(
    connection: sa.Connection,
    statement: str,
    parameters: object,
    kinds: Mapping[str, Any],
) -> Any:
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(statement, parameters) as copy:
        stream = _Stream(iter(copy))
        if stream.is_empty():
            return pa.schema(kinds).empty_table()
        reader = pa.csv.open_csv(
            pa.PythonFile(stream, "r"),
            pa.csv.ReadOptions(column_names=list(kinds), block_size=BLOCK_BYTES),
            pa.csv.ParseOptions(newlines_in_values=True),
            pa.csv.ConvertOptions(
                column_types=kinds,
                # NULL is nothing at all, and an empty text is quoted.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        return reader.read_all()


class _Stream:
    """What COPY sends, row by row, as a file that is read in blocks."""

    closed = False

    def __init__(self, rows: Iterator[bytes | memoryview]) -> None:
        self.rows = rows
        self.rest = b""

    def is_empty(self) -> bool:
        """Tell whether nothing comes at all."""
        self.rest = bytes(next(self.rows, b""))
        return not self.rest

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer than are asked for only at the end."""
        parts: list[bytes | memoryview] = [self.rest]
        length = len(self.rest)
        while length < size and (row := next(self.rows, None)) is not None:
            parts.append(row)
            length += len(row)
        data = b"".join(parts)
        self.rest = data[size:]
        return data[:size]

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Do nothing: the copy is closed by who opened it."""
