"""What people write for a setting: read into text that code repeats, or refused."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from diagkit.analyses.timebins import (
    read_length,
    read_moment,
    write_length,
    write_moment,
)
from diagkit.errors import SettingError
from diagkit.frames.findings import SEVERITIES, severity_rank
from diagkit.widgets.pages import LONGEST, hide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Reader = Callable[[str, Any], Any]

__all__ = [
    "choose",
    "read_bar",
    "read_every",
    "read_flag",
    "read_name",
    "read_seconds",
    "read_severity",
    "read_time",
]

REDACTED = "[redacted"


def read_time(name: str, value: Any) -> str | None:
    """Read a time.

    Parameters
    ----------
    name
        Of the setting.
    value
        Text, or any object that is a time; None: none.

    Returns
    -------
    str or None
        In UTC, to the millisecond, or to the microsecond where it has some.

    Raises
    ------
    SettingError
        If it is no time.

    Examples
    --------
    >>> read_time("since", "2025-11-24 11:00+01:00")
    '2025-11-24T10:00:00.000Z'
    """
    moment = read_moment(name, value)
    if moment is None:
        return None
    micro = moment.microsecond % 1000
    text = write_moment(moment)
    return f"{text[:-1]}{micro:03d}Z" if micro else text


def read_every(name: str, value: Any) -> str | None:
    """Read a length of bins.

    Parameters
    ----------
    name
        Of the setting.
    value
        Text, or an object that is a length of time; None: one that fits.

    Returns
    -------
    str or None
        As pandas writes it.

    Raises
    ------
    SettingError
        If it is none, or shorter than can be told.

    Examples
    --------
    >>> read_every("every", timedelta(minutes=1))
    '1min'
    """
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = write_length(value)
    read_length(name, value)
    return str(value)


def read_name(name: str, value: Any) -> str | None:
    """Read a name of something that is known.

    Parameters
    ----------
    name
        Of the setting.
    value
        Text; None: all.

    Returns
    -------
    str or None
        The same.

    Raises
    ------
    SettingError
        If it is no text.

    Examples
    --------
    >>> read_name("signature", "psycopg.returned_in_transaction")
    'psycopg.returned_in_transaction'
    """
    if value is None or isinstance(value, str):
        return value
    msg = f"{name}={_say(value)} is no text: write a name, or None"
    raise SettingError(msg)


def read_bar(name: str, value: Any) -> str | None:
    """Read a bar: a name, or when it begins.

    Parameters
    ----------
    name
        Of the setting.
    value
        Text, or an object that is a time; None: none.

    Returns
    -------
    str or None
        As bars are named.

    Raises
    ------
    SettingError
        If it is neither.
    """
    if isinstance(value, date):
        return read_time(name, value)
    return read_name(name, value)


def read_seconds(name: str, value: Any) -> float:
    """Read a number of seconds.

    Parameters
    ----------
    name
        Of the setting.
    value
        A number that is not less than 0.

    Returns
    -------
    float
        The number.

    Raises
    ------
    SettingError
        If it is none.

    Examples
    --------
    >>> read_seconds("longer_than_s", 5)
    5.0
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value) and value >= 0:
        return float(value)
    msg = f"{name}={_say(value)} is no number of seconds, 0 or more"
    raise SettingError(msg)


def read_flag(name: str, value: Any) -> bool:
    """Read yes or no.

    Parameters
    ----------
    name
        Of the setting.
    value
        True or False.

    Returns
    -------
    bool
        The same.

    Raises
    ------
    SettingError
        If it is neither.
    """
    if value is True or value is False:
        return bool(value)
    msg = f"{name}={_say(value)} is neither True nor False"
    raise SettingError(msg)


def read_severity(name: str, value: Any) -> str:
    """Read a severity.

    Parameters
    ----------
    name
        Of the setting.
    value
        As findings have it.

    Returns
    -------
    str
        The same.

    Raises
    ------
    SettingError
        If it is none.

    Examples
    --------
    >>> read_severity("severity", "high")
    'high'
    """
    text = read_name(name, value)
    if text is None:
        msg = f"{name}=None: write the least that is shown, {SEVERITIES[0]!r} for all"
        raise SettingError(msg)
    severity_rank(text)
    return text


def choose(name: str, wanted: str | None, known: Iterable[str]) -> str | None:
    """Find what a name means, also where a secret was taken out of it.

    Code is shown without secrets. Whoever runs it shall see the same.

    Parameters
    ----------
    name
        Of the setting.
    wanted
        What was written.
    known
        What there is.

    Returns
    -------
    str or None
        What is known; or what was written, where nothing is known by it.

    Raises
    ------
    SettingError
        If it stands for more than one that is known.

    Examples
    --------
    >>> choose("operation", "mail [redacted:email]", ["mail sam@example.net"])
    'mail sam@example.net'
    """
    if wanted is None or not (REDACTED in wanted or len(wanted) > LONGEST):
        return wanted
    names = list(dict.fromkeys(known))
    if wanted in names:
        return wanted
    found = [one for one in names if hide(one) == wanted]
    if len(found) > 1:
        msg = (
            f"{name}={_say(wanted)} stands for {len(found)} that differ only in what "
            "was taken out: choose in the list"
        )
        raise SettingError(msg)
    return found[0] if found else wanted


def _say(value: object) -> str:
    """Return a value as one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"
