"""Tables in a folder: one CSV or parquet file each, named as the table."""

from __future__ import annotations

import csv
import io
import re
from typing import IO, TYPE_CHECKING

import pandas as pd

from diagkit.errors import SourceError, SourceFormatError, SourceNotFoundError, suggest
from diagkit.sources.files import (
    file_errors,
    open_bytes,
    open_text,
    read_head,
    warn_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["choose_table", "find_tables", "read_table", "table_columns"]

# In order of preference, where a table is there more than once. Parquet keeps types
# and zones, so it goes first.
SUFFIXES = (".parquet", ".csv", ".csv.gz")


def find_tables(folder: Path, table: str) -> list[Path]:
    """Return the files of a folder that hold a table, the one to read first.

    Parameters
    ----------
    folder
        A folder.
    table
        The table's name; of ``schema.table`` the schema may be left out of the file's.

    Returns
    -------
    list of pathlib.Path
        Empty where the folder has none.
    """
    names = dict.fromkeys((table, table.rpartition(".")[2]))
    paths = [folder / f"{name}{suffix}" for suffix in SUFFIXES for name in names]
    with file_errors(folder):
        return [path for path in paths if path.is_file()]


def choose_table(folder: Path, table: str) -> Path:
    """Return the file of a folder that holds a table.

    Parameters
    ----------
    folder
        A folder.
    table
        The table's name.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SourceNotFoundError
        If there is none; the message names the nearest.
    """
    found = find_tables(folder, table)
    if found:
        return found[0]
    with file_errors(folder):
        names = sorted(p.name for p in folder.iterdir() if p.name.endswith(SUFFIXES))
    stems = [name.split(".")[0] for name in names]
    some = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    msg = (
        f"{folder}: no table {table!r}: neither "
        f"{' nor '.join(table + suffix for suffix in SUFFIXES)} is there"
        f"{suggest(table, stems)}; "
        f"{f'it has {some}' if some else 'it has no CSV or parquet file'}"
    )
    raise SourceNotFoundError(msg)


def table_columns(path: Path) -> list[str]:
    """Return the names of a table file's columns.

    Parameters
    ----------
    path
        A CSV (also ``.gz``) or parquet file.

    Returns
    -------
    list of str
        The names, in order.

    Raises
    ------
    SourceFormatError
        If the file is empty, or not what its name says.
    """
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        try:
            with file_errors(path):
                return [str(n) for n in pa.parquet.read_schema(path).names]
        except pa.ArrowException as error:
            raise _damaged(path, error) from None
    with open_text(path) as text:
        try:
            header = next(csv.reader(text), None)
        except csv.Error as error:
            raise _damaged(path, error) from None
    if not header:
        msg = f"{path}: the file is empty; a CSV table starts with its column names"
        raise SourceFormatError(msg)
    return header


def read_table(
    path: Path, columns: Sequence[str], *, cut_off: bool = False
) -> pd.DataFrame:
    """Read some columns of a table file.

    Parameters
    ----------
    path
        A CSV (also ``.gz``) or parquet file.
    columns
        Names of its columns.
    cut_off
        Whether a last line of a CSV file that has no end was cut off: it is left out
        then, with a warning.

    Returns
    -------
    pandas.DataFrame
        Of a CSV file all text: an empty field is missing, and ``NA``, ``null`` or
        ``nan`` are words like any other. Of a parquet file as it is typed.

    Raises
    ------
    SourceFormatError
        If the file is damaged; for CSV with the line.
    """
    if path.suffix == ".parquet":
        import pyarrow as pa

        try:
            with file_errors(path):
                return pd.read_parquet(path, columns=list(columns))
        except pa.ArrowException as error:
            raise _damaged(path, error) from None
    return _read_csv(path, list(columns), cut_off=cut_off)


def _read_csv(path: Path, columns: list[str], *, cut_off: bool) -> pd.DataFrame:
    # pandas' own parser cuts rows that are longer than the header, and fills those that
    # are shorter, without a word; Arrow's refuses both.
    import pyarrow as pa
    import pyarrow.csv

    wide = read_head(path).startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        with open_bytes(path) as stream, file_errors(path):
            table = pa.csv.read_csv(
                _whole_lines(stream, path) if cut_off else stream,
                # With threads the error does not know the row.
                pa.csv.ReadOptions(
                    use_threads=False, encoding="utf-16" if wide else "utf8"
                ),
                pa.csv.ParseOptions(newlines_in_values=True),
                pa.csv.ConvertOptions(
                    include_columns=columns,
                    column_types=dict.fromkeys(columns, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
    except pa.ArrowException as error:
        raise _damaged(path, error) from None
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype("str")


def _whole_lines(stream: IO[bytes], path: Path) -> IO[bytes]:
    data = stream.read()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        warn_of(path, "the last line was cut off; it is left out")
    return io.BytesIO(data[:whole])


def _damaged(path: Path, error: Exception) -> SourceError:
    reason = " ".join(str(error).split())
    # What Arrow quotes after this is the row itself.
    reason = re.sub(r"(got \d+):.*", r"\1", reason)[:200]
    kind = "parquet" if path.suffix == ".parquet" else "CSV"
    return SourceFormatError(f"{path}: damaged {kind} table: {reason}")
