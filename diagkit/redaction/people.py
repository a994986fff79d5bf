"""What tells who somebody is: users, e-mail, addresses, cards."""

from __future__ import annotations

import re

from diagkit.redaction.shapes import Pattern, make_pattern as _p

DOMAIN = (
    # Neither a package's version nor a unit of a machine is a domain.
    r"(?!v?\d+\.\d+[.-])(?:[\w-]{1,63}+\.){1,8}"
    r"(?!(?:svc|service|socket|target|timer|mount|slice|scope)\b)"
    r"(?:xn--[\w-]{2,59}|[^\W\d_]{2,24})(?![^\W_])"
    r"(?!\.(?:svc|service|socket|target|timer|mount|slice|scope)\b)"
)
EMAIL = re.compile(rf"[\w.%+'-]++@{DOMAIN}")

PEOPLE: tuple[Pattern, ...] = (
    _p(
        "driver",
        "user=",
        r"user=(?<!\wuser=)(?P<secret>'[^'\r\n]*'|\"[^\"\r\n]*\"|[^\s,)'\"]+)",
    ),
    # A name without a dot is one of a network's own, as its addresses are.
    _p(
        "host",
        "host=",
        r"host=(?<!\whost=)(?P<secret>[^\s,)'\"]+|'[^'\r\n]*'|\"[^\"\r\n]*\")",
    ),
    _p(
        "email",
        "@",
        r"(?<![\w.%+-])(?:[oOdD]'(?=[A-Za-z]))?(?!(?:git|hg)@)[\w.%+-]++@" + DOMAIN,
    ),
    _p("email", '"@', r"\"[^\"\r\n@]{1,64}\"@" + DOMAIN),
    _p(
        "email",
        "%40|&#64;|&#x40;|\\u0040",
        r"(?:(?<=%[2-7][0-9A-Fa-f])|(?<![\w.%+-]))[\w.+-]++(?:%2[BbEeDd][\w.+-]*+)*+"
        r"(?:%40|&#(?:64|[xX]40);|\\u0040)" + DOMAIN,
    ),
    # Of addresses only those of the internet are somebody's; a version is none.
    _p(
        "address",
        ".",
        r"\d(?<![\d.]\d)\d{0,2}(?:\.\d{1,3}){3}(?![A-Za-z\d]|[+-][A-Za-z]|\.\w)",
        re.ASCII,
    ),
    _p(
        "address",
        ":",
        r"[23](?:(?<![\w:.][23])|(?<=[g-zG-Z_]:[23]))[0-9a-fA-F]{3}(?::[0-9a-fA-F]{0,4}){2,8}"
        r"(?![\w])",
    ),
    _p(
        "address",
        "::ffff:|64:ff9b::",
        r"(?<![\w:])(?:(?i:::ffff:)|64:ff9b::)[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}(?![\w:])",
        re.ASCII,
    ),
    _p("address", "ec2-|ip-", r"(?:ec2|ip)-(?P<secret>\d{1,3}(?:-\d{1,3}){3})\b"),
    # Digits as cards are written: in one, or in groups of four.
    _p(
        "card",
        "",
        r"[2-6](?<!\d[2-6])(?:\d{12,18}|\d{3}(?P<gap>[ .+\u00a0-])\d{4}(?P=gap)\d{4}"
        r"(?P=gap)\d{1,7}|\d{3}(?P<space>[ -])\d{6}(?P=space)\d{5})"
        r"(?![A-Za-z\d]|-\d|\.\d{3})",
    ),
)
