"""Which hosts and ports the environment of a service names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.sources.portspecs import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DEFAULT_PORTS", "Reference", "find_listening", "find_references"]

# The port of a scheme whose URL names none.
DEFAULT_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "clickhouse": 9000,
    "grpc": None,
    "http": 80,
    "https": 443,
    "ldap": 389,
    "mariadb": 3306,
    "memcached": 11211,
    "mongodb": 27017,
    "mysql": 3306,
    "nats": 4222,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "smtp": 25,
    "ws": 80,
    "wss": 443,
}
# Variables whose value is for a browser, or another client outside: by their names.
BROWSER = re.compile(
    r"(?:NEXT_PUBLIC|VITE|REACT_APP|VUE_APP|NUXT_PUBLIC|EXPO_PUBLIC|GATSBY|NG_APP|PUBLIC)_"
    r"|.*(?:CORS|ORIGIN|REDIRECT|CALLBACK|EXTERNAL|PUBLIC|ADVERTISED|FRONTEND|SITE_URL)",
    re.IGNORECASE,
)
# Variables that say where a process itself listens, or that are no address at all.
OWN = re.compile(
    r"(?:.*_)?(?:BIND|LISTEN)(?:_.*|ERS?)?|HOST|HOSTNAME|.*ALLOWED_HOSTS?|.*NO_PROXY"
    r"|.*(?:IMAGE|VERSION|TAG|PATTERN|REGEX)",
    re.IGNORECASE,
)
URL = re.compile(
    r"\b(?P<scheme>[a-z][a-z\d]{1,20})(?:\+[\w-]{1,30})?://(?P<auth>[^/?#\s\"'<>]*)"
    r"(?P<rest>[^\s\"'<>]*)",
    re.IGNORECASE,
)
NEXT_URL = re.compile(r",(?=[a-z][\w+.-]{1,30}://)", re.IGNORECASE)
HOST = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::(?P<port>\d{1,5}))?"
)
KEYWORDS = re.compile(r"\bhost=(?P<host>[\w.-]+)(?:.*?\bport=(?P<port>\d{1,5}))?")
PAIR = re.compile(r"[A-Za-z][\w.-]*:\d{2,5}(?:,[A-Za-z][\w.-]*:\d{2,5})*")
# A host in a variable of its own, with the scheme that its name tells.
NAMED = re.compile(
    r"(?P<prefix>(?:.*_)?(?P<what>DB|DATABASE|POSTGRES|POSTGRESQL|PG|MYSQL|MARIADB|REDIS"
    r"|MONGO|MONGODB|RABBITMQ|AMQP|KAFKA|MEMCACHED|SMTP|MAIL|NATS|API|BACKEND|UPSTREAM)_?)"
    r"(?:HOST|HOSTNAME|SERVER|ADDR|ADDRESS)",
    re.IGNORECASE,
)
SCHEMES = {
    "amqp": "amqp",
    "mail": "smtp",
    "mongo": "mongodb",
    "pg": "postgresql",
    "postgres": "postgresql",
    "rabbitmq": "amqp",
}
EVERY_ADDRESS = ("0.0.0.0", "::", "")


@dataclass(frozen=True)
class Reference:
    """A host and a port that something names: a row of REFERENCES."""

    kind: str
    name: str
    scheme: str
    host: str
    port: int | None
    place: str


def find_references(environment: Mapping[str, str | None]) -> list[Reference]:
    """Find the hosts that an environment names. Passwords and paths are let go.

    Parameters
    ----------
    environment
        Values by name; a `Placed` name or value tells the place.

    Returns
    -------
    list of Reference
        In order, each once.

    Examples
    --------
    >>> for found in find_references({"DATABASE_URL": "postgresql://a:b@db/x",
    ...                               "VITE_API": "http://localhost:8000/v1"}):
    ...     print(found.kind, found.scheme, found.host, found.port)
    environment postgresql db 5432
    browser http localhost 8000
    """
    found: dict[Reference, None] = {}
    for name, value in environment.items():
        if not value or len(value) > 10_000 or _is_own(name):
            continue
        kind = "browser" if BROWSER.match(name) else "environment"
        place = place_of(value, place_of(name, ""))
        for scheme, host, port in _targets(name, value, environment):
            if host not in EVERY_ADDRESS:
                what = Reference(kind, str(name), scheme, host.lower(), port, place)
                found[what] = None
    return list(found)


def _is_own(name: str) -> bool:
    return OWN.fullmatch(name) is not None and "ADVERTISED" not in name.upper()


def _targets(
    name: str, value: str, environment: Mapping[str, str | None]
) -> Iterator[tuple[str, str, int | None]]:
    urls = [m for part in NEXT_URL.split(value) for m in URL.finditer(part)]
    for url in urls:
        yield from _of_url(url)
    if urls:
        return
    if keywords := KEYWORDS.search(value):
        port = int(keywords["port"]) if keywords["port"] else 5432
        yield "postgresql", keywords["host"], port
    elif named := NAMED.fullmatch(name):
        yield from _of_named(named, value, environment)
    elif PAIR.fullmatch(value):
        for part in value.split(","):
            host, _, digits = part.rpartition(":")
            yield "", host, int(digits)


def _of_url(url: re.Match[str]) -> Iterator[tuple[str, str, int | None]]:
    scheme = url["scheme"].lower()
    hosts = url["auth"].rpartition("@")[2]
    if not hosts and (asked := re.search(r"[?&]host=([\w.,-]+)", url["rest"])):
        hosts = asked[1]
    for one in hosts.split(","):
        found = HOST.fullmatch(one)
        if found:
            port = int(found["port"]) if found["port"] else DEFAULT_PORTS.get(scheme)
            yield scheme, found["six"] or found["name"], port


def _of_named(
    named: re.Match[str], value: str, environment: Mapping[str, str | None]
) -> Iterator[tuple[str, str, int | None]]:
    found = HOST.fullmatch(value)
    if found is None:
        return
    what = named["what"].lower()
    scheme = SCHEMES.get(what, what if what in DEFAULT_PORTS else "")
    beside = environment.get(f"{named['prefix']}PORT") or ""
    digits = found["port"] or (beside if beside.isdigit() and len(beside) < 6 else "")
    port = int(digits) if digits else DEFAULT_PORTS.get(scheme)
    yield scheme, found["six"] or found["name"], port


# Programs whose command line says where they listen: program, address and port that
# they take by themselves, the options of address, of port, and of both in one, and the
# variables that change it unseen.
SERVERS = (
    ("uvicorn", "127.0.0.1", 8000, "--host", "--port", "", "UVICORN_"),
    ("hypercorn", "127.0.0.1", 8000, "", "", "-b|--bind", "HYPERCORN_"),
    ("gunicorn", "127.0.0.1", 8000, "", "", "-b|--bind", "GUNICORN_"),
    ("flask run", "127.0.0.1", 5000, "-h|--host", "-p|--port", "", "FLASK_"),
    ("http.server", "0.0.0.0", 8000, "-b|--bind", "", "", ""),
    ("postgres", "0.0.0.0", 5432, "", "-p|--port|-c port", "", "PGPORT"),
    ("redis-server", "0.0.0.0", 6379, "", "--port", "", ""),
    ("mysqld", "0.0.0.0", 3306, "", "-P|--port", "", "MYSQL_TCP_PORT"),
)
# Settings of a file or of a shell, which cannot be seen from here.
UNSEEN = re.compile(r"unix:|--uds|--fd|--config|-c\s+\S+\.|\$|\.conf\b")
SHELL = re.compile(r"^\s*\S*\b(?:ba|da)?sh\s+-\w*c\s+")


def find_listening(command: str, environment: Mapping[str, str | None]) -> str:
    """Tell from a command where the process listens, where it is one that is known.

    Parameters
    ----------
    command
        The command of a container.
    environment
        Its variables, of which some change it.

    Returns
    -------
    str
        ``address:port``; empty where it cannot be told.

    Examples
    --------
    >>> find_listening("uvicorn app:app --port 9000", {})
    '127.0.0.1:9000'
    """
    command = SHELL.sub("", command)
    for program, address, port, hosts, ports, both, variables in SERVERS:
        if not re.search(rf"(?:^|[\s/\"'.]){re.escape(program)}(?:\s|$)", command):
            continue
        told = variables and any(name.startswith(variables) for name in environment)
        if told or UNSEEN.search(command):
            return ""
        host = _option(command, hosts) or address
        digits = _option(command, ports)
        joined = _option(command, both)
        if joined:
            host, _, digits = joined.rpartition(":")
        elif program == "http.server":
            after = re.search(r"http\.server\s+(\d+)", command)
            digits = after[1] if after else ""
        if digits and not digits.isdigit():
            return ""
        return f"{host.strip('[]') or '0.0.0.0'}:{digits or port}"
    return ""


def _option(command: str, names: str) -> str:
    if not names:
        return ""
    found = re.search(rf"(?:^|\s)(?:{names})[=\s]\s*([\w.:\[\]*-]+)", command)
    return found[1] if found else ""
