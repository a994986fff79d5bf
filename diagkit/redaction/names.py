"""Values that are secret for their name: assignments, JSON, headers, URLs, options."""

from __future__ import annotations

from diagkit.redaction.shapes import (
    NO_MARKER,
    QUOTE,
    STRING,
    Pattern,
    make_pattern as _p,
    make_quoted,
)

# Between a name and its value. The value may stand on the next line, indented.
GAP = r"[^\S\r\n]*+"
NEXT_LINE = r"(?:(?:[|>][+-]?|\\{1,2})?\r?\n[ \t]++)?"
IS = (
    r"(?:=>|->|:=|==?|[:\uff1a\uff1d]"
    r"|%(?:25)?3[ADad]|\\+u003[aAdD]|&#(?:61|x3[aAdD]);)"
)
TYPE = r"(?::\s?(?:str|bytes|SecretStr|Optional\[str\]|str ?\| ?None)\s?=)"
CLOSE = rf"(?:\[\w{{0,20}}\]|\]|%5[dD])?{QUOTE}?\]?"
# JSON and XML with names and values as values, and a part of a form.
PAIRED = (
    rf"{QUOTE}\s{{0,20}},?\s{{0,20}}{QUOTE}?(?i:value){QUOTE}?\s{{0,9}}[:=]\s{{0,9}}"
    rf"|{QUOTE}(?:\r?\n){{2}}"
)
BETWEEN = rf"(?:{CLOSE}{GAP}(?:{TYPE}|{IS}){GAP}{NEXT_LINE}|{PAIRED})"

# A value without quotation marks ends where a list, a call or a query goes on, but not
# at every comma or parenthesis: a password may hold them.
NEXT_NAME = r"[\w.%\[\]\"'-]{1,60}(?:=|:|%3D)"
PLAIN = r"[^\s,;&'\"<>)\]}\\`]"
WITHIN = (
    rf"(?:[,;](?=[^\s,;&'\"<>)\]}}])(?!{NEXT_NAME})"
    rf"|&(?!amp;|quot;|apos;|lt;|gt;|#)(?=[^\s,;&'\"<>)\]}}])(?!{NEXT_NAME})"
    r"|[)\]}](?=[\w@#$%!*+/~^-])|['\"<>`](?=\w)|\\(?![nrtux/\"'\\\s]))"
)
BARE = rf"(?:{PLAIN}++|{WITHIN})(?:{PLAIN}++|{WITHIN})*+"


def _inside(opening: str, closing: str) -> str:
    return (
        rf"{opening}(?:{STRING}|[^{closing}\"'\r\n])*+"
        rf"(?:{closing}|[\"'][^\r\n]*|(?=[\r\n]|\Z))"
    )


INSIDE = "|".join(
    (_inside(r"\[", r"\]"), _inside("{", "}"), _inside(r"\w{0,30}\(", r"\)"))
)
VALUE = (
    r"(?P<secret>"
    r"(?:[bBrR]{0,2}(?P<triple>\"\"\"|''')[\s\S]{0,4000}?(?P=triple))"
    rf"|{make_quoted('q')}|<[^<>\r\n]{{1,80}}>"
    rf"|(?:{INSIDE})"
    rf"(?:(?<=[\])}}])(?=\w){BARE})?"
    rf"|{BARE})"
)
# What a name may have behind it: password1, password_hash, SECRET_KEY_BASE, tokens.
SUFFIX = (
    r"(?i:[_-]?(?:key(?:[_-]?base)?|hash|digest|plain|value|old|new|confirm(?:ation)?"
    r"|\d{1,4}))?(?i:s)?"
)
# What makes a key a secret one.
KEY_OF = (
    *("api", "access", "auth", "encryption", "signing", "jwt", "account", "master"),
    *("private", "shared", "session", "storage", "deploy"),
)
KEY = "|".join(
    f"(?<={word}key)|(?<={word}[_ .-]key)" for word in KEY_OF
)  # "primary key" and "foreign key" are none
WORDS = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|auth[_-]?key|credential|session[_-]?id)"
)


def _named(needs: str, name: str) -> Pattern:
    return _p("secret", needs, f"{name}{NO_MARKER}{SUFFIX}{BETWEEN}{VALUE}")


ASSIGNED = (
    _named("pass", r"[pP](?i:ass(?:w(?:or)?d|wort|phrase|code))"),
    _named("pwd", r"[pP](?i:wd)"),
    _named("secret", r"[sS](?i:ecret)"),
    _named("token", r"[tT](?i:oken)"),
    _named("key", rf"[kK](?i:ey)(?i:{KEY})"),
    _named("credential", r"[cC](?i:redential)"),
    _named("sess", r"[sS](?i:ess(?:ion)?[_-]?id)"),
    _named(
        "connect.sid|csrf|xsrf|kennwort|contrase|mot de passe|cvv|cvc|ssn",
        r"[cCxXkKmMsS](?i:(?<=[cx])srf|(?<=c)onnect\.sid|(?<=k)ennwort"
        r"|(?<=c)ontrase[nñ]a|(?<=m)ot de passe|(?<![a-z]c)v[vc]|(?<![a-z]s)sn)",
    ),
    # These are words of every day: only what is assigned, and no number.
    _p(
        "secret",
        "pass=|pass'|pass\"|pass =",
        rf"[pP](?i:ass)(?i:(?<![a-z]pass)){QUOTE}?\s?(?:=|(?<=['\"]):)\s?"
        rf"(?!\d+(?![\w]))(?![.=]){VALUE}",
    ),
    _p(
        "secret",
        "session=|session'|session\"|sig=|signature=|otp=",
        r"[sSoO](?i:ession|ig(?:nature)?|tp)(?i:(?<![a-z]session)|(?<![a-z]sig)"
        rf"|(?<=signature)|(?<![a-z]otp)){QUOTE}?(?:=|(?<=['\"]):\s?)"
        rf"(?!SIG|\d{{1,3}}(?!\w)){VALUE}",
    ),
)
CALLED = (
    # Python's pairs, of headers for one.
    _p(
        "secret",
        "('|(\"|(b'|(b\"",
        rf"\(\s?b?['\"][\w.-]{{0,60}}?(?i:{WORDS})['\"]\s*+,\s*+"
        rf"(?P<secret>{make_quoted('q')})",
    ),
    _p(
        "secret",
        "</|&lt;/",
        rf"(?:<|&lt;)(?:\w{{1,20}}:)?[\w.-]{{0,60}}?(?i:{WORDS})s?\s?(?:>|&gt;)"
        r"(?P<secret>[^<>&\r\n]{1,2000})(?=</|&lt;/)",
    ),
    # Options of a command.
    _p(
        "secret",
        "password |passwd |token |secret |key ",
        rf"-(?<![\w-]-)-?[\w-]{{0,40}}?(?i:{WORDS})[ \t]++"
        rf"(?P<secret>\[[\w:]++\](?:{BARE})?|(?![\"'-]){BARE}|{make_quoted('q')})",
    ),
    _p(
        "secret",
        "sshpass|redis-cli|curl |mysql",
        r"(?:sshpass\s{1,9}-p\s{0,9}|redis-cli\s[^\r\n]{0,60}?-a\s{1,9}"
        r"|curl\s[^\r\n]{0,60}?(?<=\s)-u\s{0,9}"
        r"|mysql\w{0,9}\s[^\r\n]{0,60}?(?<=\s)-p(?!ort|rot)(?=\S))(?P<secret>\S+)",
    ),
    _p(
        "secret",
        "identified|password '|password \"",
        r"(?i:\b(?:identified\s{1,9}(?:with\s{1,9}\w{1,60}\s{1,9})?by|password)\s{1,9}"
        r"(?:password\s{1,9})?)(?P<secret>'[^'\r\n]++'|\"[^\"\r\n]++\")",
    ),
    _p(
        "secret",
        "login ",
        r"\blogin\s{1,9}\S{1,80}\s{1,9}password\s{1,9}(?P<secret>\S+)",
    ),
    # A URL's query and docker's file of logins.
    _p(
        "secret",
        "key=|auth=|code=|sid=|pw=",
        r"[?&;](?i:key|auth|code|sid|pw)=(?!\d{1,5}(?!\w))"
        r"(?P<secret>[^\s&\"'<>#]{6,})",
    ),
    _p(
        "secret",
        'auth"',
        r"\"auth\"\s?:\s?(?P<secret>\"(?=[^\"]{0,80}?[A-Z0-9])"
        r"[A-Za-z0-9+/]{8,}={0,2}\")",
    ),
)
# A URL's user and password. The password goes to the last @ in front of the host; where
# it holds a slash or a quotation mark, to the first. A port is no password.
AT = r"(?:@|\\u0040|&#(?:64|x40);)"
PORT = r"(?!\d{1,5}(?![^\s/?#\"'<>,;)\]}\\|]))"
URLS = (
    _p(
        "dsn",
        "://|:\\/",
        r":\\*/\\*/(?P<secret>"
        rf"[^\s/@:'\"<>?#]*+:{PORT}(?:[^\s\"'<>/]*(?={AT})"
        r"|[^\s@\"'<]{0,200}+(?:[\"'<](?=\w)[^\s@\"'<]{0,200}+){0,3}+(?=@))"
        rf"|(?!(?:git|hg|svn)@)[^\s/@:'\"<>?#]++(?=@)){AT}",
    ),
    _p(
        "dsn",
        "%3a%2f%2f",
        r"%3[aA]%2[fF]%2[fF](?P<secret>(?:(?!%40|%2[fF])[^\s\"'<>&]){1,300})%40",
    ),
    _p(
        "dsn",
        "jdbc:oracle",
        r"\bjdbc:oracle:\w{2,6}:(?P<secret>[^\s@/]{1,64}/[^\s@]{1,200})@",
    ),
    _p(
        "dsn",
        "@tcp(|@unix(|@udp(",
        r"(?<![^\s\"'=])(?P<secret>[^\s:@/]{1,64}:[^\s\"']{1,100}?)@(?=(?:tcp|unix|udp)\()",
    ),
)
NAMED: tuple[Pattern, ...] = (*ASSIGNED, *CALLED, *URLS)
