"""The table of what is secret or personal, and what it looks like in text."""

from __future__ import annotations

import re
from dataclasses import dataclass

# In `shape`, the group `keep` (if any) stays and the group `secret` is replaced; with
# neither, the whole match is. `needs` are literals (lower case) of which one must be in
# the text: a cheap look before the regular expression. No shape has nested quantifiers.


@dataclass(frozen=True)
class Pattern:
    """One kind of secret.

    Attributes
    ----------
    name
        What the replacement says: ``[redacted:name]``.
    needs
        Literals in lower case; the shape is tried where one of them occurs.
    shape
        The regular expression.
    """

    name: str
    needs: tuple[str, ...]
    shape: re.Pattern[str]


def _p(name: str, needs: str, shape: str, flags: int = 0) -> Pattern:
    return Pattern(name, tuple(needs.split("|")), re.compile(shape, flags))


ANY_CASE = re.IGNORECASE
SECRET_NAME = (
    r"(?:[\w.-]{0,40}(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|"
    r"access[_-]?key|private[_-]?key|credentials?|sessionid|auth[_-]?key))"
)

PATTERNS = (
    _p(
        "private_key",
        "-----begin",
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,20000}?"
        r"(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    ),
    _p(
        "dsn",
        "://",
        r"(?P<keep>\b[a-z][\w+.-]{1,30}://)(?P<secret>[^\s/@'\"<>]+)@",
        ANY_CASE,
    ),
    _p(
        "bearer",
        "bearer |basic ",
        r"(?P<keep>\b(?:Bearer|Basic)\s+)(?P<secret>[\w.~+/=-]{6,})",
        ANY_CASE,
    ),
    _p(
        "cookie",
        "cookie",
        r"(?P<keep>\b(?:Set-)?Cookie['\"]?\s*[:=]\s*['\"]?)(?P<secret>[^\r\n'\"]+)",
        ANY_CASE,
    ),
    _p("jwt", "eyj", r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"),
    _p("aws_key", "akia|asia", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    _p("slack_token", "xox", r"\bxox[abeoprs]-[\w-]{8,}"),
    _p("gitlab_token", "glpat-", r"\bglpat-[\w-]{16,}"),
    _p(
        "github_token",
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
        r"\b(?:gh[pousr]|github_pat)_\w{20,}",
    ),
    _p("stripe_key", "sk_|rk_|pk_", r"\b[srp]k_(?:live|test)_\w{10,}"),
    _p("google_key", "aiza", r"\bAIza[\w-]{30,}"),
    _p("api_key", "sk-", r"\bsk-[\w-]{20,}"),
    _p(
        "secret",
        "pass|pwd|secret|token|key|credential|sessionid",
        rf"(?P<keep>(?<![\w.-]){SECRET_NAME}['\"]?\s*(?:=>|[:=])\s*)"
        r"(?P<secret>\"[^\"\r\n]*\"|'[^'\r\n]*'|[^\s,;&'\"<>)\]}]+)",
        ANY_CASE,
    ),
    _p(
        "parameters",
        "[parameters:",
        r"(?P<keep>\[parameters: )(?P<secret>[\s\S]*?)"
        r"(?=\]\n|\]\s*\(Background|\]$|\Z)",
    ),
    _p(
        "row",
        "failing row contains",
        r"(?P<keep>Failing row contains )(?P<secret>\([^\r\n]*\))",
        ANY_CASE,
    ),
    _p(
        "key_value",
        "key (",
        r"(?P<keep>\bKey \([^)\r\n]*\)=)(?P<secret>\([^\r\n]*?\))(?=[ .]|$)",
        re.MULTILINE,
    ),
    # A traceback with the values of its variables: structlog's, as JSON (names and
    # reprs), else to the end of the line; and rich's, in a box.
    _p(
        "locals",
        "locals",
        r"(?P<keep>(?:(?<!\\)[\"']|\\+[\"'])locals\\*[\"']\s*:\s*)"
        r"(?P<secret>\{(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\"'{}\\])*\}(?=\})"
        r"|\{[^\r\n]*)",
    ),
    _p(
        "locals",
        "locals ─",
        r"(?P<keep>─ locals ─+╮[^\r\n]*\r?\n)(?P<secret>[\s\S]*?)(?=[ │]*╰|\Z)",
    ),
    _p("driver", "user=", r"(?P<keep>\buser=)(?P<secret>[^\s,)'\"]+)"),
    _p("driver", "host=", r"(?P<keep>\bhost=)(?P<secret>[^\s,)'\"]+)"),
    _p("email", "@", r"\b[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"),
    # Of addresses only those of the internet are somebody's; a version is none.
    _p(
        "address",
        ".",
        r"(?<![\w.+~-])(?<!version )(?:25[0-5]|2[0-4]\d|1?\d?\d)"
        r"(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\w+-]|\.\d)",
    ),
    _p(
        "address",
        ":",
        r"(?<![\w:.])(?:[23][0-9a-fA-F]{3}):(?:[0-9a-fA-F]{0,4}:){1,6}[0-9a-fA-F]{0,4}"
        r"(?![\w:])",
    ),
    # Digits as cards are written: in one, or in groups of four (one issuer: 4, 6, 5).
    _p(
        "card",
        "",
        r"(?<![\w.-])[2-6](?:\d{12,18}|\d{3}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}"
        r"|\d{3}[ -]\d{6}[ -]\d{5})(?!\w|[.-]\d)",
    ),
)
