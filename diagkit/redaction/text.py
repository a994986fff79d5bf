"""Take secrets and personal data out of text and frames, and count them."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagkit.redaction.hidden import drop_hidden
from diagkit.redaction.patterns import KINDS, select_patterns
from diagkit.redaction.people import EMAIL
from diagkit.redaction.values import is_secret, read_address, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from diagkit.redaction.shapes import Pattern

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
    done, count = _redact(drop_hidden(text), key or None)
    return RedactedText(done if count else text, count)


def redact_frame(frame: pd.DataFrame, key: str | None = None) -> RedactedFrame:
    """Replace secrets and personal data in a frame.

    Parameters
    ----------
    frame
        Any frame. Text is redacted wherever it stands: in columns of text, of
        categories and of objects (in lists and dictionaries too), in the names of
        columns and in the index. Names that only a secret told apart are numbered.
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
    cells = _Cells(key)
    for place in range(out.shape[1]):
        column = out.iloc[:, place]
        if _may_hold_text(column.dtype):
            changed = cells.redact_all(column.astype(object))
            if changed is not None:
                out.isetitem(place, _like(column, changed))
    for axis in ("columns", "index"):
        labels = getattr(out, axis)
        names = cells.redact_all(labels.names)
        if _may_hold_text(labels.dtype):
            changed = cells.redact_all(labels.tolist())
            if changed is not None:
                kept = tell_apart(changed) if labels.is_unique else changed
                labels = _relabel(labels, kept)
        setattr(out, axis, labels if names is None else labels.set_names(names))
    return RedactedFrame(out, cells.count)


def tell_apart(names: Iterable[Any]) -> list[Any]:
    """Tell names apart that came out the same, by numbers.

    Parameters
    ----------
    names
        Texts, or tuples that end with one.

    Returns
    -------
    list
        As many, each once; the first of a kind is as it was.

    Examples
    --------
    >>> tell_apart(["[redacted:email]", "logs", "[redacted:email]"])
    ['[redacted:email]', 'logs', '[redacted:email] (2)']
    """
    taken: set[Any] = set()
    last: Counter[Any] = Counter()
    out = []
    for name in names:
        new = name
        while new in taken:
            last[name] += 1
            *front, end = name if isinstance(name, tuple) else (name,)
            said = f"{end} ({last[name] + 1})"
            new = (*front, said) if isinstance(name, tuple) else said
        taken.add(new)
        out.append(new)
    return out


def _may_hold_text(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") not in "biufcmM"


def _like(column: pd.Series, values: list[Any]) -> Any:
    """Return values as a column of the same dtype, where that can hold them."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        kinds = pd.unique(pd.Series(values, dtype=object).dropna())
        return pd.Categorical(values, categories=kinds)
    dtype = column.dtype if pd.api.types.is_string_dtype(column.dtype) else object
    return pd.Series(values, index=column.index, dtype=dtype)


def _relabel(labels: Any, values: list[Any]) -> Any:
    import pandas as pd

    if isinstance(labels, pd.MultiIndex):
        return pd.MultiIndex.from_tuples(values, names=labels.names)
    return pd.Index(values, name=labels.name)


@dataclass
class _Cells:
    """Redact values of any kind, each text once, and count what was replaced."""

    key: str | None
    count: int = 0
    known: dict[str, RedactedText] = field(default_factory=dict)

    def redact_all(self, values: Iterable[Any]) -> list[Any] | None:
        """Return the values redacted; None where nothing in them was secret."""
        before = self.count
        done = [self.redact(value) for value in values]
        return done if self.count > before else None

    def redact(self, value: Any) -> Any:
        if isinstance(value, str):
            found = self.known.get(value)
            if found is None:
                found = self.known[value] = redact_text(value, self.key)
            self.count += found.count
            return found.text
        if isinstance(value, bytes):
            before = self.count
            text = self.redact(value.decode("utf-8", "replace"))
            return value if self.count == before else text.encode()
        if isinstance(value, dict):
            keys = tell_apart(map(self.redact, value))
            values = (self._redact_named(k, v) for k, v in value.items())
            return dict(zip(keys, values, strict=True))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.redact, value))
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(map(self.redact, value))
        if hasattr(value, "tolist") and getattr(
            value, "ndim", None
        ):  # an array in a cell
            return self.redact(value.tolist())
        return value

    def _redact_named(self, name: Any, value: Any) -> Any:
        """Redact a value that may be secret for the name it has."""
        if isinstance(name, str) and isinstance(value, str):
            found = redact_text(f"{name}={value!r}", self.key)
            whole = redact_text(value, self.key)
            if found.count and not whole.count and found.text.startswith(f"{name}="):
                self.count += found.count
                return found.text[len(name) + 1 :]
        return self.redact(value)


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
