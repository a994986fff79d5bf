"""What an nginx configuration passes on to whom: ``proxy_pass`` and ``upstream``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagkit.sources.references import DEFAULT_PORTS, Reference
from diagkit.sources.variables import substitute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ProxyFile", "is_proxy", "read_proxy"]

TOKEN = re.compile(
    r"#[^\n]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{};]|(?:\$\{[^}\n]*\}|[^\s{};\"'])+|\s+"
)
# The directives that name whom a request is passed to, and the scheme they stand for.
PASSES = {
    "proxy_pass": "http",
    "fastcgi_pass": "fastcgi",
    "grpc_pass": "grpc",
    "scgi_pass": "scgi",
    "uwsgi_pass": "uwsgi",
}
MARKS = re.compile(rf"\b(?:{'|'.join(PASSES)})\s+\S")
ADDRESS = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::(?P<port>\d{1,5}))?"
)
MOST_TOKENS = 200_000


@dataclass
class ProxyFile:
    """What a configuration says.

    Attributes
    ----------
    references
        Whom it passes requests to.
    listens
        The ports that it listens on.
    """

    references: list[Reference] = field(default_factory=list)
    listens: list[int] = field(default_factory=list)


def is_proxy(text: str) -> bool:
    """Tell whether a text is an nginx configuration that passes requests on.

    Parameters
    ----------
    text
        Its beginning, or all of it.

    Returns
    -------
    bool
        Whether a directive of `PASSES` is in it.

    Examples
    --------
    >>> is_proxy("location / { proxy_pass http://api:8000; }")
    True
    """
    return MARKS.search(text) is not None


def read_proxy(
    text: str, name: str, environment: Mapping[str, str] | None = None
) -> ProxyFile:
    r"""Read an nginx configuration, or a part of one.

    Parameters
    ----------
    text
        The configuration.
    name
        What its file is called.
    environment
        The container's variables, which a template of the image refers to.

    Returns
    -------
    ProxyFile
        The servers of an upstream stand in the place of its name. What goes to a
        socket, or to a variable that the file does not set, is left out.

    Examples
    --------
    >>> found = read_proxy(
    ...     "upstream app { server api:8000; }\n"
    ...     "server { listen 80; location / { proxy_pass http://app; } }", "n.conf")
    >>> [(r.host, r.port, r.place) for r in found.references], found.listens
    ([('api', 8000, 'n.conf:1')], [80])
    """
    said = _Said(dict(environment or {}))
    for line, block, words in _directives(text):
        said.take(words, block, f"{name}:{line}")
    references = [
        one
        for directive, target, place in said.passes
        for one in _resolve(directive, target, place, said.upstreams, said.variables)
    ]
    return ProxyFile(list(dict.fromkeys(references)), list(said.listens))


@dataclass
class _Said:
    """What the directives of a configuration say, before it is put together."""

    variables: dict[str, str]
    upstreams: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    passes: list[tuple[str, str, str]] = field(default_factory=list)
    listens: dict[int, None] = field(default_factory=dict)

    def take(self, words: list[str], block: list[str], place: str) -> None:
        match words:
            case ["set", variable, value, *_]:
                self.variables[variable.lstrip("$")] = value
            case ["server", address, *options] if block[:1] == ["upstream"]:
                if "down" not in options:
                    key = " ".join(block[1:2])
                    self.upstreams.setdefault(key, []).append((address, place))
            case ["listen", where, *_] if not where.startswith("unix:"):
                digits = where.rpartition(":")[2]
                known = digits.isdigit() and len(digits) < 6
                self.listens[int(digits) if known else 80] = None
            case [directive, target, *_] if directive in PASSES:
                self.passes.append((directive, target, place))


def _resolve(
    directive: str,
    target: str,
    place: str,
    upstreams: Mapping[str, list[tuple[str, str]]],
    variables: Mapping[str, str],
) -> Iterator[Reference]:
    scheme, text = PASSES[directive], _fill(target, variables)
    if "://" in text:
        scheme, _, text = text.partition("://")
    elif directive == "proxy_pass":
        scheme = "tcp"  # of a stream
    name = text.partition("/")[0]
    for address, where in upstreams.get(name, [(name, place)]):
        found = ADDRESS.fullmatch(_fill(address, variables))
        if found:
            host = (found["six"] or found["name"]).lower()
            own = DEFAULT_PORTS.get(scheme, 80 if name in upstreams else None)
            port = int(found["port"]) if found["port"] else own
            yield Reference("proxy", directive, scheme, host, port, where)


def _fill(text: str, variables: Mapping[str, str]) -> str:
    try:
        return substitute(text, variables, lambda kind, said: None)
    except ValueError:
        return ""


def _directives(text: str) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield line, words of the block around it, and words of each directive."""
    blocks: list[list[str]] = []
    words: list[str] = []
    line = first = 1
    for count, token in enumerate(TOKEN.findall(text)):
        if count > MOST_TOKENS:
            return
        if token in ("{", ";"):
            if token == "{":
                blocks.append(words)
            else:
                yield first, blocks[-1] if blocks else [], words
            words = []
        elif token == "}":
            words = []
            if blocks:
                blocks.pop()
        elif not token.isspace() and not token.startswith("#"):
            if not words:
                first = line
            quoted = token[0] in "\"'" and token[-1] == token[0]
            words.append(token[1:-1] if quoted else token)
        line += token.count("\n")
