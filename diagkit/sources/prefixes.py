"""PostgreSQL's log_line_prefix, and the line format that it makes.

What the escapes write is data, in `prefixes.toml`. One that may write anything ends
where what follows it in the prefix stands first, and what it has taken it keeps: so a
line is matched in time linear in it, whoever named the database.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from diagkit.errors import SettingError
from diagkit.sources.formats import NEVER_FIRST
from diagkit.sources.layouts import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ESCAPE = re.compile(r"%(?P<width>-?\d*)(?P<letter>.?)", re.DOTALL)
NAMED = re.compile(r"\(\?P<\w+>")
TIME = re.compile(r"\{timestamp:\w+\}")
# The sign itself; and from here on only sessions write.
PERCENT, SESSIONS = "%", "q"
# PostgreSQL pads to a few characters; what pads to more is looked for in vain.
WIDEST = 500
MESSAGE = "database system is ready to accept connections"


@dataclass(frozen=True)
class Part:
    """A piece of a log_line_prefix.

    Attributes
    ----------
    example
        What it wrote once.
    looks
        A pattern; empty where it writes anything.
    starts
        The characters that it may begin with; empty where any may, or it may be empty.
    timestamp
        Whether it is the time of a record: the part with the lowest number is; 0 for
        no time.
    width
        To how many characters it is padded, on the left, or on the right if negative.
    """

    example: str
    looks: str = ""
    starts: str = ""
    timestamp: int = 0
    width: int = 0

    @property
    def pattern(self) -> str:
        """What it looks like, padded."""
        pad = f" {{0,{min(abs(self.width), WIDEST)}}}" if self.width else ""
        return f"{pad}{self.looks}" if self.width > 0 else f"{self.looks}{pad}"

    @property
    def written(self) -> str:
        """What it wrote once, padded."""
        width = abs(self.width)
        text = self.example
        return text.rjust(width) if self.width > 0 else text.ljust(width)


def read_prefix(prefix: str) -> dict[str, Any]:
    """Make the entry of a line format of a log_line_prefix.

    Parameters
    ----------
    prefix
        As it stands in ``postgresql.conf``.

    Returns
    -------
    dict
        What `formats.make_format` takes, with examples.

    Raises
    ------
    SettingError
        If an escape is none of PostgreSQL's, or the lines of such a log begin like
        those that go on with a record.

    Examples
    --------
    >>> from diagkit.sources.formats import make_format
    >>> how = make_format(read_prefix("%m [%p] %q%u@%d "))
    >>> line = "2025-11-24 23:20:56.631 UTC [123] app@prod FATAL:  lost it"
    >>> how.pattern.fullmatch(line)["level"]
    'FATAL'
    """
    table = load_escapes()
    parts, sessions = _cut(prefix, table["escapes"])
    first = parts[0] if parts else Part("LOG", starts="A-Z")
    signs = NEVER_FIRST.intersection(_begin(parts[:sessions]))
    if signs:
        msg = (
            f"log_line_prefix = {prefix!r}: some of its lines begin with "
            f"{min(signs)!r}; lines that do so belong to the record before them"
        )
        raise SettingError(msg)
    level, longest = table["level"], table["longest"]
    behind = level
    if parts[sessions:]:
        behind = f"(?:{_compile(parts[sessions:], level, longest)})?{level}"
    pattern = _compile(parts[:sessions], behind, longest) + behind
    texts = [
        "".join(part.written for part in some) for some in (parts, parts[:sessions])
    ]
    return {
        **table["format"],
        "name": f"postgresql {prefix!r}",
        "pattern": f"{pattern}(?P<message>.*)",
        "starts": first.starts if sessions or not parts else "",
        "examples": [
            {"line": f"{text}LOG:  {MESSAGE}", "level": "LOG", "message": MESSAGE}
            for text in dict.fromkeys(texts)
        ],
    }


@lru_cache(maxsize=1)
def load_escapes() -> dict[str, Any]:
    """Read what the escapes of a log_line_prefix write.

    Returns
    -------
    dict
        As `prefixes.toml` explains.

    Examples
    --------
    >>> load_escapes()["escapes"]["e"]["means"]
    'SQLSTATE error code'
    """
    text = files("diagkit.sources").joinpath("prefixes.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def _cut(prefix: str, escapes: dict[str, Any]) -> tuple[list[Part], int]:
    """Cut a prefix into parts; say at which of them begins what only sessions write."""
    parts: list[Part] = []
    sessions: int | None = None
    at = 0
    for match in ESCAPE.finditer(prefix):
        letter = match["letter"]
        parts += _literal(prefix[at : match.start()])
        at = match.end()
        if letter == PERCENT:
            parts += _literal(PERCENT)
        elif letter == SESSIONS:
            sessions = len(parts) if sessions is None else sessions
        elif letter in escapes:
            known = {k: said for k, said in escapes[letter].items() if k != "means"}
            parts.append(Part(**known, width=int(match["width"].strip("-") or 0)))
            if match["width"].startswith("-"):
                parts[-1] = replace(parts[-1], width=-parts[-1].width)
        else:
            msg = (
                f"log_line_prefix = {prefix!r}: {match[0]!r} is no escape of "
                f"PostgreSQL's; {PERCENT} is followed by one of "
                f"{''.join([*escapes, SESSIONS, PERCENT])}"
            )
            raise SettingError(msg)
    parts += _literal(prefix[at:])
    best = min(
        (p for p in parts if p.timestamp), key=lambda p: p.timestamp, default=None
    )
    named = [
        part if part is best else replace(part, looks=_unnamed(part.looks))
        for part in parts
    ]
    return named, len(parts) if sessions is None else sessions


def _begin(parts: Sequence[Part]) -> Iterator[str]:
    """Give the characters with which lines of a prefix may begin, as far as is known.

    Background processes leave empty, or blank, what tells of a session.
    """
    for part in parts:
        always = bool(part.starts)
        yield " " if part.width > 0 or (part.width and not always) else part.example[:1]
        if always:
            return


def _unnamed(pattern: str) -> str:
    """Return the same pattern without groups: a record has one time and one level."""
    loose = TIME.sub(lambda time: f"(?:{BLOCKS[time[0][1:-1]]})", pattern)
    return NAMED.sub("(?:", loose)


def _literal(text: str) -> list[Part]:
    return [Part(text, re.escape(text), re.escape(text[0]))] if text else []


def _compile(parts: Sequence[Part], behind: str, longest: int) -> str:
    """Return the pattern of some parts, `behind` which that of the others stands."""
    out, open_end = "", False
    for part in parts:
        if not part.looks:
            out += ")" if open_end else ""
            out += f"(?>.{{0,{max(longest, min(abs(part.width), WIDEST))}}}?"
            open_end = True
        out += part.pattern if part.looks else ""
    return out + (f"(?={_unnamed(behind)}))" if open_end else "")
