"""Tracebacks in text, of Python and Java: where they begin, what was raised last.

Java prints the exception that was raised last first and its causes below, Python the
other way round. The exception of a record is the one that was raised last, in both: of
Java not the last ``Caused by``. The causes stand in the traceback.
"""

from __future__ import annotations

import re
from itertools import pairwise

# What SQLAlchemy adds to a message; it may reach over lines, up to a bracket.
BLOCKS = ("[SQL: ", "[parameters: ")
HEADER_TEXT = "Traceback (most recent call last):"
HEADER = re.compile(r"[ |+]*(?:Exception Group )?Traceback \(most recent call last\):")
# Lines between the tracebacks of one chain, and those of a message that goes on.
CHAIN = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
    "[SQL: ",
    "[parameters: ",
    "(Background on this error at: ",
    "DETAIL:",
    "HINT:",
    "CONTEXT:",
    "LINE ",
)
MARGIN = re.compile(r"[ |+]*")
RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?::(?: |$)|$)")
# A frame of Java, what stands between its frames, and how an exception is named.
JAVA_FRAME = re.compile(r"\s+at (?:[^\s()]+/)*[\w.$<>]+\([^)]*\)")
JAVA_CHAIN = re.compile(
    r"\s*(?:Caused by: |Suppressed: |\.\.\. \d+ (?:more|common frames))"
)
JAVA_RAISED = re.compile(
    r"(?:Exception in thread \"[^\"]*\" )?(?P<type>[\w$]+(?:\.[\w$]+)*\.[A-Z][\w$]*)"
    r"(?:: .*)?"
)
# "  | " is a group itself; what stands further to the right is inside of it.
GROUP_MARGIN = 4
INDENTED = (" ", "|", "+", "")
# Where a frame is; loguru marks the one that caught the exception.
PLACE = re.compile(r'[ |>]*File "[^"\n]*", line \d+')
# Keys of an exception that is written as an object.
SAYS = ("exc_type", "exc_value", "type", "value", "frames")


def is_header(line: str) -> bool:
    """Say whether a line begins a traceback.

    Parameters
    ----------
    line
        One line.

    Returns
    -------
    bool
        True for the header of a plain traceback and of an exception group.

    Examples
    --------
    >>> is_header("  + Exception Group Traceback (most recent call last):")
    True
    """
    # Most lines are told by one look: tracebacks are long, and read line by line.
    return HEADER_TEXT in line and HEADER.match(line) is not None


def continues(line: str, *, after_frame: bool) -> bool:
    """Say whether a line can be part of a traceback that has begun.

    Parameters
    ----------
    line
        One line.
    after_frame
        Whether a frame or a header stands before it, so that the line may name the
        exception.

    Returns
    -------
    bool
        True where it can.
    """
    return (
        not line.strip()
        or line[0] in " \t"
        or is_header(line)
        or line.startswith(CHAIN)
        or (after_frame and RAISED.match(line) is not None)
    )


def continues_java(line: str, before: str) -> bool:
    r"""Say whether a line can be part of a Java stack trace.

    Parameters
    ----------
    line
        One line.
    before
        The line before it.

    Returns
    -------
    bool
        True where it can.

    Examples
    --------
    >>> continues_java("\tat a.b.C.d(C.java:1)", "java.lang.RuntimeException: lost it")
    True
    """
    if JAVA_FRAME.match(line):
        return (
            JAVA_FRAME.match(before) is not None
            or JAVA_CHAIN.match(before) is not None
            or JAVA_RAISED.fullmatch(before) is not None
        )
    begun = JAVA_FRAME.match(before) or JAVA_CHAIN.match(before)
    return begun is not None and JAVA_CHAIN.match(line) is not None


def last_exception(traceback: str) -> str | None:
    r"""Return the type of the last exception that a text of tracebacks raises.

    Parameters
    ----------
    traceback
        One or several tracebacks, chained or grouped.

    Returns
    -------
    str or None
        The type as written. Of an exception group the group's own type, not that of
        an exception inside of it; of Java the last trace's own, not that of a cause.

    Examples
    --------
    >>> last_exception('Traceback (most recent call last):\n  File "x"\nKeyError: 1')
    'KeyError'
    """
    found: str | None = None
    margin: int | None = None  # of the traceback that is open
    for line in traceback.split("\n"):
        if is_header(line):
            margin = len(MARGIN.match(line)[0])  # type: ignore[index]
            continue
        if margin is None or (margin == 0 and line[:1] in INDENTED):
            continue
        own = len(MARGIN.match(line)[0])  # type: ignore[index]
        if own <= margin and (match := RAISED.match(line, own)):
            if own <= GROUP_MARGIN or found is None:
                found = match["type"]
            margin = None
    return found or _last_java(traceback)


def split_traceback(text: str) -> tuple[str, str | None]:
    """Cut a record's text into its message and its tracebacks.

    Parameters
    ----------
    text
        A message with what follows it.

    Returns
    -------
    tuple of str and (str or None)
        What stands before the first header, and the rest.

    Examples
    --------
    >>> split_traceback("lost it")
    ('lost it', None)
    """
    if HEADER_TEXT in text:
        lines = text.split("\n")
        first = next((i for i, line in enumerate(lines) if is_header(line)), None)
    elif "\n" in text and ("\tat " in text or " at " in text):
        lines = text.split("\n")
        first = _first_java(lines)
    else:
        return text, None
    if first is None or first == 0:
        return ("", text) if first == 0 else (text, None)
    return "\n".join(lines[:first]).rstrip("\n"), "\n".join(lines[first:])


def _first_java(lines: list[str]) -> int | None:
    """Find the line that names the exception of the first Java stack trace."""
    frame = next((i for i, line in enumerate(lines) if JAVA_FRAME.match(line)), None)
    if frame is None:
        return None
    # An exception's message may have several lines.
    named = (i for i in range(frame - 1, -1, -1) if JAVA_RAISED.fullmatch(lines[i]))
    return next(named, frame)


def _last_java(traceback: str) -> str | None:
    lines = traceback.split("\n")
    found: str | None = None
    for before, line in pairwise(lines):
        match = JAVA_RAISED.fullmatch(before)
        if match and JAVA_FRAME.match(line):
            found = match["type"]
    if found is None and _first_java(lines) is not None:
        match = JAVA_RAISED.match(lines[0])
        found = match["type"] if match else None
    return found


def describe_exception(value: object) -> str | None:
    """Turn the exception of a JSON record into text.

    Parameters
    ----------
    value
        A traceback's text; or the objects that structlog and loguru write. Local
        variables in them are left out: they hold what nobody meant to log.

    Returns
    -------
    str or None
        A traceback as Python prints it, None where there is nothing.
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return None
    parts = [
        _describe(item)
        for item in value
        if isinstance(item, dict) and any(item.get(key) for key in SAYS)
    ]
    joiner = f"\n\n{CHAIN[1]}\n\n"
    # structlog lists the exception that was raised last first.
    return joiner.join(reversed(parts)) or None


def leave_out_values(traceback: str) -> str:
    r"""Leave out what loguru shows of the variables in each frame.

    They hold what nobody meant to log.

    Parameters
    ----------
    traceback
        A traceback as loguru writes it.

    Returns
    -------
    str
        Of each frame its place and the first line of its source.

    Examples
    --------
    >>> text = '  File "a.py", line 3, in f\n    x(y)\n      └ 5\nKeyError: 5'
    >>> print(leave_out_values(text))
      File "a.py", line 3, in f
        x(y)
    KeyError: 5
    """
    kept: list[str] = []
    column: int | None = None  # where the place of the open frame stands
    source = False
    for line in traceback.split("\n"):
        indent = len(line) - len(line.lstrip(" |>"))
        if PLACE.match(line):
            column, source = indent, True
            kept.append(line)
        elif column is not None and (indent >= column or indent == len(line)):
            if source and indent < len(line):
                kept.append(line)
                source = False
        else:
            column = None
            kept.append(line)
    return "\n".join(kept)


def _describe(item: dict[str, object]) -> str:
    name = item.get("exc_type") or item.get("type") or "Exception"
    text = item.get("exc_value") or item.get("value") or ""
    frames = item.get("frames")
    lines = ["Traceback (most recent call last):"]
    lines += [
        f'  File "{frame.get("filename")}", line {frame.get("lineno")}, '
        f"in {frame.get('name')}"
        for frame in (frames if isinstance(frames, list) else [])
        if isinstance(frame, dict)
    ]
    return "\n".join([*lines, f"{name}: {text}" if text else str(name)])
