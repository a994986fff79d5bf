"""Take the values out of SQL: what stands in a statement is somebody's data."""

from __future__ import annotations

import re

from diagkit.redaction.text import RedactedText, redact_text

# What SQL is made of, as far as values have to be told from the rest. A statement may
# be cut off anywhere: what was begun goes to its end.
TOKEN = re.compile(
    r"""
    (?P<value>
        [Ee]'(?:[^'\\]|\\.|'')*(?:'|\\?\Z)
      | (?:[NnBbXx]|[Uu]&)?'(?:[^']|'')*(?:'|\Z)
      | (?P<quote>\$(?:[A-Za-z_\x80-\U0010ffff]\w*)?\$).*?(?:(?P=quote)|\Z)
      | \.?\d[\w.]*(?:(?<=[eE])[+-]\d+)?
    )
  | "(?:[^"]|"")*(?:"|\Z) | --[^\n]* | /\*.*?(?:\*/|\Z) | \$\d+
  | [A-Za-z_\x80-\U0010ffff][\w$]*
    """,
    re.VERBOSE | re.DOTALL,
)
LIST = re.compile(r"\?(?:\s*,\s*\?)+")


def redact_statement(sql: str) -> RedactedText:
    """Replace the values in a statement of SQL, and what is secret in the rest.

    Parameters
    ----------
    sql
        A statement as PostgreSQL shows it; it may be cut off.

    Returns
    -------
    RedactedText
        Texts and numbers have become ``?``, several in a row a single one; names,
        comments and parameters (``$1``) stay. Its ``count`` is that of the values.

    Examples
    --------
    >>> redact_statement("SELECT 1 FROM t1 WHERE name = 'O''Hara' AND id IN (7, 8)")
    RedactedText(text='SELECT ? FROM t1 WHERE name = ? AND id IN (?)', count=4)
    """
    count = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal count
        if match["value"] is None:
            return match[0]
        count += 1
        return "?"

    text = LIST.sub("?", TOKEN.sub(replace, sql))
    done = redact_text(text)
    return RedactedText(done.text, count + done.count)
