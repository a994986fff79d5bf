"""Take secrets and personal data out of text, and count them."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from diagkit.redaction.hidden import drop_hidden
from diagkit.redaction.patterns import KINDS, select_patterns
from diagkit.redaction.people import EMAIL
from diagkit.redaction.values import is_secret, read_address, read_plain

if TYPE_CHECKING:
    from diagkit.redaction.shapes import Pattern

# How every replacement begins.
REDACTED = "[redacted:"
MOST_PASSES = 5
BEFORE = 24  # characters in front of a find that say what it is
MOST_ADDRESS = 64  # characters of an address, with all that may stand around it
# What stands where a secret stood; in a box, with the box's own lines around it.
MARKER = re.compile(
    rf"[\s│|\"'`\\(]*\[redacted:(?:{'|'.join(KINDS)})(?::[0-9a-f]{{8}})?\][\s│|\"'`\\).,;:]*"
)


@dataclass(frozen=True)
class RedactedText:
    """Text without secrets, and how many replacements were made.

    Attributes
    ----------
    text
        The text, with ``[redacted:kind]`` in place of what was secret.
    count
        How many replacements were made.
    """

    text: str
    count: int


def redact_text(text: str, key: str | None = None) -> RedactedText:
    """Replace secrets and personal data in text.

    Parameters
    ----------
    text
        Anything that is to leave.
    key
        With it, each value has a pseudonym, ``[redacted:email:4f1c9a02]``: the same
        value is the same one wherever it stands, and nobody without the key can tell
        which, or try values out.

    Returns
    -------
    RedactedText
        Its ``text`` and the ``count`` of replacements.

    Examples
    --------
    >>> redact_text("postgresql://app:hunter2@db/app").text
    'postgresql://[redacted:dsn]@db/app'
    >>> redact_text("password=hunter2, all well").count
    1
    >>> redact_text("from sam@example.net, to Sam@example.net", key="k").text
    'from [redacted:email:f17ff785], to [redacted:email:f17ff785]'
    """
    done, count = _redact(drop_hidden(text), key or None)
    return RedactedText(done if count else text, count)


@lru_cache(maxsize=4096)
def hide(text: str) -> str:
    """Return text without secrets and personal data.

    What is drawn or shown again and again was mostly redacted before.

    Parameters
    ----------
    text
        Anything that is to leave.

    Returns
    -------
    str
        The same, redacted.

    Examples
    --------
    >>> hide("password=hunter2")
    'password=[redacted:secret]'
    """
    return redact_text(text).text


def hide_line(text: str) -> str:
    r"""Return what another program said, as one line without secrets.

    Parameters
    ----------
    text
        Its words.

    Returns
    -------
    str
        Nothing of it is cut: half a secret is not known for one.

    Examples
    --------
    >>> hide_line("no such user:\n  password=hunter2")
    'no such user: password=[redacted:secret]'
    """
    return redact_text(" ".join(text.split())).text


def _redact(text: str, key: str | None) -> tuple[str, int]:
    """Redact until nothing more is found: a replacement may bring out what it hid."""
    count = 0
    for _ in range(MOST_PASSES):
        made = 0
        for pattern in select_patterns(text):
            text, more = _apply(pattern, text, key)
            made += more
        count += made
        if not made:
            break
    return text, count


def _apply(pattern: Pattern, text: str, key: str | None) -> tuple[str, int]:
    made = 0
    named = "secret" in pattern.shape.groupindex

    def replace(match: re.Match[str]) -> str:
        nonlocal made
        whole, start = match[0], match.start()
        a, b = match.span("secret") if named else (-1, -1)
        if a < 0:
            a, b = match.span()
        secret, before = text[a:b], text[max(0, a - BEFORE) : a]
        # Only what is a marker of our own, and all of it, is done already.
        if MARKER.fullmatch(secret) or not is_secret(pattern.name, secret, before):
            return whole
        made += 1
        name = _name(pattern.name, secret, key)
        return f"{whole[: a - start]}[redacted:{name}]{whole[b - start :]}"

    return pattern.shape.sub(replace, text), made


def _name(kind: str, secret: str, key: str | None) -> str:
    """Return a kind and its pseudonym: one value is one name, however it is written."""
    plain = read_plain(secret.strip("()"))
    address = read_address(plain) if len(plain) < MOST_ADDRESS else None
    if address is not None:
        kind, plain = "address", str(address)
    elif "@" in plain and EMAIL.fullmatch(plain):
        kind, plain = "email", plain.casefold()
    elif kind == "card":
        plain = "".join(c for c in plain if c.isdigit())
    if key is None:
        return kind
    said = hmac.new(
        key.encode("utf-8", "replace"),
        f"{kind}|{plain}".encode("utf-8", "replace"),
        "sha256",
    )
    return f"{kind}:{said.hexdigest()[:8]}"
