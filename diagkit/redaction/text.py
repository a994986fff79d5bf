"""Take secrets and personal data out of text and frames, and count them."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagkit.redaction.patterns import PATTERNS, Pattern

if TYPE_CHECKING:
    import re

    import pandas as pd


# What stands where a secret would: "token=null" gives nothing away.
NOTHING = {"", "null", "none", "nil", "true", "false", "undefined"}


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


@dataclass(frozen=True)
class RedactedFrame:
    """A frame without secrets, and how many replacements were made.

    Attributes
    ----------
    frame
        A copy in which every text column is redacted.
    count
        How many replacements were made.
    """

    frame: pd.DataFrame = field(repr=False)
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
    count = 0
    lower = text.lower()
    for pattern in PATTERNS:
        if any(literal in lower for literal in pattern.needs):
            text, made = _apply(pattern, text, key)
            count += made
    return RedactedText(text, count)


def redact_frame(frame: pd.DataFrame, key: str | None = None) -> RedactedFrame:
    """Replace secrets and personal data in the text columns of a frame.

    Parameters
    ----------
    frame
        Any frame. Text is redacted wherever it stands: text and object columns, and
        the categories of categorical ones.
    key
        As for `redact_text`.

    Returns
    -------
    RedactedFrame
        A copy as ``frame`` and the ``count`` of replacements (a value that repeats
        counts each time).

    Examples
    --------
    >>> import pandas as pd
    >>> redact_frame(pd.DataFrame({"m": ["token=abc123"]})).frame.loc[0, "m"]
    'token=[redacted:secret]'
    """
    out = frame.copy()
    count = 0
    for name in out.columns:
        if out[name].dtype.kind not in "OT" and str(out[name].dtype) not in (
            "str",
            "category",
        ):
            continue
        done = {
            value: redact_text(value, key)
            for value in out[name].dropna().unique()
            if isinstance(value, str)
        }
        changed = {value: new for value, new in done.items() if new.count}
        if not changed:
            continue
        times = out[name].value_counts()
        count += sum(int(times[value]) * new.count for value, new in changed.items())
        out[name] = [
            changed[value].text
            if isinstance(value, str) and value in changed
            else value
            for value in out[name].astype(object)
        ]
    return RedactedFrame(out, count)


def _apply(pattern: Pattern, text: str, key: str | None) -> tuple[str, int]:
    made = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal made
        whole, start = match[0], match.start()
        groups = match.re.groupindex
        secret = match["secret"] if "secret" in groups else whole
        if "[redacted:" in secret or not _is_secret(pattern.name, secret):
            return whole
        made += 1
        name = pattern.name if key is None else _name(pattern.name, secret, key)
        if "secret" not in groups:
            return f"[redacted:{name}]"
        a, b = (position - start for position in match.span("secret"))
        return f"{whole[:a]}[redacted:{name}]{whole[b:]}"

    return pattern.shape.sub(replace, text), made


def _name(kind: str, secret: str, key: str) -> str:
    """Return a pseudonym: one value is one name, however it is written."""
    plain = secret.strip("\"'").casefold()
    if kind == "card":
        plain = "".join(c for c in plain if c.isdigit())
    said = hmac.new(
        key.encode(), f"{kind}|{plain}".encode("utf-8", "replace"), "sha256"
    )
    return f"{kind}:{said.hexdigest()[:8]}"


def _is_secret(name: str, secret: str) -> bool:
    if name == "address":
        return _is_somebodys(secret)
    if name == "secret":
        return secret.strip("\"'").casefold() not in NOTHING
    if name != "card":
        return True
    digits = [int(c) for c in secret if c.isdigit()]
    if (
        not 13 <= len(digits) <= 19
        or len(set(digits)) == 1
        or digits[0] not in (3, 4, 5, 6)
    ):
        return False
    # Luhn's check tells a card number from an id or a timestamp of the same length.
    doubled = [
        d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def _is_somebodys(text: str) -> bool:
    """Tell an address of the internet from one of a network's own."""
    if text.endswith(".0.0"):  # A browser's version, Chrome/120.0.0.0; never a host.
        return False
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
