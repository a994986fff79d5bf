"""An incident: what a folder holds, read when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from diagkit.frames.contract import UTC_TIME, Column, Contract

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd

    from diagkit.frames.ports import Ports
    from diagkit.frames.probes import Target
    from diagkit.frames.progress import Progress

CONTENTS = Contract(
    "CONTENTS",
    (
        Column("file", "str", False, "", "relative to the incident's folder"),
        Column("kind", "str", False, "", "logs, pool, activity, progress ..."),
        Column("used", "bool", False, "", "whether a reader takes it"),
        Column("note", "str", False, "", "why not, or what to know of it"),
        Column("bytes", "int64", False, "bytes", "its size"),
    ),
)

MARKS = Contract(
    "MARKS",
    (
        Column("timestamp", UTC_TIME, False, "", "when it happened"),
        Column("label", "str", False, "", "a deploy, a migration, a restart ..."),
    ),
)


@dataclass(frozen=True)
class Readers:
    """How an incident's parts are read: filled in by the room that may read.

    Attributes
    ----------
    logs, pool, activity, checkouts, progress, ports, http, hashes
        Each reads one part of the incident from the world.
    """

    logs: Callable[[], pd.DataFrame]
    pool: Callable[[], pd.DataFrame]
    activity: Callable[[], pd.DataFrame]
    checkouts: Callable[[], pd.DataFrame]
    progress: Callable[[], Progress | None]
    ports: Callable[[], Ports]
    http: Callable[[], pd.DataFrame]
    hashes: Callable[[], Mapping[str, str]]


@dataclass(frozen=True)
class Incident:
    """What a folder with an incident holds. Its parts are read when first used.

    Attributes
    ----------
    name
        The folder's name.
    title
        What people call the incident.
    zone
        Zone of times that were written without one.
    display_zone
        Zone in which people want to read times, besides UTC.
    contents
        CONTENTS: every file, what it is, and whether it is used.
    marks
        MARKS: what happened, and when.
    targets
        What clients use and `probe` may be given; opening an incident asks none.
    folder
        Where it is; None for one that was put together from frames.
    notes
        What could not be opened or read, where that is noted and not raised; a part is
        read when it is first used, so lines may come later.
    """

    name: str
    title: str
    zone: str
    display_zone: str
    contents: pd.DataFrame = field(repr=False)
    marks: pd.DataFrame = field(repr=False)
    readers: Readers = field(repr=False)
    targets: tuple[Target, ...] = ()
    folder: Path | None = field(default=None, repr=False, compare=False)
    notes: list[str] = field(default_factory=list, repr=False, compare=False)

    @cached_property
    def logs(self) -> pd.DataFrame:
        """LOGS of all logs; without rows where there is none."""
        return self.readers.logs()

    @cached_property
    def pool(self) -> pd.DataFrame:
        """POOL: samples of connection pools; without rows where there is none."""
        return self.readers.pool()

    @cached_property
    def activity(self) -> pd.DataFrame:
        """ACTIVITY: samples of the server's backends; without rows where none is."""
        return self.readers.activity()

    @cached_property
    def checkouts(self) -> pd.DataFrame:
        """CHECKOUTS that a `PoolRecorder` wrote; without rows where none did."""
        return self.readers.checkouts()

    @cached_property
    def progress(self) -> Progress | None:
        """The progress tables; None where there are none."""
        return self.readers.progress()

    @cached_property
    def ports(self) -> Ports:
        """What the compose stacks publish, and who names whom in them."""
        return self.readers.ports()

    @cached_property
    def http(self) -> pd.DataFrame:
        """HTTP: requests by each observer; without rows where there are none."""
        return self.readers.http()

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """SHA-256 of every file that is used, by its name in `contents`."""
        return self.readers.hashes()
