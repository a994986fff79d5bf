"""What only looks like a secret: placeholders, code, versions, a network's own."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# What stands where a secret would and gives nothing away: "token=null".
WORDS = """
    null none nil true false undefined nan str string bytes bool int secretstr
    required missing expired invalid incorrect wrong disabled enabled unset set empty
    optional failed denied expected unexpected redacted masked hidden filtered removed
    same-origin include omit bearer basic token all and for from is or to with
    () [] {} '' - | >
"""
NOTHING = frozenset(WORDS.split())
PLACEHOLDER = re.compile(
    r"\*+|x{3,}|\.{3,}|\?|\$\d+|%s|%\(\w+\)s|:\w+|\{\w*\}"
    r"|\$\{[^}]*\}?|\$\(\w+\)"
    r"|<(?:hidden|redacted|masked|secret|password|token|none|null|empty|eof|lazy)>"
    r"|<[\w.]+ object at 0x[0-9a-f]+>?|optional\[\w+\]"
    r"|\[(?:filtered|redacted|masked|hidden|secret|removed)\]?",
    re.IGNORECASE,
)
# Code that only names where the secret is.
CODE = re.compile(
    r"(?:self|cls|settings|config|conf|cfg|os|env|environ|app|args|options|request|req"
    r"|user|form|data|ctx|context|process|params)(?:\.[a-zA-Z_]\w*)+"
    r"(?:[\[(][\"']?\w*[\"']?[\])]?)?"
    r"|[a-z_]\w*(?:\.[a-z_]\w*)*\.(?:password|passwd|token|secret|api_key)"
    r"|[A-Za-z_][\w.]*\("
)
# A working directory is called PWD too.
FOLDER = re.compile(r"/|~?(?:/[\w.@+-]+)+/?")
WORKING = re.compile(r"(?:^|[^\w;])(?:OLD)?PWD['\"]?\s?[:=]\s?['\"]?\Z", re.IGNORECASE)
# Tokens that are counted.
COUNT = re.compile(
    r"(?:(?:max|min|prompt|completion|input|output|total|cached|num|per|new)[_-]?"
    r"tokens?|tokens)\W{1,4}\Z",
    re.IGNORECASE,
)
NUMBER = re.compile(r"\d{1,7}")
# What stands in front of an address that is somebody's, though it is glued to it; and
# what tells a version.
GLUED = re.compile(
    r"(?:(?:^|[^\w.+~-])(?:client|peer|host|ip|ec2|from|addr|address|remote|src|dst|source)"
    r"[_-]|%[2-7][0-9A-Fa-f]|\.\d{1,3}-)\Z",
    re.IGNORECASE,
)
VERSION = re.compile(
    r"(?:(?:Firefox|Chrome|Chromium|CriOS|FxiOS|Safari|Edge?|EdgA?|OPR|Opera|Version"
    r"|Gecko|Electron|Trident|YaBrowser|Vivaldi|SamsungBrowser)/"
    r"|\b(?:version|release|build|openssl|section|v)['\"]?\s?[:=]?\s?['\"]?)\Z",
    re.IGNORECASE,
)
CARD = re.compile(
    r"(?:(?:^|[^A-Za-z])(?:pan|cc|card|visa|mastercard|amex|number|acct)[\W_]{0,3}"
    r"|%B|[^\w.-])\Z",
    re.IGNORECASE,
)
QUOTES = "\"'`\\"


def is_secret(kind: str, secret: str, before: str) -> bool:
    """Tell whether what a pattern found is a secret.

    Parameters
    ----------
    kind
        The pattern's name.
    secret
        What it found.
    before
        Some of what stands in front of it.

    Returns
    -------
    bool
        False for placeholders, versions, numbers that fail a card's check.

    Examples
    --------
    >>> is_secret("secret", "None", "token="), is_secret("secret", "x1", "token=")
    (False, True)
    """
    check = CHECKS.get(kind)
    return check is None or check(secret, before)


def read_plain(secret: str) -> str:
    """Return a value without its prefix and quotation marks.

    Parameters
    ----------
    secret
        A value as it stands in text.

    Returns
    -------
    str
        What it says.

    Examples
    --------
    >>> read_plain("b'x'"), read_plain('"x"'), read_plain("(x)")
    ('x', 'x', '(x)')
    """
    if secret[1:2] in ("'", '"') and secret[0] in "bBrRuUfF":
        secret = secret[1:]
    return secret.strip(QUOTES)


def _is_value(secret: str, before: str) -> bool:
    plain = read_plain(secret).rstrip(".,:;!")
    if not plain or plain.casefold() in NOTHING or PLACEHOLDER.fullmatch(plain):
        return False
    if plain[0] == "/" and FOLDER.fullmatch(plain) and WORKING.search(before):
        return False
    if plain.isdecimal() and NUMBER.fullmatch(plain) and COUNT.search(before):
        return False
    return secret[0] in "\"'" or CODE.fullmatch(plain.rstrip(")")) is None


def _is_region(secret: str, before: str) -> bool:
    return secret.strip(" .").casefold() not in ("()", "[]", "{}", "none", "null")


def _is_host(secret: str, before: str) -> bool:
    plain = secret.strip(QUOTES)
    try:
        return ipaddress.ip_address(plain).is_global
    except ValueError:
        name = plain.casefold()
        return "." in name and not name.endswith((".local", ".internal", ".svc"))


def _is_user(secret: str, before: str) -> bool:
    return secret.strip(QUOTES).casefold() not in ("", "none", "null")


def _is_card(secret: str, before: str) -> bool:
    digits = [int(c) for c in secret if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    if digits[0] == 2 and not 2221 <= int("".join(map(str, digits[:4]))) <= 2720:
        return False
    if before and not CARD.search(before):
        return False
    # Luhn's check tells a card number from an id or a timestamp of the same length.
    doubled = [
        d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a text is.

    Parameters
    ----------
    text
        An address; a port or a colon may follow one of version 6.

    Returns
    -------
    IPv4Address or IPv6Address or None
        The address; of one that is mapped into version 6, the original.

    Examples
    --------
    >>> read_address("::ffff:81.2.69.142"), read_address("2a00:1450::200E:")
    (IPv4Address('81.2.69.142'), IPv6Address('2a00:1450::200e'))
    """
    for form in (text, text.rpartition(":")[0], text.replace("-", ".")):
        try:
            found = ipaddress.ip_address(form)
        except ValueError:
            continue
        mapped = getattr(found, "ipv4_mapped", None)
        return mapped or found
    return None


def _is_somebodys(secret: str, before: str) -> bool:
    """Tell an address of the internet from one of a network's own, and a version."""
    if secret.endswith(".0.0"):  # A browser's version, Chrome/120.0.0.0; never a host.
        return False
    if before[-1:] and (before[-1] in "_+~-" or before[-1].isalnum()):
        glued = GLUED.search(before)
        if glued is None or (glued[0][0] == "." and before[-1] != "-"):
            return False
    if VERSION.search(before):
        return False
    found = read_address(secret)
    if found is not None and found.version == 6 and int(found) >> 32 == 0x64FF9B << 64:
        return True  # A gateway's: it holds one of version 4.
    return found is not None and found.is_global and not found.is_multicast


CHECKS: dict[str, Callable[[str, str], bool]] = {
    "secret": _is_value,
    "cookie": _is_value,
    "bearer": _is_value,
    "parameters": _is_region,
    "locals": _is_region,
    "driver": _is_user,
    "host": _is_host,
    "address": _is_somebodys,
    "card": _is_card,
}
