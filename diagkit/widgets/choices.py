"""What is chosen in an explorer: settings, and the code that repeats them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from diagkit.errors import SettingError, suggest
from diagkit.redaction.text import hide as hide_all
from diagkit.widgets.outputs import offer_cell
from diagkit.widgets.pages import hide
from diagkit.widgets.settings import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from diagkit.widgets.pages import Bar
    from diagkit.widgets.settings import Reader

Settings = dict[str, Any]

__all__ = ["Choices", "Settings"]


class Choices(ABC):
    """Settings that are read, have a meaning, and can be written as code.

    Parameters
    ----------
    defaults
        The settings and what they are where nothing is said.
    settings
        Those that differ; ``made_by`` among them is none: lines of code that make what
        is explored, for `as_code`.

    Raises
    ------
    SettingError
        If there is no such setting, or one has no meaning.
    """

    # How what people write for a setting is read.
    readers: ClassVar[Mapping[str, Reader]] = {}
    # The setting that says which bar is chosen.
    picked = "bar"

    def __init__(self, defaults: Settings, settings: Settings) -> None:
        self._defaults = defaults
        given = dict(settings)
        self._made_by: str | None = given.pop("made_by", None)
        self.settings: Settings = {**defaults, **self._read(given)}
        self._moved = False

    @abstractmethod
    def verify(self) -> None:
        """Raise a SettingError if the settings have no meaning; nothing is drawn."""

    @abstractmethod
    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""

    def as_code(self) -> str:
        """Return the code of a cell that shows this view again.

        Returns
        -------
        str
            A call with the settings that are not the usual ones. Where it is known
            how what is explored was made, that stands before it.
        """
        return self._write_code(str, str)

    def to_cell(self) -> None:
        """Put the code into a new cell, below the one that runs this.

        What is secret in it is taken out; run, it shows the same all the same.

        Raises
        ------
        SettingError
            If no notebook runs this.
        """
        if not offer_cell(self._shown_code()):
            msg = "no notebook runs here; as_code() returns the code"
            raise SettingError(msg)

    def pick(self, bars: Sequence[Bar]) -> int | None:
        """Return which bar is chosen.

        Parameters
        ----------
        bars
            Those in view.

        Returns
        -------
        int or None
            Its place; None where none is, or where a control took it out of view.

        Raises
        ------
        SettingError
            If the setting ``bar`` is none of them.
        """
        known = [bar.value for bar in bars]
        wanted = self.settings[self.picked]
        if wanted is not None and wanted not in known:
            wanted = choose(self.picked, wanted, known)
            self.settings[self.picked] = wanted
        if wanted is None or wanted in known:
            return None if wanted is None else known.index(wanted)
        if self._moved:
            self.settings[self.picked] = None
            return None
        if not known:
            msg = f"{self.picked}={wanted!r}: there is nothing in view"
            raise SettingError(msg)
        msg = (
            f"{self.picked}={wanted!r} is none of those in view, {known[0]} to "
            f"{known[-1]}"
            f"{suggest(str(wanted), known)}"
        )
        raise SettingError(msg)

    def _write_code(
        self, write: Callable[[str], str], write_lines: Callable[[str], str]
    ) -> str:
        said = [
            f"{name}={(write(value) if isinstance(value, str) else value)!r}"
            for name, value in self.settings.items()
            if value != self._defaults[name]
        ]
        call = f"dk.{type(self).__name__}({', '.join((*self.arguments(), *said))})"
        if self._made_by is None:
            return call
        return f"import diagkit as dk\n\n{write_lines(self._made_by)}\n{call}"

    def _shown_code(self) -> str:
        """Return the code without secrets: run, it shows the same."""
        return self._write_code(hide, hide_all)

    def _read(self, settings: Settings) -> Settings:
        """Read what people write: settings as code repeats them."""
        for name in settings:
            if name not in self._defaults:
                near = suggest(name, self._defaults)
                msg = f"{type(self).__name__} has no setting {name!r}{near}"
                raise SettingError(msg)
        return {name: self.readers[name](name, one) for name, one in settings.items()}

    def _choose(self, name: str, known: Sequence[str]) -> None:
        """Let a setting mean what is known, also where a secret was taken out of it."""
        self.settings[name] = choose(name, self.settings[name], known)

    def _in_order(self) -> None:
        since, until = (self.settings[name] or "" for name in ("since", "until"))
        if since and until and since.rstrip("Z") > until.rstrip("Z"):
            msg = f"since={since!r} is later than until={until!r}"
            raise SettingError(msg)
