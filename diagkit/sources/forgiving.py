"""What of an incident cannot be read, noted, so that the rest can be looked at."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from diagkit.errors import DiagkitError, SettingError, suggest
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.http import HTTP
from diagkit.frames.incidents import Readers
from diagkit.frames.logs import LOGS
from diagkit.frames.pool import ACTIVITY, POOL
from diagkit.frames.ports import PORTS, Ports
from diagkit.redaction.text import redact_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EMPTY", "Notes"]

# What stands for a part that is not there.
EMPTY: dict[str, Callable[[], Any]] = {
    "logs": LOGS.empty,
    "pool": POOL.empty,
    "activity": ACTIVITY.empty,
    "checkouts": CHECKOUTS.empty,
    "progress": lambda: None,
    "ports": lambda: Ports.of(PORTS.empty()),
    "http": HTTP.empty,
    "hashes": dict,
}
ERRORS = ("raise", "note")


class Notes:
    """What could not be opened or read, where that is to be noted and not raised.

    Parameters
    ----------
    errors
        ``raise`` or ``note``.

    Attributes
    ----------
    lines
        What was noted, each once; without secrets, since notebooks show it.

    Raises
    ------
    SettingError
        If `errors` is neither.
    """

    def __init__(self, errors: str) -> None:
        if errors not in ERRORS:
            msg = f"errors={errors!r} is none of {', '.join(ERRORS)}"
            raise SettingError(msg + suggest(errors, ERRORS))
        self.quiet = errors == "note"
        self.lines: list[str] = []

    def call(self, read: Callable[[], Any], empty: Callable[[], Any]) -> Any:
        """Return what a reader gives; where it cannot read, that is noted.

        Parameters
        ----------
        read
            The reader.
        empty
            Makes what stands for what cannot be read.

        Returns
        -------
        object
            What either gives.

        Raises
        ------
        DiagkitError
            That of the reader, where errors are not to be noted.
        """
        try:
            return read()
        except DiagkitError as error:
            if not self.quiet:
                raise
            said = redact_text(str(error)).text
            if said not in self.lines:
                self.lines.append(said)
            return empty()

    def wrap(self, readers: Readers) -> Readers:
        """Let readers note what they cannot read.

        Parameters
        ----------
        readers
            The parts of an incident.

        Returns
        -------
        Readers
            The same, where errors are to be raised.
        """
        if not self.quiet:
            return readers

        def quietly(name: str) -> Callable[[], Any]:
            return lambda: self.call(getattr(readers, name), EMPTY[name])

        return Readers(**{one.name: quietly(one.name) for one in fields(Readers)})
