"""What is taken out as a whole: keys, parameters, rows, variables, headers."""

from __future__ import annotations

import re

from diagkit.redaction.shapes import (
    NO_MARKER,
    STRING,
    Pattern,
    make_pattern as _p,
    make_quoted,
)

ANY_CASE = re.IGNORECASE
# How PostgreSQL goes on behind a key.
AFTER_KEY = (
    r"(?=\s(?:already exists|exists|is not present|is still referenced|is duplicated"
    r"|conflicts with))"
)
# A cookie's pairs, without quotation marks around all of them.
PAIR = r"(?:[^;\s\"']|[\"'](?![,}\])\s]|\Z))++"

KEYS = (
    _p(
        "private_key",
        "begin ",
        r"-{4,5} ?BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
        r"[^-]*+(?:-(?!---)[^-]*+)*+(?:-{4,5} ?END [^\r\n-]{0,50}-{4,5})?",
    ),
    # One whose beginning is cut off, and PuTTY's.
    _p(
        "private_key",
        "-----end ",
        r"(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/=]{4,80}\r?\n){1,70}+"
        r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
    ),
    _p(
        "private_key",
        "private-lines:",
        r"Private-Lines: \d{1,4}\r?\n(?P<secret>(?:[A-Za-z0-9+/=]++(?:\r?\n|\Z))++)",
    ),
)
DATABASE = (
    # SQLAlchemy's errors. A line in a value may end as the parameters do: what ends
    # them for certain is the link behind them, where there is one.
    _p(
        "parameters",
        "[parameters:",
        r"\[parameters: (?P<secret>"
        r"(?:(?!\[parameters: |\(Background)[\s\S])*(?=\](?:\s|\\+[rn])*+\(Background)"
        r"|[\s\S]*?(?=\](?:\r?\n|\Z|[\"']\Z|\\+n)|\Z))",
    ),
    # Its echo, and PostgreSQL's own.
    _p(
        "parameters",
        "[generated in|[cached since|[raw sql]|[no key|[caching disabled|[dialect ",
        r"\[(?:generated in|cached since|raw sql|no key|caching disabled|dialect )"
        r"[^\]\r\n]{0,80}\] (?P<secret>[({\[][^\r\n]*)",
    ),
    _p("parameters", "$1 = ", r"\$1 = (?P<secret>[^\r\n]+)"),
    _p(
        "row",
        "row contains|zeile enth",
        r"[rRzZ](?i:(?<=r)ow contains|(?<=z)eile enthält) (?:\([^()\r\n]{1,300}\) = )?"
        r"(?P<secret>\([\s\S]*?"
        r"(?:\)(?=\.?(?:\r?\n|\Z|[\"'\\]| (?:\[SQL|CONTEXT:|STATEMENT:)))|\Z))",
    ),
    _p(
        "key_value",
        "key (|»(|« (",
        r"[kK»«](?:(?i:(?<=k)ey) |(?<=[»«]) ?)\([^\r\n=]{1,300}\)=(?P<secret>"
        rf"\((?:(?![kK]ey \()[\s\S]){{0,2000}}?\){AFTER_KEY}"
        r"|\([^\r\n]*?\)(?=\.?(?:\s*\Z|\r?\n|[»«\"'\\]))|\([^\r\n]*)",
    ),
    _p(
        "key_value",
        "duplicate entry '",
        r"Duplicate entry (?P<secret>'[^\r\n]{0,400}?')(?= for key)",
        ANY_CASE,
    ),
)
# Tracebacks with the values of their variables: structlog's and Sentry's, as JSON
# (names and reprs), else to the end of the line; rich's, in a box; and loguru's.
BLOCK = (
    rf"(?:{STRING}|[^\"'{{}}\\]|\{{(?:{STRING}|[^\"'{{}}\\])*+\}})*+"  # one level deep
)
VARIABLES = (
    _p(
        "locals",
        "locals|vars",
        r"[\"'](?:locals|vars)\\*[\"']\s*+:\s*+(?P<secret>"
        rf"\{{{BLOCK}\}}(?=\s*+(?:[}},\]]|\Z))"
        r"|\{(?=\S)[^\r\n]*|\{[^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*+)",
    ),
    _p(
        "locals",
        "─ locals ─",
        r"─ locals ─+[╮┐][^\r\n]{0,200}+\r?\n"
        r"(?P<secret>[^╰└]*\n(?=[ │|]*+[╰└])|[^╰└]*)",
    ),
    _p(
        "locals",
        "- locals -",
        r"- locals -++\+[^\r\n]{0,200}+\r?\n"
        r"(?P<secret>(?:(?![ |]*\+-)[ ]*\|[^\r\n]*(?:\r?\n|\Z))++)",
    ),
    _p("locals", "└ ", r"└ (?P<secret>(?!<)[^\r\n]+)"),
    _p(
        "input",
        "input_value=",
        r"input_value=(?P<secret>[^\r\n]*?(?=, input_type=)|[^\r\n]+)",
    ),
)
HEADERS = (
    _p(
        "cookie",
        "cookie",
        rf"[cC](?i:ookies?){NO_MARKER}"
        r"[\"']?\s*+(?:=>|[:=])\s*+(?P<secret>"
        rf"{make_quoted('q')}|\{{(?:{STRING}|[^}}\"'\r\n])*+\}}?|\[[^\]\r\n]*+\]?"
        rf"|{PAIR}(?:;[ \t]*+{PAIR})*+)",
    ),
    _p(
        "cookie",
        "cookie",
        r"[cC](?i:ookie)[\"']\s*+,\s*+(?:[\"']value[\"']\s*+:\s*+)?"
        rf"(?P<secret>{make_quoted('q')})",
    ),
    # What follows a scheme stays together with it where the whole is quoted.
    _p(
        "bearer",
        "authorization",
        r"[aA](?i:uthorization)[\"']?\s*+[:=,]\s*+(?:[\"']value[\"']\s*+:\s*+)?"
        r"(?:b?[\"'])?(?:(?i:Bearer|Basic|Token|ApiKey|Negotiate)[ \t]++)?(?P<secret>"
        r"(?i:Digest|AWS4-[\w-]{1,30}|OAuth|Hawk|Signature)[ \t][^\r\n]++"
        r"|[^\s\"',;]++)",
    ),
    # Anywhere else only what looks random: "basic authentication" is none.
    _p(
        "bearer",
        "bearer|basic",
        r"[bB](?i:earer|asic)\s++(?P<secret>(?=[\w.~+/-]{0,400}?(?:[\d=]|[a-z][A-Z])"
        r"|[\w.~+/-]{24})[\w.~+/=-]{6,})",
    ),
)
REGIONS: tuple[Pattern, ...] = (*KEYS, *DATABASE, *VARIABLES, *HEADERS)
