"""The one exception tree.

::

    DiagkitError                    the root: catch this one
    ├── SourceError                 something looked at cannot be used
    │   ├── SourceNotFoundError     no such file, folder, table or host
    │   ├── SourceFormatError       it is there, and it is not what was expected
    │   └── SourceAccessError       it is there, and it may not be read
    ├── ContractError               a frame lacks what its contract promises
    ├── SettingError                an argument, option or `incident.toml` entry
    └── MissingExtraError           an optional distribution is not installed

Every message is one line that says what came, what is allowed and what to do.
Only `diagkit.cli.main` turns one into an exit code.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ContractError",
    "DiagkitError",
    "DiagkitWarning",
    "MissingExtraError",
    "SettingError",
    "SourceAccessError",
    "SourceError",
    "SourceFormatError",
    "SourceNotFoundError",
    "suggest",
]


class DiagkitError(Exception):
    """The root of every error that diagkit raises on purpose."""


class SourceError(DiagkitError):
    """A file, folder, database or host cannot be used."""


class SourceNotFoundError(SourceError):
    """A file, folder, table or host is not there."""


class SourceFormatError(SourceError):
    """A source is there and does not hold what was expected."""


class SourceAccessError(SourceError):
    """A source is there and may not be read, or does not answer."""


class ContractError(DiagkitError):
    """A frame lacks columns, or holds other types, than its contract promises."""


class SettingError(DiagkitError):
    """An argument, an option or an entry of `incident.toml` has no meaning."""


class MissingExtraError(DiagkitError):
    """An optional distribution is not installed."""


class DiagkitWarning(UserWarning):
    """Something was read only in part, or not at all, and the work went on."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known names are nearest to one that is not known.

    Parameters
    ----------
    name
        The name that came.
    known
        The names that are allowed.

    Returns
    -------
    str
        ``"; did you mean 'a' or 'b'?"``, or the empty string where nothing is near.

    Examples
    --------
    >>> suggest("levle", ["level", "logger"])
    "; did you mean 'level'?"
    """
    near = get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
