"""One entry of a service's ``ports``, short or long, to the ports that it means."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from diagkit.errors import SourceFormatError, suggest
from diagkit.frames.ports import EVERYWHERE
from diagkit.sources.yamltrees import Placed

__all__ = ["PortSpec", "read_port"]

RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
PROTOCOLS = ("tcp", "udp", "sctp")
WRITE = 'write "8000:80", "127.0.0.1:8000:80/udp" or target, published, host_ip'


@dataclass(frozen=True)
class PortSpec:
    """A container port, and where on the host it is to be had.

    Attributes
    ----------
    host_ip
        An address, or ``*``.
    first, last
        The host's ports of which Docker picks one; None: any that is free.
    target
        The container's port.
    protocol
        ``tcp``, ``udp`` or ``sctp``.
    place
        ``file:line``.
    """

    host_ip: str
    first: int | None
    last: int | None
    target: int
    protocol: str
    place: str

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two entries one: compose takes no address for 0.0.0.0 there."""
        ip = "0.0.0.0" if self.host_ip == EVERYWHERE else self.host_ip
        return ip, self.first, self.last, self.target, self.protocol


def read_port(entry: Any, place: str) -> list[PortSpec]:
    """Read one entry of ``ports``.

    Parameters
    ----------
    entry
        A text, or a mapping with ``target``.
    place
        ``file:line``.

    Returns
    -------
    list of PortSpec
        One a container port: ``9000-9002:9000-9002`` are three. Of ``8000-8005:80``
        Docker picks one of six for each container: that is one with a range.

    Raises
    ------
    SourceFormatError
        If compose would refuse it too.

    Examples
    --------
    >>> [(s.first, s.target) for s in read_port("9000-9001:80-81", "compose.yaml:3")]
    [(9000, 80), (9001, 81)]
    >>> read_port("[::1]:8000:80/udp", "compose.yaml:3")[0].host_ip
    '::1'
    """
    if isinstance(entry, dict):
        said = {str(k): "" if v is None else str(v) for k, v in entry.items()}
        ip, host = said.get("host_ip", ""), said.get("published", "")
        container, protocol = said.get("target", ""), said.get("protocol", "")
        if not container.isdigit():
            _refuse(place, f"target: {container}", "target is one port")
    elif isinstance(entry, str):
        ip, host, container, protocol = _split(entry)
    else:
        _refuse(place, str(entry), "it is neither a text nor a mapping")
    text = str(entry) if isinstance(entry, str) else f"{host}:{container}"
    protocol = (protocol or "tcp").lower()
    if protocol not in PROTOCOLS:
        near = suggest(protocol, PROTOCOLS)
        _refuse(place, text, f"{protocol!r} is no protocol{near}")
    address = _address(ip, text, place)
    targets = _range(container, 1, text, place)
    hosts = _range(host, 0, text, place) if host else None
    return [
        PortSpec(address, first, last, target, protocol, place)
        for first, last, target in _pair(hosts, targets, text, place)
    ]


def _pair(
    hosts: range | None, targets: range, text: str, place: str
) -> list[tuple[int | None, int | None, int]]:
    if hosts is None or hosts == range(1):  # port 0: any that is free
        return [(None, None, target) for target in targets]
    if len(targets) == 1:
        return [(hosts[0], hosts[-1], targets[0])]
    if len(hosts) != len(targets):
        what = f"{len(hosts)} ports of the host do not go into {len(targets)}"
        _refuse(place, text, what)
    return [(host, host, target) for host, target in zip(hosts, targets, strict=True)]


def _split(text: str) -> tuple[str, str, str, str]:
    rest, slash, protocol = text.partition("/")
    left, _, container = rest.rpartition(":")
    ip, _, host = left.rpartition(":")
    return ip, host, container, protocol if slash else ""


def _address(ip: str, text: str, place: str) -> str:
    bare = ip.removeprefix("[").removesuffix("]")
    if not bare:
        return EVERYWHERE
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        _refuse(place, text, f"{bare[:40]!r} is no IP address")


def _range(said: str, least: int, text: str, place: str) -> range:
    found = RANGE.fullmatch(said)
    if found is None:
        _refuse(place, text, f"{said[:40]!r} is neither a port nor a range")
    first, last = int(found[1]), int(found[2] or found[1])
    if not least <= first <= last <= 65535:
        _refuse(place, text, f"ports go from {least} to 65535, upwards")
    return range(first, last + 1)


def _refuse(place: str, text: str, why: str) -> NoReturn:
    msg = f"{place}: the port {str(text)[:60]!r} has no meaning: {why}; {WRITE}"
    raise SourceFormatError(msg)


def place_of(entry: Any, otherwise: str) -> str:
    """Return where an entry stands.

    Parameters
    ----------
    entry
        A tree.
    otherwise
        What to return for one that knows no place.

    Returns
    -------
    str
        ``file:line``.
    """
    if isinstance(entry, dict) and entry:
        entry = next(iter(entry))
    return entry.place if isinstance(entry, Placed) else otherwise
