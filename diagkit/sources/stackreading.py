"""Reads the files that a stack is made of, within bounds, and notes what it sees."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceError, SourceFormatError
from diagkit.sources.decoding import find_encoding
from diagkit.sources.files import file_errors, find_binary
from diagkit.sources.variables import read_env
from diagkit.sources.yamltrees import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Note", "Reading"]

# Files that one stack may be made of, by include and extends.
MOST_FILES = 100


@dataclass(frozen=True)
class Note:
    """What to know of a stack besides its services: a row of NOTES."""

    kind: str
    text: str
    source: str


@dataclass
class Reading:
    """The reading of one stack's files.

    Attributes
    ----------
    top
        Files are named relative to it; what lies outside of it has its bare name.
    inside
        Whether what lies outside of it is left unread.
    notes
        What was noticed.
    """

    top: Path
    inside: bool = False
    notes: list[Note] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)

    def name(self, path: Path) -> str:
        """Return what a file is called in frames: no path of the machine."""
        try:
            return path.resolve().relative_to(self.top.resolve()).as_posix()
        except ValueError:
            return path.name

    def note(self, kind: str, text: str, source: str) -> None:
        """Keep a note, once."""
        note = Note(kind, text, source)
        if note not in self.notes:
            self.notes.append(note)

    def read(self, path: Path) -> str:
        """Return a file's text.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        str
            The text.

        Raises
        ------
        SourceError
            If it is not there, is no text or too large, is no plain file, or lies
            outside of the incident's folder.
        """
        name = self.name(path)
        if self.inside and not path.resolve().is_relative_to(self.top.resolve()):
            msg = f"{name}: lies outside of the incident's folder and is not read"
            raise SourceError(msg)
        self.files.add(path)
        if len(self.files) > MOST_FILES:
            msg = f"{name}: the stack is made of more than {MOST_FILES} files"
            raise SourceFormatError(msg)
        with file_errors(Path(name)):
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                msg = f"{name}: is no plain file"
                raise SourceFormatError(msg)
            if status.st_size > MOST_BYTES:
                msg = f"{name}: is larger than {MOST_BYTES // 1024} KiB"
                raise SourceFormatError(msg)
            data = path.read_bytes()
        try:
            if find_binary(data[:8192]):
                raise ValueError
            return data.decode(find_encoding(data)).lstrip("\ufeff")
        except ValueError:
            msg = f"{name}: is no text in UTF-8 or UTF-16"
            raise SourceFormatError(msg) from None

    def env(self, path: Path, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the values of a `.env` file; none where there is no such file."""
        if not path.is_file():
            return {}
        return read_env(self.read(path), self.name(path), variables)

    def env_file(
        self,
        text: str,
        variables: Mapping[str, str],
        place: str,
        required: bool,
        raw: bool,
    ) -> dict[str, str]:
        """Return the values of a service's ``env_file``; note one that is not there."""
        path = Path(text)
        name = self.name(path)
        if not path.is_file():
            if required:
                self.note("missing_file", f"the env_file {name} is not there", place)
            return {}
        try:
            return read_env(self.read(path), name, variables, raw=raw)
        except SourceError as error:
            if not self.inside:
                raise
            self.note("not_read", str(error), place)
            return {}

    def environment(
        self, service: Mapping[str, Any], variables: Mapping[str, str]
    ) -> dict[str, str | None]:
        """Return the variables of a service's container.

        Parameters
        ----------
        service
            As `read_service` gives it, merged.
        variables
            What variables stand for; a name alone takes its value from here.

        Returns
        -------
        dict
            Values by name: of its ``env_file``, and over them of ``environment``. None
            for a name alone that has no value.
        """
        own: dict[str, Any] = {
            name: variables.get(name) if value is None else value
            for name, value in service.get("environment", {}).items()
        }
        known = {k: str(v) for k, v in own.items() if isinstance(v, str)}
        values: dict[str, str | None] = {}
        for text, (required, raw, place) in service.get("env_file", {}).items():
            within = {**known, **variables}
            values |= self.env_file(text, within, place, required, raw)
        return values | {
            k: v for k, v in own.items() if v is None or isinstance(v, str)
        }
