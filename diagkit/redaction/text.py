"""Take secrets and personal data out of text and frames, and count them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagkit.redaction.patterns import PATTERNS, Pattern

if TYPE_CHECKING:
    import re

    import pandas as pd


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


def redact_text(text: str) -> RedactedText:
    """Replace secrets and personal data in text.

    Parameters
    ----------
    text
        Anything that is to leave.

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
    """
    count = 0
    lower = text.lower()
    for pattern in PATTERNS:
        if any(literal in lower for literal in pattern.needs):
            text, made = _apply(pattern, text)
            count += made
    return RedactedText(text, count)


def redact_frame(frame: pd.DataFrame) -> RedactedFrame:
    """Replace secrets and personal data in the text columns of a frame.

    Parameters
    ----------
    frame
        Any frame. Text is redacted wherever it stands: text and object columns, and
        the categories of categorical ones.

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
            value: redact_text(value)
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


def _apply(pattern: Pattern, text: str) -> tuple[str, int]:
    made = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal made
        whole, start = match[0], match.start()
        groups = match.re.groupindex
        secret = match["secret"] if "secret" in groups else whole
        if "[redacted:" in secret or not _is_secret(pattern.name, secret):
            return whole
        made += 1
        if "secret" not in groups:
            return f"[redacted:{pattern.name}]"
        a, b = (position - start for position in match.span("secret"))
        return f"{whole[:a]}[redacted:{pattern.name}]{whole[b:]}"

    return pattern.shape.sub(replace, text), made


def _is_secret(name: str, secret: str) -> bool:
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
