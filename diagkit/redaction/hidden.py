"""Characters that nobody sees and that part a name from its value: colours, joiners."""

from __future__ import annotations

import re

# Control characters but tab and line ends, soft hyphens, joiners, directions.
MARKS = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u2069\ufeff"
)
MARK = re.compile(f"[{MARKS}]")
# A terminal's sequences, as characters; and as text that spells them out.
ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\r\n]{0,2000}(?:\x07|\x1b\\)|[@-Z\\^_])"
    rf"|[{MARKS}]"
)
STARTS = ("\\x1b[", "\\x1B[", "\\u001b[", "\\u001B[", "\\033[", "\\e[", "^[[")
SPELLED = re.compile(r"(?:\\+(?:x1[bB]|u001[bB]|033|e)|\^\[)\[[0-9;]{0,20}[A-Za-z]")


def drop_hidden(text: str) -> str:
    r"""Return text without what nobody sees in it.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text, without a terminal's sequences, zero-width and control characters.

    Examples
    --------
    >>> drop_hidden("\x1b[36mpassword\x1b[0m=\x1b[35mx\x1b[0m, pass\u200bword")
    'password=x, password'
    """
    if not text.isprintable() and MARK.search(text):
        text = ESCAPE.sub("", text)
    if any(start in text for start in STARTS):
        text = SPELLED.sub("", text)
    return text
