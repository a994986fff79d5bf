"""Compose services as the network sees them: names, networks, ports."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.frames.ports import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diagkit.frames.ports import Ports

__all__ = ["Published", "Service", "Stacks", "is_loopback", "list_published", "overlap"]

# What well-known images listen on, and only on, unless they are told otherwise.
DATABASES = {
    "cassandra": 9042,
    "elasticsearch": 9200,
    "mariadb": 3306,
    "memcached": 11211,
    "mongo": 27017,
    "mysql": 3306,
    "percona": 3306,
    "pgvector": 5432,
    "postgis": 5432,
    "postgres": 5432,
    "rabbitmq": 5672,
    "redis": 6379,
    "timescaledb": 5432,
    "valkey": 6379,
}
PROXIES = re.compile(r"nginx|traefik|haproxy|caddy|envoy|openresty|apache|httpd|kong")
# Words in a stack's name by which it is one of several of one project.
ENVIRONMENTS = frozenset(
    (
        *("ci", "demo", "dev", "develop", "development", "live", "local", "prod"),
        *("production", "qa", "release", "sandbox", "stage", "staging", "test"),
        *("testing", "uat"),
    )
)


@dataclass(frozen=True)
class Published:
    """A port of a service that is to be had on the host: a row of PORTS."""

    stack: str
    service: str
    host_ip: str
    first: int | None
    last: int | None
    container: int | None
    protocol: str
    source: str

    @property
    def said(self) -> str:
        """The host's side of it, in words."""
        if self.first is None:
            port = "a free port"
        else:
            port = str(self.first)
            port += f"-{self.last}" if self.last != self.first else ""
        return port if self.host_ip == EVERYWHERE else f"{self.host_ip}:{port}"

    def takes(self, port: int | None) -> bool:
        """Tell whether it is, or may be, this port of the host."""
        if self.first is None or port is None:
            return False
        return self.first <= port <= (self.last or 0)


@dataclass(frozen=True)
class Service:
    """A service and what it publishes: a row of SERVICES, its lists taken apart."""

    stack: str
    name: str
    project: str
    image: str
    profiles: frozenset[str]
    networks: frozenset[str]
    outside: frozenset[str]
    mode: str
    names: frozenset[str]
    hosts: frozenset[str]
    exposed: frozenset[int]
    listens: tuple[tuple[str, int], ...]
    replicas: int
    health: str
    waits: tuple[str, ...]
    proxied: str
    source: str
    published: tuple[Published, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """How it is called in findings."""
        return f"{self.stack}/{self.name}"

    @property
    def own_port(self) -> int | None:
        """The port of its image, where that is one of a well-known database."""
        last = self.image.rpartition("/")[2].partition("@")[0].partition(":")[0]
        return DATABASES.get(last)

    @property
    def is_proxy(self) -> bool:
        """Whether its image is one of a proxy."""
        return PROXIES.search(self.image) is not None

    @cached_property
    def ports(self) -> frozenset[int]:
        """The container's ports that are known."""
        known = {p.container for p in self.published if p.container is not None}
        known |= {*self.exposed, *(port for _, port in self.listens)}
        own = None if self.told else self.own_port
        return frozenset(known | ({own} if own else set()))

    @property
    def told(self) -> tuple[tuple[str, int], ...]:
        """Where its command says that it listens: address and port."""
        return tuple(one for one in self.listens if one[0] != "*")

    @property
    def main_port(self) -> int | None:
        """The port that its command names, or that of its image."""
        return self.told[0][1] if self.told else self.own_port

    def may_run_with(self, other: Service | Published) -> bool:
        """Tell whether no profile keeps two services apart."""
        theirs = other.profiles if isinstance(other, Service) else frozenset()
        return not (self.profiles and theirs) or bool(self.profiles & theirs)


class Stacks:
    """All services, found by stack and by name.

    Parameters
    ----------
    ports
        What was read.
    """

    def __init__(self, ports: Ports) -> None:
        rows: dict[tuple[str, str], list[Published]] = {}
        for made in list_published(ports.published):
            rows.setdefault((made.stack, made.service), []).append(made)
        self.services = [
            _service(row, tuple(rows.get((str(row.stack), str(row.service)), ())))
            for row in ports.services.itertuples()
        ]
        self.by_stack: dict[str, list[Service]] = {}
        for service in self.services:
            self.by_stack.setdefault(service.stack, []).append(service)

    def get(self, stack: str, name: str) -> Service | None:
        """Return a service by its own name."""
        own = self.by_stack.get(stack, [])
        return next((service for service in own if service.name == name), None)

    def named(self, stack: str, host: str) -> list[Service]:
        """Return the services that a host name means in a stack."""
        return [
            service
            for service in self.by_stack.get(stack, [])
            if host in (service.name.lower(), *service.names)
        ]

    def home(self, service: Service) -> Service:
        """Return the service whose network a service lives in: often itself."""
        seen = {service.name}
        while service.mode.startswith("service:"):
            name = service.mode.partition(":")[2]
            other = self.get(service.stack, name)
            if other is None or name in seen:
                break
            seen.add(name)
            service = other
        return service

    def housemates(self, service: Service) -> list[Service]:
        """Return the services for which ``localhost`` is the same, itself included."""
        home = self.home(service)
        own = self.by_stack.get(service.stack, [])
        return [other for other in own if self.home(other) == home]

    def publishes(self, service: Service) -> list[Published]:
        """Return what a service publishes, by itself or by whose network it is in."""
        return list(self.home(service).published)

    def alternatives(self, one: str, other: str) -> bool:
        """Tell whether two stacks are two forms of one project: dev and prod, say."""
        first, second = self.by_stack.get(one, []), self.by_stack.get(other, [])
        if not first or not second or one == other:
            return False
        mine, theirs = {s.name for s in first}, {s.name for s in second}
        shared = len(mine & theirs)
        enough = 2 * shared >= min(len(mine), len(theirs))
        if not shared or not enough:
            return False
        same_folder = one.partition(":")[0] == other.partition(":")[0]
        environments = _words(one) & ENVIRONMENTS and _words(other) & ENVIRONMENTS
        return bool(same_folder or environments or shared >= 2)


def list_published(ports: pd.DataFrame) -> list[Published]:
    """Take the rows of a PORTS frame apart.

    Parameters
    ----------
    ports
        PORTS.

    Returns
    -------
    list of Published
        In order.
    """
    return [_published(row) for row in ports.itertuples()]


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower()))


def overlap(one: str, other: str) -> bool:
    """Tell whether two host addresses cannot both have the same port.

    Parameters
    ----------
    one, other
        Addresses; ``*`` is every one.

    Returns
    -------
    bool
        0.0.0.0 is every IPv4 address, and :: every IPv6 one.

    Examples
    --------
    >>> overlap("0.0.0.0", "127.0.0.1"), overlap("0.0.0.0", "::1"), overlap("*", "::1")
    (True, False, True)
    """
    if EVERYWHERE in (one, other) or one == other:
        return True
    try:
        a, b = _bare(one), _bare(other)
    except ValueError:
        return False
    return a == b or (a.version == b.version and (a.is_unspecified or b.is_unspecified))


def _bare(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is the machine's own.

    Parameters
    ----------
    host
        A name or an address.

    Returns
    -------
    bool
        Whether it is ``localhost`` or a loopback address.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("127.0.1.1"), is_loopback("db")
    (True, True, False)
    """
    if host in ("localhost", "ip6-localhost") or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _published(row: object) -> Published:
    def number(name: str) -> int | None:
        value = getattr(row, name, None)
        return None if value is None or pd.isna(value) else int(value)

    first, last = number("host_port"), number("host_port_last")
    return Published(
        stack=str(getattr(row, "stack", "")),
        service=str(getattr(row, "service", "")),
        host_ip=str(getattr(row, "host_ip", "")) or EVERYWHERE,
        first=first,
        last=first if last is None else last,
        container=number("container_port"),
        protocol=str(getattr(row, "protocol", "")),
        source=str(getattr(row, "source", "")),
    )


def _service(row: object, published: tuple[Published, ...]) -> Service:
    def words(name: str) -> list[str]:
        return str(getattr(row, name)).split()

    def text(name: str) -> str:
        return str(getattr(row, name))

    return Service(
        stack=text("stack"),
        name=text("service"),
        project=text("project"),
        image=text("image"),
        profiles=frozenset(words("profiles")),
        networks=frozenset(words("networks")),
        outside=frozenset(words("outside")),
        mode=text("network_mode"),
        names=frozenset(words("names")),
        hosts=frozenset(words("hosts")),
        exposed=frozenset(_exposed(words("exposed"))),
        listens=tuple(_listens(words("listens"))),
        replicas=int(text("replicas")),
        health=text("healthcheck"),
        waits=tuple(words("waits_for")),
        proxied=text("proxied"),
        source=text("source"),
        published=published,
    )


def _exposed(words: Iterable[str]) -> Iterable[int]:
    for word in words:
        found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/\w+)?", word)
        if found:
            last = min(int(found[2] or found[1]), 65535)
            yield from range(int(found[1]), last + 1)


def _listens(words: Iterable[str]) -> Iterable[tuple[str, int]]:
    for word in words:
        host, _, digits = word.rpartition(":")
        if digits.isdigit():
            yield host, int(digits)
