"""Whether a line with a known header may be of another format than it seems to be.

Formats are tried in an order, and one that is tried earlier may look at the message
too. Fields of layouts take what they can and keep it: so a header says of most formats
that no line with it is theirs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from diagkit.sources.layouts import FIELD, TOKENS, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.sources.formats import LineFormat, Registry

# What a field may begin with that the end of a header has cut off. A field that is not
# listed fails at its first character or not at all.
CUT_OFF = {
    "level": re.compile(r"[A-Za-z]{0,11}"),
    "timestamp": re.compile(r"[\w :.,/+-]{0,18}"),
    "priority": re.compile(r"\d{0,2}"),
}
# Pieces of a pattern of which it is plain what they take.
PLAIN = re.compile(r"\{\w+(?::[^{}]*)?\}| \+|\\[^\w\s]|[^\\\[\](){}.*+?|^$]")
REPEATED = ("*", "+", "?", "{")
# Python's own that a linear-time engine refuses; without them more lines fit.
ATOMIC = re.compile(r"\(\?>|([*+?}])\+|\(\?[=!](?:[^()\\]|\\.|\([^()]*\))*\)")
NAMED = re.compile(r"\(\?P<\w+>")
BRACKETED = r"[A-Za-z]{2,12}+ *+\]"


def find_earlier(registry: Registry, how: LineFormat, header: str) -> str | None:
    """Return a pattern of lines with a header that are of a format tried earlier.

    Parameters
    ----------
    registry
        The formats.
    how
        The format that a line with this header is of, most of the time.
    header
        What stands before the message.

    Returns
    -------
    str or None
        A pattern for a linear-time engine; empty where no message makes the line one of
        another format, None where there is no telling.

    Examples
    --------
    >>> from diagkit.sources.formats import load_registry
    >>> registry = load_registry()
    >>> header = "2025-11-24 18:17:11 [INFO] a.b: "
    >>> find_earlier(registry, registry.recognise(header)[0], header)
    ''
    """
    earlier = []
    for other in registry.formats:
        if other is how:
            break
        if other.may_begin(header[0]) and _may_go_on(other, header):
            earlier.append(f"(?:{_loosen(other.pattern.pattern)})")
    pattern = f"^(?:{'|'.join(earlier)})$" if earlier else ""
    return pattern if _is_linear(pattern) else None


def _may_go_on(how: LineFormat, header: str) -> bool:
    """Say whether a line that begins with a header may be of a format."""
    at = 0
    for name, pattern in _tokens(how.written, layout="(?" not in how.written):
        if name == "message":
            return True
        match = pattern.match(header, at)
        if match is None:
            rest = header[at:]
            if name:
                cut = CUT_OFF.get(name)
                return cut is not None and cut.fullmatch(rest) is not None
            return pattern.pattern.replace("\\", "").startswith(rest)
        at = match.end()
        if at == len(header):
            return True
    return True


@lru_cache(maxsize=512)
def _tokens(written: str, *, layout: bool) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the fields and the literal text that a format begins with, in order."""
    out = []
    pieces = TOKENS.split(written) if layout else _plain_pieces(written)
    for piece in filter(None, pieces):
        field = FIELD.fullmatch(piece.strip(" ") or piece)
        if field is not None and field[1] == "message":
            out.append(("message", re.compile("")))
            break
        if piece == "[{level}]":
            out += [("", re.compile(r"\[")), ("level", re.compile(BRACKETED))]
        elif field is not None:
            out.append((field[1], compile_pattern(piece)))
        elif layout and not piece.strip(" "):
            out.append(("", re.compile(" +")))
        else:
            out.append(("", re.compile(re.escape(piece) if layout else piece)))
    return tuple(out)


def _plain_pieces(pattern: str) -> Iterator[str]:
    at = 0
    while match := PLAIN.match(pattern, at):
        if pattern.startswith(REPEATED, match.end()) and match[0] != " +":
            following = PLAIN.match(pattern, match.end())
            if following is None or not following[0].startswith("{"):
                break
        yield match[0]
        at = match.end()
    # What follows may take anything.
    yield "{message}"


def _loosen(pattern: str) -> str:
    """Return what a linear-time engine takes that fits wherever a pattern fits."""
    loose = pattern
    while (less := ATOMIC.sub(_without, loose)) != loose:
        loose = less
    return NAMED.sub("(?:", loose)


def _is_linear(pattern: str) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid:
        return False
    return True


def _without(match: re.Match[str]) -> str:
    return "(?:" if match[0] == "(?>" else match[1] or ""
