"""PORTS, and what else of a deployment decides who reaches whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.errors import ContractError
from diagkit.frames.contract import Column, Contract

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EVERYWHERE", "NOTES", "PORTS", "REFERENCES", "SERVICES", "Ports"]

# The host address of a port that names none: every address, IPv4 and IPv6.
EVERYWHERE = "*"

PORTS = Contract(
    "PORTS",
    (
        Column("stack", "str", False, "", "the compose stack; host: this machine"),
        Column("service", "str", False, "", "the service; of a host: the process"),
        Column("host_ip", "str", False, "", "*: every address; 0.0.0.0: every IPv4"),
        Column("host_port", "Int64", True, "", "missing: Docker picks a free one"),
        Column("container_port", "Int64", True, "", "where it leads to"),
        Column("protocol", "category", False, "", "tcp, udp, sctp"),
        Column("origin", "category", False, "", "compose | host"),
        Column("source", "str", False, "", "file:line; of a host: the process id"),
        Column("host_port_last", "Int64", True, "", "Docker picks one up to this one"),
    ),
)

# Lists are words with a blank between them: no name of compose holds one.
SERVICES = Contract(
    "SERVICES",
    (
        Column("stack", "str", False, "", "the compose stack"),
        Column("service", "str", False, "", "its name, which is a host name inside"),
        Column("project", "str", False, "", "name of the project; prefix of networks"),
        Column("image", "str", False, "", "empty where it is built here"),
        Column("profiles", "str", False, "", "started only with one of these"),
        Column("networks", "str", False, "", "as Docker calls them"),
        Column("outside", "str", False, "", "those networks that others make"),
        Column("network_mode", "str", False, "", "host, none, service:NAME"),
        Column("names", "str", False, "", "its further host names"),
        Column("hosts", "str", False, "", "host names that only it knows: extra_hosts"),
        Column("exposed", "str", False, "", "container ports of `expose`"),
        Column("listens", "str", False, "", "ports its command or proxy settings name"),
        Column("replicas", "int64", False, "", "how many containers"),
        Column("healthcheck", "category", False, "", "declared | disabled | none"),
        Column("waits_for", "str", False, "", "services that must be healthy first"),
        Column("proxied", "str", False, "", "what tells a proxy of it: labels ..."),
        Column("source", "str", False, "", "file:line"),
    ),
)

REFERENCES = Contract(
    "REFERENCES",
    (
        Column("stack", "str", False, "", "who names the target"),
        Column("service", "str", False, "", "empty: a file that no service mounts"),
        Column("kind", "category", False, "", "environment | browser | proxy"),
        Column("name", "str", False, "", "variable or directive"),
        Column("scheme", "str", False, "", "postgresql, http ...; empty: unknown"),
        Column("host", "str", False, "", "the target's host name or address"),
        Column("port", "Int64", True, "", "missing: the scheme's own"),
        Column("source", "str", False, "", "file:line"),
    ),
)

NOTES = Contract(
    "NOTES",
    (
        Column("stack", "str", False, "", "the compose stack"),
        Column("kind", "category", False, "", "unset_variable, required_variable ..."),
        Column("text", "str", False, "", "what to know"),
        Column("source", "str", False, "", "file:line"),
    ),
)


@dataclass(frozen=True)
class Ports:
    """What compose stacks publish, and what names what in them.

    Attributes
    ----------
    published
        PORTS: a row a port that a service publishes.
    services
        SERVICES: a row a service, also of those that publish nothing.
    references
        REFERENCES: a row a place that names a host and a port.
    notes
        NOTES: what could not be read, and variables without a value.

    Examples
    --------
    >>> Ports.of(PORTS.empty()).stacks
    []
    """

    published: pd.DataFrame = field(repr=False)
    services: pd.DataFrame = field(repr=False)
    references: pd.DataFrame = field(repr=False)
    notes: pd.DataFrame = field(repr=False)

    @property
    def stacks(self) -> list[str]:
        """The names of the stacks, in order."""
        return list(dict.fromkeys([*self.services["stack"], *self.notes["stack"]]))

    @classmethod
    def of(cls, ports: Ports | pd.DataFrame) -> Ports:
        """Take what `read_compose` gives, or a bare PORTS frame.

        Parameters
        ----------
        ports
            Either.

        Returns
        -------
        Ports
            Of a bare frame: each service that it names, and nothing else.

        Raises
        ------
        ContractError
            If a frame is no PORTS.
        """
        if isinstance(ports, Ports):
            return ports
        kind: object = type(ports)
        if not (isinstance(kind, type) and issubclass(kind, pd.DataFrame)):
            msg = f"ports come from read_compose; a {type(ports).__name__} came"
            raise ContractError(msg)
        PORTS.check(ports)
        named = ports[["stack", "service"]].drop_duplicates()
        blank = (
            *("project", "image", "profiles", "networks", "outside", "network_mode"),
            *("names", "hosts", "exposed", "listens", "waits_for", "proxied"),
        )
        services = named.assign(
            **dict.fromkeys(blank, ""), replicas=1, healthcheck="none", source=""
        )
        whole = SERVICES.conform(services.reset_index(drop=True))
        return cls(ports, whole, REFERENCES.empty(), NOTES.empty())

    @classmethod
    def join(cls, parts: Iterable[Ports]) -> Ports:
        """Put the stacks of several together.

        Parameters
        ----------
        parts
            What was read.

        Returns
        -------
        Ports
            All stacks, in order.
        """
        given = list(parts)
        return cls(
            published=_stack(PORTS, [part.published for part in given]),
            services=_stack(SERVICES, [part.services for part in given]),
            references=_stack(REFERENCES, [part.references for part in given]),
            notes=_stack(NOTES, [part.notes for part in given]),
        )


def _stack(contract: Contract, frames: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame.astype(object) for frame in frames if len(frame)]
    if not filled:
        return contract.empty()
    return contract.conform(pd.concat(filled, ignore_index=True))
