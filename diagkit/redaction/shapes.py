"""What a pattern is, and the pieces that several of them are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

# In a shape, the group `secret` is replaced; where there is none, the whole match is.
# Each shape is linear: whatever repeats is possessive, bounded, or cannot begin again
# inside itself. Where it can, a shape begins with a literal or a class of characters,
# for which the engine searches fast.


@dataclass(frozen=True)
class Pattern:
    """One kind of secret.

    Attributes
    ----------
    name
        What the replacement says: ``[redacted:name]``.
    needs
        Literals in lower case; the shape is tried where one of them occurs.
    shape
        The regular expression.
    """

    name: str
    needs: tuple[str, ...]
    shape: re.Pattern[str]


def make_pattern(name: str, needs: str, shape: str, flags: int = 0) -> Pattern:
    """Return a row of the table.

    Parameters
    ----------
    name
        The kind.
    needs
        Literals in lower case, with ``|`` between them.
    shape
        The regular expression.
    flags
        Of `re`.

    Returns
    -------
    Pattern
        The row.
    """
    return Pattern(name, tuple(needs.split("|")), re.compile(shape, flags))


# A quotation mark as it stands in text, in JSON within JSON, in HTML and in a URL.
QUOTE = r"(?:\\*[\"']|&(?:quot|apos|#0?3[49]|#[xX]2[27]);|%(?:25)?2[27]|\\+u002[27]|`)"
# A text in quotation marks, on one line.
STRING = r"(?:\"(?:[^\"\\\r\n]|\\.)*+\"|'(?:[^'\\\r\n]|\\.)*+')"


# Not in front of the rest of a marker with a pseudonym, [redacted:secret:4f1c9a02]: its
# kind is no name of a value.
KINDS = (
    *("secret", "token", "cookie", "api_key", "private_key", "aws_secret"),
    *("slack_token", "gitlab_token", "github_token"),
)
NO_MARKER = (
    "(?!(?:" + "|".join(rf"(?<=\[redacted:{k})" for k in KINDS) + r"):[0-9a-f]{8}\])"
)


def make_quoted(mark: str) -> str:
    """Return the shape of a quoted value, from its opening mark to the same one.

    Parameters
    ----------
    mark
        A name for the group of the opening mark.

    Returns
    -------
    str
        A regular expression. A value that is cut off goes to the end of its line.
    """
    return (
        rf"[bBrRuUfF]{{0,2}}(?P<{mark}>{QUOTE})"
        rf"(?:[^\r\n]{{0,4000}}?(?<!\\)(?P={mark})(?:(?<=['\"])['\"][^'\"\r\n]++['\"])*+"
        r"|(?=\S)[^\r\n]++)"
    )
