"""A folder with an incident to an `Incident`: told by content, not by names."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.errors import SourceFormatError, SourceNotFoundError
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.incidents import CONTENTS, MARKS, Incident, Readers
from diagkit.frames.pool import ACTIVITY, POOL
from diagkit.sources.activity import read_activity
from diagkit.sources.checkouts import read_checkouts, read_recorded_pool
from diagkit.sources.compose import read_stacks
from diagkit.sources.files import file_errors
from diagkit.sources.forgiving import Notes
from diagkit.sources.http import join_requests, read_http_file
from diagkit.sources.identify import Identity, identify_file
from diagkit.sources.logs import join_logs, read_log_file
from diagkit.sources.paths import SourceFile, find_files
from diagkit.sources.pool import read_pool
from diagkit.sources.progress import read_progress
from diagkit.sources.settings import Settings, read_settings
from diagkit.sources.stackfiles import group_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diagkit.frames.contract import Contract
    from diagkit.frames.ports import Ports
    from diagkit.frames.progress import Progress

# What a reader takes whenever it is there.
USED = ("logs", "pool", "activity", "recording", "compose", "proxy", "http", "settings")
# What no reader takes, and what to say of it.
UNUSED = {
    "empty": "the file is empty",
}


def open_incident(path: str | os.PathLike[str], *, errors: str = "raise") -> Incident:
    """Find out what a folder with an incident holds.

    Nothing but the first bytes of each file is read; logs, samples and tables are read
    when they are first used.

    Parameters
    ----------
    path
        The folder. An optional `incident.toml` in it adds what no file can say.
    errors
        ``raise``, or ``note``: what cannot be opened or read is then empty, and a line
        of the incident's ``notes``, so that the rest can be looked at.

    Returns
    -------
    Incident
        Its ``contents`` lists every file, what it is, and why it is not used where it
        is not.

    Raises
    ------
    SourceNotFoundError
        If there is no such folder, or it is empty.
    SourceFormatError
        If it holds nothing that can be used.
    SettingError
        If `incident.toml` has an entry without meaning, or `errors` has none.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "api.log").write_text("2025-11-24 18:17:11 - root - INFO - up")
    >>> incident = open_incident(folder)
    >>> incident.contents[["file", "kind", "used"]].values.tolist()
    [['api.log', 'logs', True]]
    >>> incident.logs["message"].tolist()
    ['up']
    >>> open_incident(folder / "nowhere", errors="note").notes
    ['...nowhere: no such file or folder...']
    """
    folder, notes = Path(path), Notes(errors)
    settings = notes.call(lambda: read_settings(folder / "incident.toml"), Settings)
    files = notes.call(lambda: _list_files(folder, settings), list)
    found = _Found(folder, settings, files)
    contents = found.contents()
    if files:
        notes.call(lambda: _check_used(folder, contents), lambda: None)
    name = folder.resolve().name
    return Incident(
        name=name,
        title=settings.title or name,
        zone=settings.zone,
        display_zone=settings.display_zone,
        contents=contents,
        marks=_marks(settings),
        targets=settings.targets,
        folder=folder,
        readers=notes.wrap(found.readers()),
        notes=notes.lines,
    )


def _list_files(folder: Path, settings: Settings) -> list[SourceFile]:
    if folder.is_file():
        msg = (
            f"{folder}: an incident is a folder; this is a file: pass the folder that "
            "it is in"
        )
        raise SourceNotFoundError(msg)
    return [f for f in find_files(folder) if not _ignored(f.name, settings.ignore)]


def _check_used(folder: Path, contents: pd.DataFrame) -> None:
    if contents["used"].any():
        return
    said = contents["note"].where(contents["note"] != "", contents["kind"])
    held = ", ".join((contents["file"] + ": " + said).head(5))
    more = f", and {len(contents) - 5} more" if len(contents) > 5 else ""
    msg = f"{folder}: holds nothing that can be used ({held}{more})"
    raise SourceFormatError(msg)


@dataclass
class _Found:
    """The files of a folder, by what they are."""

    folder: Path
    settings: Settings
    files: list[SourceFile]

    def __post_init__(self) -> None:
        self.schema = self.settings.schema
        self.kinds = {file: identify_file(file.path) for file in self.files}
        self.tables = self._progress_tables()

    def of(self, kind: str) -> list[SourceFile]:
        return [file for file in self.files if self.kinds[file].kind == kind]

    def contents(self) -> pd.DataFrame:
        rows = [(file, *self._use(file, self.kinds[file])) for file in self.files]
        return CONTENTS.build(
            {
                "file": [file.name for file, *_ in rows],
                "kind": [kind for _, kind, _, _ in rows],
                "used": [used for _, _, used, _ in rows],
                "note": [note for *_, note in rows],
                "bytes": [file.path.stat().st_size for file in self.files],
            }
        )

    def readers(self) -> Readers:
        return Readers(
            logs=self._read_logs,
            pool=self._read_pool,
            activity=partial(self._read_samples, "activity"),
            checkouts=self._read_checkouts,
            progress=self._read_progress,
            ports=self._read_ports,
            http=self._read_http,
            hashes=self._hash,
        )

    def _use(self, file: SourceFile, identity: Identity) -> tuple[str, bool, str]:
        kind = identity.kind
        if file in self.tables:
            note = "" if not self._database_url() else "a database is used in its place"
            return "progress", not note, note
        if kind in USED:
            return kind, True, identity.note
        if kind == "sqlite" or (kind == "table" and self._is_progress(file)):
            return kind, False, f"progress is read from {self.tables[0].name}"
        return kind, False, UNUSED.get(kind, identity.note or "not used")

    def _progress_tables(self) -> list[SourceFile]:
        """Choose the database, or the files of one folder, that hold progress."""
        databases = self.of("sqlite")
        if databases:
            return databases[:1]
        tables = [
            file
            for file in (*self.of("table"), *self.of("parquet"))
            if self._is_progress(file)
        ]
        return [t for t in tables if t.path.parent == tables[0].path.parent]

    def _is_progress(self, file: SourceFile) -> bool:
        names = (self.schema.projects_table, self.schema.tasks_table)
        return file.path.name.split(".")[0] in names

    def _database_url(self) -> str:
        name = self.settings.database_url_env
        return os.environ.get(name, "") if name else ""

    def _read_logs(self) -> pd.DataFrame:
        frames = [read_log_file(f, self.settings.zone) for f in self.of("logs")]
        return join_logs([self._within(frame) for frame in frames])

    def _read_samples(self, kind: str) -> pd.DataFrame:
        contracts: dict[str, Contract] = {"pool": POOL, "activity": ACTIVITY}
        read = {"pool": read_pool, "activity": read_activity}[kind]
        files = [file.path for file in self.of(kind)]
        if not files:
            return contracts[kind].empty()
        return self._within(read(files, tz=self.settings.zone))

    @property
    def _recordings(self) -> list[Path]:
        """The folders that recorders wrote to."""
        return list(dict.fromkeys(f.path.parent for f in self.of("recording")))

    def _read_pool(self) -> pd.DataFrame:
        frames = [self._within(read_recorded_pool(f)) for f in self._recordings]
        frames.append(self._read_samples("pool"))
        filled = [part for part in frames if len(part)]
        frame = pd.concat(filled) if filled else POOL.empty()
        order = ["timestamp", "pool"]
        return frame.sort_values(order, kind="stable", ignore_index=True)

    def _read_checkouts(self) -> pd.DataFrame:
        frames = [read_checkouts(folder) for folder in self._recordings]
        return pd.concat(frames, ignore_index=True) if frames else CHECKOUTS.empty()

    def _read_progress(self) -> Progress | None:
        url = self._database_url()
        if url:
            return read_progress(url, schema=self.schema)
        if not self.tables:
            return None
        first = self.tables[0]
        where = first.path if self.kinds[first].kind == "sqlite" else first.path.parent
        return read_progress(where, schema=self.schema)

    def _read_ports(self) -> Ports:
        """Read the stacks; the folder came from somewhere, and nothing outside is read.

        What cannot be read is a note, so that the rest of the incident is not lost.
        """
        stacks = group_files([file.path for file in self.of("compose")], self.folder)
        proxies = [file.path for file in self.of("proxy")]
        return read_stacks(stacks, self.folder, {}, lenient=True, proxies=proxies)

    def _read_http(self) -> pd.DataFrame:
        files = [*self.of("logs"), *self.of("http")]
        zone, named = self.settings.zone, self.settings.observers
        frames = [
            read_http_file(f.path, zone, named.get(f.name), f.name) for f in files
        ]
        return join_requests([self._within(frame) for frame in frames])

    def _within(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Leave out what lies outside of the incident's bounds, where it has any."""
        since, until = self.settings.since, self.settings.until
        keep = pd.Series(True, index=frame.index)
        if since is not None:
            keep &= ~(frame["timestamp"] < pd.Timestamp(since))
        if until is not None:
            keep &= ~(frame["timestamp"] > pd.Timestamp(until))
        return frame[keep].reset_index(drop=True)

    def _hash(self) -> Mapping[str, str]:
        contents = self.contents()
        used = set(contents.loc[contents["used"], "file"])
        return {f.name: _sha256(f.path) for f in self.files if f.name in used}


def _ignored(name: str, ignore: Sequence[str]) -> bool:
    return any(
        name == i.rstrip("/") or name.startswith(i.rstrip("/") + "/") for i in ignore
    )


def _marks(settings: Settings) -> pd.DataFrame:
    frame = MARKS.build(
        {
            "timestamp": [mark.at for mark in settings.marks],
            "label": [mark.label for mark in settings.marks],
        }
    )
    return frame.sort_values("timestamp", kind="stable", ignore_index=True)


def _sha256(path: Path) -> str:
    with file_errors(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
