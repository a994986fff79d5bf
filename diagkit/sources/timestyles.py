"""The ways in which logs write a time: a table, and each of them to ISO 8601.

A time without a year keeps its place open (``--06-14T15:16:01``), as ISO 8601 once
wrote it: whoever knows the year fills it in, and nobody invents one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from diagkit.errors import SettingError, suggest

MONTHS = {
    "Jan": "01",
    "Feb": "02",
    "Mar": "03",
    "Apr": "04",
    "May": "05",
    "Jun": "06",
    "Jul": "07",
    "Aug": "08",
    "Sep": "09",
    "Oct": "10",
    "Nov": "11",
    "Dec": "12",
}
# What a part of a time looks like, under the letter that strptime has for it. `ms` are
# milliseconds that are not padded, `s` is an epoch.
PARTS = {
    "Y": r"\d{4}",
    "y": r"\d\d",
    "b": "|".join(MONTHS),
    "m": r"\d\d",
    "d": r"[ \d]?\d",
    "H": r"\d?\d",
    "M": r"\d?\d",
    "S": r"\d?\d",
    "f": r"\d{1,9}",
    "ms": r"\d{1,3}",
    "z": r"Z|UTC|[+-]\d\d:?\d\d",
}
NAMED = re.compile(r"\(\?P<\w+>")
CENTURY_TURNS = 69  # two digits from here on are of the last century, as in POSIX
YEARLESS = "--"


@dataclass(frozen=True)
class TimeStyle:
    """One way to write a time.

    Attributes
    ----------
    name
        What a layout calls it: ``{timestamp:clf}``.
    pattern
        Its regular expression; its groups are named as `PARTS` are.
    example
        A time that is written so.
    """

    name: str
    pattern: re.Pattern[str]
    example: str

    @property
    def block(self) -> str:
        """The same expression without the groups' names, to stand in a larger one."""
        return NAMED.sub("(?:", self.pattern.pattern)

    def to_iso(self, text: str) -> str | None:
        """Write a time of this style as ISO 8601 does.

        Parameters
        ----------
        text
            The time.

        Returns
        -------
        str or None
            Without a year it begins with ``--``. None where the text is no such time,
            or says no day.
        """
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        parts = match.groupdict()
        if not parts.get("d"):
            return None
        fraction = parts.get("f") or (parts.get("ms") or "").zfill(3)
        zone = parts.get("z") or ""
        clock = ":".join((parts.get(key) or "").zfill(2) for key in "HMS")
        day = parts["d"].strip().zfill(2)
        return (
            f"{_year(parts)}{_month(parts)}-{day}T{clock}.{fraction}"
            f"{'Z' if zone == 'UTC' else zone}"
        )


def _year(parts: dict[str, str | None]) -> str:
    if year := parts.get("Y"):
        return f"{year}-"
    if short := parts.get("y"):
        return f"{'19' if int(short) >= CENTURY_TURNS else '20'}{short}-"
    return YEARLESS


def _month(parts: dict[str, str | None]) -> str:
    name = parts.get("b")
    return MONTHS[name] if name else parts.get("m") or ""


def compile_style(name: str, written: str, example: str = "") -> TimeStyle:
    """Make a style of how it is written.

    Parameters
    ----------
    name
        What it is called.
    written
        As for strptime, from the letters of `PARTS`. What stands in ``(`` ``)`` may be
        missing; of ``.,`` in brackets one of the two stands.
    example
        A time that is written so.

    Returns
    -------
    TimeStyle
        The style.

    Raises
    ------
    SettingError
        If a letter is not known.

    Examples
    --------
    >>> compile_style("german", "%d.%m.%Y %H:%M").to_iso("24.11.2025 23:20")
    '2025-11-24T23:20:00.000'
    """
    out = ""
    for token in re.split(r"(%ms|%[a-zA-Z]|\(|\)|\[[^\]]+\])", written):
        if token.startswith("%"):
            letter = token[1:]
            if letter not in PARTS:
                msg = (
                    f"{token} in a time is not known: use %"
                    f"{', %'.join(PARTS)}{suggest(letter, PARTS)}"
                )
                raise SettingError(msg)
            out += f"(?P<{letter}>{PARTS[letter]})"
        elif token in ("(", ")"):
            out += "(?:" if token == "(" else ")?"
        else:
            out += token if token.startswith("[") else re.escape(token)
    try:
        return TimeStyle(name, re.compile(out, re.ASCII), example)
    except re.error as error:
        msg = f"{written!r} is no way to write a time ({error})"
        raise SettingError(msg) from None


# name, how it is written, an example
STYLES = (
    *(
        compile_style(*row)
        for row in (
            ("clf", "%d/%b/%Y[: ]%H:%M:%S([.,]%f)( %z)", "10/Oct/2000:13:55:36 -0700"),
            ("short_year", "%y/%m/%d %H:%M:%S([.,]%f)", "17/06/09 20:10:40"),
            ("compact", "%y%m%d %H%M%S", "081109 203518"),
            ("dots", "%Y-%m-%d-%H.%M.%S(.%f)", "2005-06-03-15.42.50.675872"),
            ("colons", "%Y%m%d-%H:%M:%S:%ms", "20171223-22:15:29:606"),
            (
                "day_month",
                "%d[ -]%b[ -]%Y %H:%M:%S([.,]%f)",
                "24-Nov-2025 23:20:56.631",
            ),
            ("day_first", "%d.%m.%Y %H:%M:%S([.,]%f)", "24.11.2025 23:20:56"),
            ("syslog", "%b %d %H:%M:%S(.%f)", "Jun 14 15:16:01"),
            ("month_day", "%m-%d %H:%M:%S(.%f)", "03-17 16:13:38.811"),
            ("glog", "%m%d %H:%M:%S(.%f)", "1124 23:20:56.123456"),
            ("clock", "%H:%M:%S[.,]%f", "23:20:56.123"),
        )
    ),
    # The name of the day says nothing that the date does not.
    TimeStyle(
        "ctime",
        re.compile(
            "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
            + compile_style("", "%b %d %H:%M:%S(.%f) %Y").pattern.pattern,
            re.ASCII,
        ),
        "Sun Dec 04 04:47:44 2005",
    ),
)
# What a log writes most: looked for first, and parsed without these styles.
_ISO = r"\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
ISO_BLOCK = _ISO + (r"(?: ?(?:(?:Z|UTC|GMT)(?!\w)|[+-]\d\d:?\d\d(?![\w:])))?")
# PostgreSQL writes a zone without a name as its hours: -03.
SHORT_ZONE_BLOCK = _ISO + r"(?: ?(?:UTC|GMT|[+-]\d\d(?::?\d\d)?)(?!\w))?"
EPOCH_BLOCK = r"\d{19}|\d{16}|\d{13}|\d{10}(?:\.\d{1,9})?"


@lru_cache(maxsize=1)
def style_blocks() -> dict[str, str]:
    """Return how each style looks in a line.

    Returns
    -------
    dict
        A regular expression by the style's name; ``iso`` and ``epoch`` are among them.

    Examples
    --------
    >>> "clf" in style_blocks()
    True
    """
    named = {style.name: style.block for style in STYLES}
    return {
        "iso": ISO_BLOCK,
        "short_zone": SHORT_ZONE_BLOCK,
        "epoch": EPOCH_BLOCK,
        **named,
    }


def to_iso(text: str) -> str | None:
    """Write a time of any style of the table as ISO 8601 does.

    Parameters
    ----------
    text
        The time.

    Returns
    -------
    str or None
        None where it is of no style, or says no day.

    Examples
    --------
    >>> to_iso("10/Oct/2000:13:55:36 -0700")
    '2000-10-10T13:55:36.000-0700'
    >>> to_iso("Jun 14 15:16:01")
    '--06-14T15:16:01.000'
    """
    for style in STYLES:
        found = style.to_iso(text)
        if found is not None:
            return found
    return None
