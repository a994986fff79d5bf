"""Variables as compose has them: ``${NAME:-default}`` in values, and `.env` files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from diagkit.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Tell", "read_env", "substitute"]

# Is told the kind of a note and its text.
Tell = Callable[[str, str], None]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR = re.compile(r":?[-?+]")
LINE = re.compile(
    r"\s*(?:export\s+)?(?P<name>[A-Za-z_][\w.-]*)\s*(?:[=:]\s?(?P<rest>.*))?", re.DOTALL
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
MOST_DEPTH = 20


def substitute(
    text: str, variables: Mapping[str, str], tell: Tell, depth: int = 0
) -> str:
    """Put the values of variables into a text, by compose's rules.

    Parameters
    ----------
    text
        With ``$NAME``, ``${NAME}``, ``${NAME:-default}``, ``${NAME-default}``,
        ``${NAME:?error}``, ``${NAME?error}``, ``${NAME:+other}``, ``${NAME+other}``,
        nested or not, and ``$$`` for one dollar sign.
    variables
        The values. Nothing else is looked at.
    tell
        Is told of a variable that has no value and no default.
    depth
        How deep this text is nested in another.

    Returns
    -------
    str
        The text; nothing in place of a variable without a value.

    Raises
    ------
    ValueError
        If a dollar sign begins nothing of these.

    Examples
    --------
    >>> substitute("${HOST:-db}:${PORT-5432} $$5", {"PORT": ""}, print)
    'db: $5'
    """
    if depth > MOST_DEPTH:
        msg = "variables are nested too deep"
        raise ValueError(msg)
    done, at = [], 0
    while (start := text.find("$", at)) >= 0:
        done.append(text[at:start])
        value, at = _expand(text, start, variables, tell, depth)
        done.append(value)
    return "".join([*done, text[at:]])


def _expand(
    text: str, start: int, variables: Mapping[str, str], tell: Tell, depth: int
) -> tuple[str, int]:
    """Return what stands for the expression at a dollar sign, and where it ends."""
    following = text[start + 1 : start + 2]
    if following == "$":
        return "$", start + 2
    if following != "{":
        bare = NAME.match(text, start + 1)
        if bare is None:
            raise ValueError(_no_variable(text[start:]))
        return _plain(bare[0], variables, tell), bare.end()
    named = NAME.match(text, start + 2)
    end = _closing(text, start + 2)
    if named is None or end < 0:
        raise ValueError(_no_variable(text[start:]))
    name, rest = named[0], text[named.end() : end]
    if not rest:
        return _plain(name, variables, tell), end + 1
    operator = OPERATOR.match(rest)
    if operator is None:
        raise ValueError(_no_variable(text[start:]))
    other = rest[operator.end() :]
    value = _choose(name, operator[0], other, variables, tell, depth)
    return value, end + 1


def _choose(
    name: str,
    operator: str,
    other: str,
    variables: Mapping[str, str],
    tell: Tell,
    depth: int,
) -> str:
    value = variables.get(name)
    there = value is not None and (value != "" or operator[0] != ":")
    kind = operator[-1]
    if kind == "+":
        return substitute(other, variables, tell, depth + 1) if there else ""
    if there:
        return value or ""
    if kind == "-":
        return substitute(other, variables, tell, depth + 1)
    tell("required_variable", f"the variable {name} must be set")
    return ""


def _plain(name: str, variables: Mapping[str, str], tell: Tell) -> str:
    if name not in variables:
        tell("unset_variable", f"the variable {name} is not set; it counts as empty")
    return variables.get(name, "")


def _closing(text: str, at: int) -> int:
    """Return where the brace that was opened before `at` is closed; -1: nowhere."""
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 2
            continue
        depth -= text[at] == "}"
        if depth == 0:
            return at
        at += 1
    return -1


def _no_variable(text: str) -> str:
    # No more of it than tells the fault: a password may hold a dollar sign.
    shown = text[: 3 if text.startswith("${") else 2]
    return f"{shown!r} begins no variable; write $$ for a dollar sign"


def read_env(
    text: str, name: str, variables: Mapping[str, str], *, raw: bool = False
) -> dict[str, str]:
    r"""Read a `.env` file, or an ``env_file`` of a service.

    Parameters
    ----------
    text
        Lines ``NAME=value``; ``export``, quotes, comments and references to variables
        as compose knows them. A name alone takes its value from `variables`.
    name
        What the file is called in errors.
    variables
        Values that go before those of the file where it refers to them.
    raw
        Take values as they stand (``format: raw``).

    Returns
    -------
    dict
        The values that the file sets.

    Raises
    ------
    SourceFormatError
        Naming a line that is none of these; never showing its value.

    Examples
    --------
    >>> read_env("A=1\nexport B='x $A'\nC=\"${A}2\" # why\nD=a#b\n", ".env", {})
    {'A': '1', 'B': 'x $A', 'C': '12', 'D': 'a#b'}
    """
    values: dict[str, str] = {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = LINE.fullmatch(line)
        if found is None:
            msg = f"{name}:{number}: is no NAME=value"
            raise SourceFormatError(msg)
        if found["rest"] is None:
            if found["name"] in variables:
                values[found["name"]] = variables[found["name"]]
            continue
        if raw:
            values[found["name"]] = found["rest"]
            continue
        rest = found["rest"].strip()
        # A value in quotes may go on for lines.
        while rest[:1] in ("'", '"') and _quoted(rest) is None:
            following = next(lines, None)
            if following is None:
                msg = f"{name}:{number}: a quote is opened and not closed"
                raise SourceFormatError(msg)
            rest += "\n" + following[1]
        known = {**values, **variables}
        try:
            values[found["name"]] = _value(rest, known)
        except ValueError:
            msg = f"{name}:{number}: a dollar sign in it begins no variable"
            raise SourceFormatError(msg) from None
    return values


def _quoted(rest: str) -> str | None:
    """Return what stands between the quotes at the start; None: they do not close."""
    found = re.match(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"", rest, re.DOTALL)
    return None if found is None else (found[1] if found[2] is None else found[2])


def _value(rest: str, known: Mapping[str, str]) -> str:
    quoted = _quoted(rest) if rest[:1] in ("'", '"') else None
    if quoted is None:
        plain = re.split(r"(?:^|\s+)#", rest, maxsplit=1)[0].rstrip()
        return substitute(plain, known, _nothing)
    if rest.startswith("'"):
        return quoted
    unescaped = re.sub(
        r"\\(.)",
        lambda m: ESCAPES.get(m[1], "$$" if m[1] == "$" else m[1]),
        quoted,
        flags=re.DOTALL,
    )
    return substitute(unescaped, known, _nothing)


def _nothing(kind: str, text: str) -> None:
    """Let a variable of a `.env` file be empty, as compose does."""
