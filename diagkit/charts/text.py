"""Text from data, made harmless for a chart's labels."""

from __future__ import annotations

import unicodedata
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["plain", "write_by_default", "written_by"]

# Cc control, Cf format (bidi marks), Cs lone surrogates, Zl/Zp line separators.
DROPPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A report takes secrets out of frames before it draws them. An explorer cannot: its
# settings are the names that stand in the frames.
_CLEAN: ContextVar[Callable[[str], str] | None] = ContextVar("clean", default=None)
# Where nothing is said for one drawing: a notebook's cells run in many contexts.
_DEFAULT: list[Callable[[str], str]] = [str]


def write_by_default(clean: Callable[[str], str] | None) -> None:
    """Let texts from data go through a function wherever `written_by` names no other.

    Parameters
    ----------
    clean
        As for `written_by`; None: texts are written as they are.

    Examples
    --------
    >>> write_by_default(str.upper)
    >>> plain("north")
    'NORTH'
    >>> write_by_default(None)
    >>> plain("north")
    'north'
    """
    _DEFAULT[:] = [clean or str]


@contextmanager
def written_by(clean: Callable[[str], str]) -> Iterator[None]:
    """Let every text from data go through a function before it becomes a label.

    Parameters
    ----------
    clean
        Is given the whole text, before anything of it is cut.

    Examples
    --------
    >>> with written_by(str.upper):
    ...     plain("north")
    'NORTH'
    """
    before = _CLEAN.set(clean)
    try:
        yield
    finally:
        _CLEAN.reset(before)


def plain(text: object, limit: int = 60) -> str:
    r"""Make text from data safe to stand in a label.

    Parameters
    ----------
    text
        Anything; it is turned into a string first.
    limit
        How many characters to keep before the rest becomes ``…``.

    Returns
    -------
    str
        One line: control characters are gone (line ends and tabs are blanks), it is at
        most `limit` characters of the text, and every ``$`` is escaped, because
        matplotlib reads what stands between two of them as a formula and raises on odd
        input.

    Examples
    --------
    >>> print(plain("cost $5 and\n$x"))
    cost \$5 and \$x
    >>> plain("a" * 100, limit=4)
    'aaa…'
    """
    clean = _CLEAN.get() or _DEFAULT[0]
    line = " ".join(clean(str(text)).split())
    kept = "".join(c for c in line if unicodedata.category(c) not in DROPPED)
    if len(kept) > limit:
        kept = kept[: max(limit - 1, 0)] + "…"
    return kept.replace("$", r"\$")
