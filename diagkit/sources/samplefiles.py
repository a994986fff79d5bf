"""Files that samples are appended to while they are taken, and that survive a kill.

A sample is handed to the operating system by one call, as rows of a CSV file, a line
each: a process that is killed has lost nothing, and no row is torn. A parquet file can
be read only when its end is written; what is to become one is such a CSV file beside it
until the recording ends, and is put in its place at once.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import (
    DiagkitWarning,
    SettingError,
    SourceAccessError,
    SourceFormatError,
    suggest,
)
from diagkit.redaction.statements import redact_statement
from diagkit.redaction.text import redact_text
from diagkit.sources.files import file_errors
from diagkit.sources.sampletables import cast_samples
from diagkit.sources.tables import table_columns

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    import pandas as pd

    from diagkit.frames.contract import Contract
    from diagkit.redaction.text import RedactedText
    from diagkit.sources.paths import Paths

# What is beside a parquet file while it is recorded, and after a kill.
UNFINISHED = ".unfinished.csv"
# In a parquet file: which of these it was made of last.
MADE_OF = b"diagkit.unfinished"
SUFFIXES = (".csv", ".parquet")
BLOCK_BYTES = 8 * 1024**2
# What may hold somebody's data, and how it is taken out.
REDACTED: dict[str, Callable[[str], RedactedText]] = {
    "query": redact_statement,
    "application_name": redact_text,
}
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class SampleFile:
    """A file that samples are appended to.

    Parameters
    ----------
    path
        Ends with ``.csv`` or ``.parquet``. What it holds stays. None: nothing is
        written.
    contract
        That of the samples.

    Raises
    ------
    SettingError
        If the path has another ending.
    """

    def __init__(self, path: str | PathLike[str] | None, contract: Contract) -> None:
        self._path = None if path is None else Path(path)
        self._contract = contract
        self._file: int | None = None
        if self._path is not None and self._path.suffix not in SUFFIXES:
            near = suggest(self._path.suffix, SUFFIXES)
            msg = f"{path}: its name ends with {' or '.join(SUFFIXES)}{near}"
            raise SettingError(msg)

    def __enter__(self) -> SampleFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None or self._path is None:
            return
        os.close(self._file)
        self._file = None
        if self._path.suffix == ".parquet":
            _finish(self._path, self._contract)

    def append(self, frame: pd.DataFrame) -> int:
        """Write a sample, redacted.

        Parameters
        ----------
        frame
            Of the contract.

        Returns
        -------
        int
            How many replacements were made.

        Raises
        ------
        SourceAccessError
            If it cannot be written: then nothing of it is.
        SourceFormatError
            If the file is there already, and none of these.
        """
        if self._path is None:
            return 0
        clean, count = _clean(frame[self._contract.names])
        lines = clean.to_csv(index=False, header=False, lineterminator="\n")
        try:
            if self._file is None:
                self._open(self._path)
            _write(self._file, lines.encode())
        except OSError as error:
            msg = f"{self._path}: cannot be written ({error.strerror or error})"
            raise SourceAccessError(msg) from None
        return count

    def _open(self, path: Path) -> None:
        names = self._contract.names
        journal = _journal(path)
        for file in {path, journal}:
            held = file.exists() and file.stat().st_size
            if held and table_columns(file) != names:
                msg = f"{file}: is there already, and is no recording of diagkit's"
                raise SourceFormatError(msg)
        if journal != path and _is_in(journal, path):
            journal.unlink()
        self._file = os.open(journal, _FLAGS, 0o640)
        size = os.fstat(self._file).st_size
        if not size:
            _write(self._file, (",".join(names) + "\n").encode())
            return
        whole = _find_end(self._file, size)
        if whole < size:
            os.ftruncate(self._file, whole)
            _warn(f"{journal.name}: its last line was cut off, and is taken out")


def find_unfinished(paths: Paths) -> Paths:
    """Add to recordings what was not made a parquet file, because they were killed.

    Parameters
    ----------
    paths
        What is to be read.

    Returns
    -------
    str, path or list of these
        The same, or with the unfinished file beside or instead of a parquet file.
    """
    asked = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found: list[str | PathLike[str]] = []
    for one in asked:
        path = Path(one)
        journal = _journal(path)
        left = path.suffix == ".parquet" and journal.is_file()
        if left and _is_in(journal, path):
            left = False
        if left:
            _warn(f"{path.name}: its recording was ended early; {journal.name} is read")
        if not left or path.exists():
            found.append(one)
        if left:
            found.append(journal)
    return paths if found == asked else found


def _journal(path: Path) -> Path:
    return path if path.suffix == ".csv" else path.with_name(path.name + UNFINISHED)


def _clean(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    out, count = frame.copy(), 0
    for name in out.columns:
        if out[name].dtype not in ("str", "category"):
            continue
        redact = REDACTED.get(str(name))
        known: dict[Any, Any] = {}
        for value in out[name].dropna().unique():
            # A row is a line, so that one that was cut off is known by its end.
            line = " ".join(value.split()) if not value.isprintable() else value
            if redact is not None:
                done = redact(value)
                line = " ".join(done.text.split())
                count += done.count * int((out[name] == value).sum())
            known[value] = line
        out[name] = out[name].astype(object).map(known, na_action="ignore")
    return out, count


def _write(file: int | None, data: bytes) -> None:
    assert file is not None
    size = os.fstat(file).st_size
    written = 0
    try:
        written = os.write(file, data)
        if written != len(data):
            raise OSError(0, "the disk took only a part of it")
    finally:
        if 0 < written < len(data):
            os.ftruncate(file, size)


def _find_end(file: int, size: int) -> int:
    """Return where the last whole line ends."""
    at = size
    while at:
        start = max(0, at - 65536)
        os.lseek(file, start, os.SEEK_SET)
        found = os.read(file, at - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0


def _finish(path: Path, contract: Contract) -> None:
    """Put the parquet file in the place of the unfinished one."""
    journal, fresh = _journal(path), path.with_name(path.name + ".new")
    try:
        try:
            _convert(path, journal, fresh, contract)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        msg = (
            f"{path}: cannot be written ({error.strerror or error}); what was recorded "
            f"stands in {journal.name}"
        )
        raise SourceAccessError(msg) from None
    journal.unlink()


def _convert(path: Path, journal: Path, fresh: Path, contract: Contract) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    table = pa.Table.from_pandas(contract.empty(), preserve_index=False)
    schema = _plain(table).schema.with_metadata({MADE_OF: _digest(journal)})
    options = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(contract.names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    blocks = pa.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
    with pa.parquet.ParquetWriter(fresh, schema) as writer:
        if path.exists():
            with pa.parquet.ParquetFile(path) as old:
                for group in range(old.num_row_groups):
                    writer.write_table(old.read_row_group(group).cast(schema))
        with pa.csv.open_csv(journal, blocks, convert_options=options) as batches:
            for batch in batches:
                rows = cast_samples(batch.to_pandas(), contract, journal, "UTC")
                part = pa.Table.from_pandas(rows, preserve_index=False)
                writer.write_table(_plain(part).cast(schema))


def _plain(table: Any) -> Any:
    """Spell dictionaries out: each part would have one of its own."""
    import pyarrow as pa

    kinds = [
        pa.field(f.name, pa.string())
        if pa.types.is_dictionary(f.type) or pa.types.is_large_string(f.type)
        else f
        for f in table.schema
    ]
    return table.cast(pa.schema(kinds))


def _digest(journal: Path) -> bytes:
    with file_errors(journal), journal.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest().encode()


def _is_in(journal: Path, path: Path) -> bool:
    """Tell whether a kill came between the two steps of finishing a file."""
    import pyarrow as pa
    import pyarrow.parquet

    if not (journal.is_file() and path.is_file()):
        return False
    try:
        with file_errors(path):
            held = pa.parquet.read_schema(path).metadata or {}
    except pa.ArrowException:
        return False
    return MADE_OF in held and held[MADE_OF] == _digest(journal)


def _warn(what: str) -> None:
    warnings.warn(what, DiagkitWarning, stacklevel=4)
