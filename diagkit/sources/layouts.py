"""Layouts: a line with fields in braces, and the regular expression it stands for.

Every field is a known block, and every block is atomic: what it has taken it keeps. So
a layout is matched in one go from left to right, in time linear in the line, whoever
wrote it. That is why files of users hold layouts and no regular expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from diagkit.errors import SettingError, suggest
from diagkit.sources.timestyles import TimeStyle, compile_style, style_blocks

_WORDS = (
    "TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARN(?:ING)?|ERR(?:OR)?|CRITICAL|FATAL|"
    "SEVERE|trace|debug|info|notice|success|warn(?:ing)?|err(?:or)?|critical|fatal"
)
# What stands for a field of a layout. A level without brackets must be a known word;
# in brackets any word is one.
BLOCKS = {
    "level": _WORDS,
    "level:word": r"[A-Za-z]{2,12}",
    "level:letter": r"[A-Z]",
    "logger": r"[\w.$<>/-]+(?::[\w.$<>/-]+)*",
    "logger:any": r"\S+",
    "logger:class": r"[\w$]+(?:\.[\w$<>]+)+",
    "logger:word": r"[^\s:|\[\](){}]+",
    "priority": r"\d{1,3}",
    "skip": r"[^\s\[\]]+",
    "skip:number": r"[+-]?\d+",
    "skip:word": r"\S+",
    "skip:text": r"[^\]]*",
    "skip:parentheses": r"[^)]*",
    "message": r".*",
}
BLOCKS |= {f"timestamp:{name}": block for name, block in style_blocks().items()}
BLOCKS["timestamp"] = style_blocks()["iso"]

ANY_START = ""
# By which characters a line may begin where a layout begins with a field.
STARTS = {
    "timestamp": "0-9",
    "timestamp:ctime": "A-Z",
    "timestamp:syslog": "A-Z",
    "level": "A-Za-z",
    "level:word": "A-Za-z",
    "level:letter": "A-Z",
}
FIELD = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
TOKENS = re.compile(r"( ?\{message\}|\[\{level\}\]|\{[^{}]*\}| +)")
# A bracketed level is padded to the right.
BRACKETED_LEVEL = r"\[(?P<level>[A-Za-z]{2,12}+) *+\]"


@dataclass(frozen=True)
class Layout:
    """A layout, ready to be used.

    Attributes
    ----------
    pattern
        Matches a whole line.
    starts
        The characters that such a line may begin with, as in brackets of a regular
        expression; empty where any may.
    gate
        What such a line begins with, to try many formats at the price of one.
    style
        How its time is written, where the layout says it itself.
    """

    pattern: re.Pattern[str]
    starts: str = ANY_START
    gate: str = ""
    style: TimeStyle | None = None


def compile_layout(layout: str) -> re.Pattern[str]:
    """Turn a layout into the regular expression that it stands for.

    Parameters
    ----------
    layout
        A line with fields in braces, as `formats.toml` explains.

    Returns
    -------
    re.Pattern
        Matches a whole line.

    Raises
    ------
    SettingError
        If a field is not known.

    Examples
    --------
    >>> pattern = compile_layout("{timestamp} {level} {message}")
    >>> pattern.fullmatch("2025-11-24 23:20:56 ERROR lost it")["message"]
    'lost it'
    """
    return read_layout(layout).pattern


def read_layout(layout: str) -> Layout:
    """Read a layout.

    Parameters
    ----------
    layout
        A line with fields in braces.

    Returns
    -------
    Layout
        The expression, and what its lines begin with.

    Raises
    ------
    SettingError
        If a field is not known or comes twice.
    """
    tokens = [token for token in TOKENS.split(layout) if token]
    style: TimeStyle | None = None
    out = ""
    for token in tokens:
        field = FIELD.fullmatch(token)
        if field and field[1] == "timestamp" and "%" in (field[2] or ""):
            style = compile_style("own", field[2])
            out += f"(?P<timestamp>(?>{style.block}))"
        else:
            out += _compile_token(token)
    try:
        pattern = re.compile(out, re.DOTALL)
    except re.error as error:
        msg = f"the layout {layout!r} cannot be read ({error})"
        raise SettingError(msg) from None
    first = tokens[0] if tokens else ""
    gate = find_gate(rf"\{layout}" if first == "[" else layout)
    return Layout(pattern, _starts(first), gate, style)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression in which fields of layouts may stand.

    Parameters
    ----------
    pattern
        The expression, from `formats.toml`; ``{timestamp:clf}`` is such a field.

    Returns
    -------
    re.Pattern
        Matches a whole line.

    Examples
    --------
    >>> pattern = compile_pattern("<{timestamp:epoch}>.*")
    >>> pattern.fullmatch("<1764026456> x")["timestamp"]
    '1764026456'
    """
    whole = FIELD.sub(
        lambda m: _compile_token(m[0]) if m[0][1:-1] in BLOCKS else m[0], pattern
    )
    return re.compile(whole, re.DOTALL)


def find_gate(pattern: str) -> str:
    r"""Return what every line begins with that a pattern explains, if that is a time.

    Parameters
    ----------
    pattern
        The pattern, with fields.

    Returns
    -------
    str
        An expression; empty where the pattern begins with something else.

    Examples
    --------
    >>> find_gate(r"\[{timestamp:glog}\] {message}")
    '\\[(?:(?:\\d\\d)(?:[ \\d]?\\d)\\ ...
    """
    bracket = r"\[" if pattern.startswith(r"\[") else ""
    field = FIELD.match(pattern, len(bracket))
    name = field[0][1:-1] if field is not None else ""
    if not name.startswith("timestamp") or name not in BLOCKS:
        return ""
    return f"{bracket}(?:{BLOCKS[name]})"


def _compile_token(token: str) -> str:
    if token in (" {message}", "{message}"):
        message = f"(?P<message>{BLOCKS['message']})"
        # An empty message loses its blank where a file was trimmed.
        return f"(?: {message}|)" if token[0] == " " else message
    if token == "[{level}]":
        return BRACKETED_LEVEL
    field = FIELD.fullmatch(token)
    if field is None:
        return " ++" if not token.strip(" ") else re.escape(token)
    name = token[1:-1]
    if name not in BLOCKS:
        msg = f"{token} is no field of a layout{suggest(name, BLOCKS)}"
        raise SettingError(msg)
    if field[1] == "skip":
        return f"(?>{BLOCKS[name]})"
    return f"(?P<{field[1]}>(?>{BLOCKS[name]}))"


def _starts(token: str) -> str:
    field = FIELD.match(token)
    if field is None:
        return re.escape(token[:1])
    if field[1] == "timestamp":
        default = STARTS["timestamp"] if "%" not in (field[2] or "") else ANY_START
        return STARTS.get(token[1:-1], default)
    return STARTS.get(token[1:-1], ANY_START)
