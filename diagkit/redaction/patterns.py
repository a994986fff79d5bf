"""The table of what is secret or personal, and what it looks like in text."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from diagkit.redaction.names import NAMED
from diagkit.redaction.people import PEOPLE
from diagkit.redaction.regions import REGIONS
from diagkit.redaction.tokens import TOKENS

if TYPE_CHECKING:
    from diagkit.redaction.shapes import Pattern

# What holds other secrets goes first, so that it is replaced as a whole; then what has
# a name, then what is told by its form alone.
PATTERNS: tuple[Pattern, ...] = (*REGIONS, *NAMED, *TOKENS, *PEOPLE)
KINDS = tuple(dict.fromkeys(pattern.name for pattern in PATTERNS))


# Looking for one character costs least: a literal is looked for where that of its
# characters which is rarest in logs occurs.
RARE = "└─»«&%$@`\"'[(=|_-:/."


def _gates() -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    """Return literals by their rarest character, each with the bits of its patterns."""
    gates: dict[str, dict[str, int]] = {}
    for place, pattern in enumerate(PATTERNS):
        for literal in pattern.needs:
            first = next((c for c in RARE if c in literal), "")
            group = gates.setdefault(first, {})
            group[literal] = group.get(literal, 0) | 1 << place
    return tuple((first, tuple(group.items())) for first, group in gates.items())


GATES = _gates()


def select_patterns(text: str) -> tuple[Pattern, ...]:
    """Return the patterns that may match, in order.

    Parameters
    ----------
    text
        Any text. It is searched for literals only, which costs little.

    Returns
    -------
    tuple of Pattern
        Those of which a literal occurs.

    Examples
    --------
    >>> [pattern.name for pattern in select_patterns("akia")]
    ['aws_secret', 'aws_key', 'card']
    """
    lower = text.lower()
    bits = 0
    for first, group in GATES:
        if first in lower:
            for literal, of in group:
                if literal in lower:
                    bits |= of
    return _of(bits)


@lru_cache(maxsize=1024)
def _of(bits: int) -> tuple[Pattern, ...]:
    return tuple(p for place, p in enumerate(PATTERNS) if bits >> place & 1)
