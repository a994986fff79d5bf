"""SQLite's ``CREATE TABLE``, taken apart into pieces and put together again.

SQLite cannot change a column or add a constraint: the table is made anew from its own
statement, in which the pieces that nobody wants changed stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from diagkit.errors import SourceFormatError

__all__ = ["ColumnText", "CreateTable", "parse_create_table", "tokenize"]

TOKEN = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<text>(?:[xX])?'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\W\d][^\]'"]*\])
  | (?P<word>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<sign>::|<>|<=|>=|!=|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)
# The words that end a column's type and begin its constraints, and those that begin a
# constraint of the table.
OF_COLUMN = {
    "constraint",
    "primary",
    "not",
    "null",
    "unique",
    "check",
    "default",
    "collate",
    "references",
    "generated",
    "as",
}
OF_TABLE = {"constraint", "primary", "unique", "check", "foreign"}
# Pairs of words in which the second, or the first, begins no constraint of its own.
GOES_ON = {
    ("not", "null"),
    ("default", "null"),
    ("set", "null"),
    ("set", "default"),
    ("always", "as"),
}
NO_START = {("not", "deferrable")}


@dataclass(frozen=True)
class Token:
    """A word, a name, a text or a sign of SQL.

    Attributes
    ----------
    kind
        ``text``, ``name`` (in quotes), ``word``, ``number`` or ``sign``.
    text
        As it stands.
    value
        Without quotes; a word in lower case.
    start, end
        Where it stands.
    """

    kind: str
    text: str
    value: str
    start: int
    end: int


@dataclass(frozen=True)
class ColumnText:
    """One column of a ``CREATE TABLE``.

    Attributes
    ----------
    name
        Its name, without quotes.
    type
        Its type; empty where it has none.
    constraints
        What follows, a piece each: ``NOT NULL``, ``DEFAULT 'x'`` ...
    """

    name: str
    type: str
    constraints: tuple[str, ...] = ()

    def without(self, word: str) -> ColumnText:
        """Return the column without the constraints that begin with a word.

        Parameters
        ----------
        word
            In lower case, for example ``default``.

        Returns
        -------
        ColumnText
            The rest.
        """
        kept = tuple(c for c in self.constraints if first_word(c) != word)
        return replace(self, constraints=kept)


@dataclass(frozen=True)
class CreateTable:
    """A ``CREATE TABLE`` in pieces.

    Attributes
    ----------
    columns
        Its columns.
    constraints
        Those of the table, a piece each.
    tail
        What follows the bracket: ``STRICT``, ``WITHOUT ROWID``.
    """

    columns: tuple[ColumnText, ...]
    constraints: tuple[str, ...]
    tail: str = ""

    @property
    def checks(self) -> list[tuple[str, str]]:
        """The check constraints, as name (or nothing) and the text in the bracket."""
        pieces = [
            *self.constraints,
            *(c for col in self.columns for c in col.constraints),
        ]
        return [found for piece in pieces if (found := read_check(piece))]

    def write(self, name: str) -> str:
        """Write the statement, for a table of another name.

        Parameters
        ----------
        name
            The name, in quotes where it needs them.

        Returns
        -------
        str
            ``CREATE TABLE …`` without a semicolon.
        """
        rows = [
            " ".join(part for part in (quote(c.name), c.type, *c.constraints) if part)
            for c in self.columns
        ]
        body = ",\n  ".join((*rows, *self.constraints))
        return (
            f"CREATE TABLE {name} (\n  {body}\n){' ' + self.tail if self.tail else ''}"
        )


def parse_create_table(sql: str) -> CreateTable:
    """Take a ``CREATE TABLE`` apart.

    Parameters
    ----------
    sql
        The statement, as SQLite keeps it.

    Returns
    -------
    CreateTable
        Its pieces; comments are left out.

    Raises
    ------
    SourceFormatError
        If it is none with columns.

    Examples
    --------
    >>> made = parse_create_table("CREATE TABLE t (a int NOT NULL DEFAULT 1, b, "
    ...     "CONSTRAINT c CHECK (b IN ('x', 'y')))")
    >>> made.columns[0]
    ColumnText(name='a', type='int', constraints=('NOT NULL', 'DEFAULT 1'))
    >>> made.checks
    [('c', "b IN ('x', 'y')")]
    """
    tokens = tokenize(sql)
    opening = next((i for i, t in enumerate(tokens) if t.text == "("), None)
    head = [t.value for t in tokens[:2]]
    if opening is None or head[:1] != ["create"] or "virtual" in head:
        msg = f"not the definition of a table with columns: {sql[:60]!r}"
        raise SourceFormatError(msg)
    parts: list[list[Token]] = [[]]
    depth = 0
    end = len(tokens)
    for i in range(opening, len(tokens)):
        token = tokens[i]
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            end = i
            break
        if i == opening:
            continue
        if depth == 1 and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    columns, constraints = [], []
    for part in parts:
        if part[0].kind == "word" and part[0].value in OF_TABLE:
            constraints.append(_join(part))
        else:
            columns.append(_read_column(part))
    return CreateTable(tuple(columns), tuple(constraints), _join(tokens[end + 1 :]))


def tokenize(sql: str) -> list[Token]:
    """Cut SQL into its words, names, texts and signs, without blanks and comments.

    Parameters
    ----------
    sql
        Any SQL.

    Returns
    -------
    list of Token
        In order.

    Examples
    --------
    >>> [t.value for t in tokenize("a IN ('it''s', B) -- so")]
    ['a', 'in', '(', "it's", ',', 'b', ')']
    """
    tokens = []
    for found in TOKEN.finditer(sql):
        kind = str(found.lastgroup)
        if kind != "blank":
            text = found[0]
            tokens.append(Token(kind, text, _value(kind, text), *found.span()))
    return tokens


def quote(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def first_word(piece: str) -> str:
    """Return the word that says what a constraint is, past a name that it has."""
    tokens = tokenize(piece)
    if tokens and tokens[0].value == "constraint":
        tokens = tokens[2:]
    return tokens[0].value if tokens else ""


def _value(kind: str, text: str) -> str:
    if kind == "word":
        return text.lower()
    if kind == "text" and text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if kind == "name":
        closing = text[-1]
        return (
            text[1:-1].replace(closing * 2, closing) if closing != "]" else text[1:-1]
        )
    return text


def _read_column(tokens: list[Token]) -> ColumnText:
    name, rest = tokens[0].value, tokens[1:]
    if tokens[0].kind == "word":
        name = tokens[0].text
    starts = _constraint_starts(rest)
    kind = _join(rest[: starts[0]] if starts else rest)
    ends = [*starts[1:], len(rest)]
    pieces = tuple(_join(rest[a:b]) for a, b in zip(starts, ends, strict=False))
    return ColumnText(name, kind, pieces)


def _constraint_starts(tokens: list[Token]) -> list[int]:
    """Find where the constraints of a column begin."""
    starts: list[int] = []
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth or token.kind != "word" or token.value not in OF_COLUMN:
            continue
        before = tokens[i - 1].value if i else ""
        after = tokens[i + 1].value if i + 1 < len(tokens) else ""
        named = bool(starts) and tokens[starts[-1]].value == "constraint"
        if named and i - starts[-1] <= 2:
            continue  # its name, and what it is
        if (before, token.value) in GOES_ON or (token.value, after) in NO_START:
            continue
        starts.append(i)
    return starts


def read_check(piece: str) -> tuple[str, str] | None:
    tokens = tokenize(piece)
    name = ""
    if tokens and tokens[0].value == "constraint" and tokens[0].kind == "word":
        name = tokens[1].value if tokens[1].kind == "name" else tokens[1].text
        tokens = tokens[2:]
    if not tokens or tokens[0].value != "check":
        return None
    inner = piece[tokens[1].end : tokens[-1].start]
    return name, inner.strip()


def _join(tokens: list[Token]) -> str:
    """Write tokens with one blank where there was one, or a comment, or a line."""
    out = ""
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and token.start > before.end:
            out += " "
        out += token.text
    return out
