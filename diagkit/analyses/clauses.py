"""What a check constraint's clause and a column's default say, whoever wrote them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from diagkit.frames.create_table import tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagkit.frames.create_table import Token

__all__ = ["read_allowed", "same_default"]

# What a list of values is written with, besides the values and the column.
WORDS = {"in", "any", "array", "or", "is", "null"}
SIGNS = {"(", ")", "[", "]", ",", "="}
# The words that go on with the name of a type.
OF_TYPES = {"varying", "precision", "with", "without", "time", "zone"}
NOW = {"now", "current_timestamp", "localtimestamp"}
CONSTANTS = {"true": "1", "false": "0"}


def read_allowed(clause: str, column: str) -> frozenset[str] | None:
    """Read the values that a check constraint allows for a column.

    Parameters
    ----------
    clause
        The condition, as PostgreSQL, MySQL or SQLite has it.
    column
        The column.

    Returns
    -------
    frozenset of str or None
        The values; None where the clause is not a list of values of that column.

    Examples
    --------
    >>> sorted(read_allowed("((s)::text = ANY (ARRAY['b'::text, 'a'::text]))", "s"))
    ['a', 'b']
    >>> sorted(read_allowed("`s` in ('a','b') or `s` is null", "s"))
    ['a', 'b']
    >>> read_allowed("s <> 'a'", "s") is None
    True
    """
    values = set()
    named = False
    for token in _without_casts(tokenize(clause)):
        if token.kind == "text":
            values.add(token.value)
        elif token.kind == "name" or (
            token.kind == "word" and token.value not in WORDS
        ):
            if token.value.casefold() != column.casefold():
                return None
            named = True
        elif token.kind == "number" or token.value not in SIGNS | WORDS:
            return None
    return frozenset(values) if named and values else None


def same_default(expected: str | None, found: str | None) -> bool:
    """Tell whether two defaults are one, however each is written.

    Parameters
    ----------
    expected, found
        SQL; None for no default.

    Returns
    -------
    bool
        Whether they are.

    Examples
    --------
    >>> same_default("'pending'", "'pending'::character varying")
    True
    >>> same_default("now()", "CURRENT_TIMESTAMP"), same_default("0", "'0'")
    (True, False)
    """
    return _plain(expected) == _plain(found)


def _plain(default: str | None) -> tuple[str, ...]:
    if default is None:
        return ()
    tokens = _without_casts(tokenize(default))
    while len(tokens) > 1 and tokens[0].text == "(" and tokens[-1].text == ")":
        tokens = tokens[1:-1]
    if not tokens or [t.value for t in tokens] == ["null"]:
        return ()
    if tokens[0].kind == "word" and tokens[0].value in NOW:
        return ("now",)
    if len(tokens) == 1 and tokens[0].kind == "text":
        return ("text", tokens[0].value)
    return tuple(_plain_number(CONSTANTS.get(t.value, t.value)) for t in tokens)


def _plain_number(text: str) -> str:
    if not text.replace(".", "", 1).isdecimal():
        return text
    return str(Decimal(text).normalize())


def _without_casts(tokens: Sequence[Token]) -> list[Token]:
    """Leave PostgreSQL's ``::character varying(20)[]`` out."""
    kept: list[Token] = []
    i = 0
    while i < len(tokens):
        if tokens[i].text != "::":
            kept.append(tokens[i])
            i += 1
            continue
        i += 2
        while i < len(tokens) and tokens[i].value in OF_TYPES:
            i += 1
        texts = [token.text for token in tokens[i : i + 3]]
        if texts[:1] == ["("] and texts[2:] == [")"]:
            i += 3
            texts = [token.text for token in tokens[i : i + 2]]
        i += 2 if texts[:2] == ["[", "]"] else 0
    return kept
