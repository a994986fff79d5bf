"""Who needs a port from outside, and whether anything publishes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from diagkit.analyses.stacks import is_loopback
from diagkit.frames.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from diagkit.analyses.stacks import Published, Service, Stacks

__all__ = ["HOST_NAMES", "find_unpublished", "is_outside"]

# Names by which a container means the machine that it runs on.
HOST_NAMES = (
    "host.docker.internal",
    "gateway.docker.internal",
    "host.containers.internal",
)
SCHEME_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "ws": 80, "wss": 443}
_PUBLISH = "Publish it (ports:), or have a published proxy pass on to it."


@dataclass(frozen=True)
class Need:
    """A port of the host that somebody uses: who says so, and where."""

    stack: str
    port: int
    who: str
    source: str


def is_outside(stacks: Stacks, row: pd.Series) -> bool:
    """Tell whether a reference is to a port of the host, and not to a container's.

    Parameters
    ----------
    stacks
        The services.
    row
        A row of REFERENCES.

    Returns
    -------
    bool
        For a browser's ``localhost``, for that of a proxy that no container runs, and
        for a container's names of its host.
    """
    if row["host"] in HOST_NAMES:
        return True
    if not is_loopback(row["host"]):
        return False
    service = stacks.get(row["stack"], row["service"])
    host_mode = service is not None and service.mode == "host"
    return host_mode or row["kind"] == "browser" or not row["service"]


def find_unpublished(
    stacks: Stacks, references: pd.DataFrame, targets: Iterable[str] = ()
) -> Iterator[Finding]:
    """Report services that something outside needs, and that nothing publishes.

    Parameters
    ----------
    stacks
        The services.
    references
        REFERENCES.
    targets
        What clients use, ``http://localhost:8000`` or ``localhost:8000``; only those
        on this machine are judged.

    Yields
    ------
    Finding
        ``not_published``: high where a client or a proxy names the port; what a
        sibling stack publishes is high too, unless a proxy may pass on to it.
    """
    if not stacks.by_stack:
        # Without a compose file nothing says what is published.
        return
    told: set[str] = set()
    for need in [*_targets(targets), *_outside(stacks, references)]:
        for found in _missing(stacks, need):
            told.add(found.subject)
            yield found
    for found in _siblings(stacks, references):
        if found.subject not in told:
            told.add(found.subject)
            yield found
    for stack, own in stacks.by_stack.items():
        if not any(subject.startswith(f"{stack}/") for subject in told):
            yield from _nothing_published(stack, own)


def _targets(targets: Iterable[str]) -> Iterator[Need]:
    for text in targets:
        parts = urlsplit(text if "://" in text else f"//{text}")
        try:
            port = parts.port or SCHEME_PORTS.get(parts.scheme)
        except ValueError:
            continue
        if port and parts.hostname and is_loopback(parts.hostname):
            yield Need("", port, "a client", f"{parts.hostname}:{port}")


def _outside(stacks: Stacks, references: pd.DataFrame) -> Iterator[Need]:
    for _, row in references[references["port"].notna()].iterrows():
        if is_outside(stacks, row):
            who = f"{row['stack']}/{row['service']}" if row["service"] else "a proxy"
            said = f"{row['source']}: {row['name']} = {row['host']}:{row['port']}"
            yield Need(row["stack"], int(row["port"]), who, said)


def _missing(stacks: Stacks, need: Need) -> Iterator[Finding]:
    """Find out who should publish a port that somebody uses on the host."""
    names = [need.stack] if need.stack else list(stacks.by_stack)
    elsewhere = [s for s in stacks.by_stack if s not in names]
    if need.stack and any(
        _publishers(stacks, other, need.port)
        for other in elsewhere
        if not stacks.alternatives(need.stack, other)
    ):
        return  # another stack on the same host has it
    lacking = [name for name in names if not _publishers(stacks, name, need.port)]
    having = [
        p
        for s in stacks.by_stack
        if s not in lacking
        for p in _publishers(stacks, s, need.port)
    ]
    for name in lacking:
        own = [s for s in stacks.by_stack[name] if s.mode != "host"]
        should = [s for s in own if need.port in s.ports and not _has(stacks, s)]
        by_name = [stacks.get(name, p.service) for p in having]
        should = should or [s for s in by_name if s is not None and not _has(stacks, s)]
        for service in should[:1]:
            yield _not_published(service, "high", need, having)
        if not should and not having and need.stack:
            yield _nobody(name, need)
    known = any(need.port in s.ports for s in stacks.services)
    if not (need.stack or having or known):
        yield _nobody("", need)


def _has(stacks: Stacks, service: Service) -> bool:
    return bool(stacks.publishes(service))


def _publishers(stacks: Stacks, stack: str, port: int) -> list[Published]:
    return [
        published
        for service in stacks.by_stack.get(stack, [])
        for published in service.published
        if published.takes(port) and published.protocol == "tcp"
    ]


def _not_published(
    service: Service, severity: str, need: Need, having: list[Published]
) -> Finding:
    there = [f"{p.stack} publishes it at {p.said} ({p.source})" for p in having[:3]]
    return Finding(
        code="not_published",
        subject=service.key,
        area="infrastructure",
        severity=severity,
        summary=f"{service.key} is not published, and {need.who} uses port "
        f"{need.port} of the host",
        evidence="; ".join([need.source, *there, _where(service)]),
        remedy=_PUBLISH,
    )


def _nobody(stack: str, need: Need) -> Finding:
    said = f"in stack {stack}" if stack else "in any stack"
    return Finding(
        code="not_published",
        subject=f"{stack}/port {need.port}",
        area="infrastructure",
        severity="medium",
        summary=f"{need.who} uses port {need.port} of the host, which nothing {said} "
        "publishes",
        evidence=need.source,
        remedy="Publish what should answer there, or name the port that is published.",
    )


def _where(service: Service) -> str:
    known = sorted(service.ports)
    ports = f"port {', '.join(map(str, known))}" if known else "its ports are unknown"
    return f"{service.key}: {ports} ({service.source})"


def _siblings(stacks: Stacks, references: pd.DataFrame) -> Iterator[Finding]:
    """Report what one form of a project publishes and another does not."""
    for service in stacks.services:
        if service.mode == "host" or _has(stacks, service):
            continue
        for stack in stacks.by_stack:
            other = stacks.get(stack, service.name)
            if other is None or not stacks.alternatives(service.stack, stack):
                continue
            published = [p for p in stacks.publishes(other) if p.first is not None]
            if published:
                yield _sibling(stacks, service, published, references)
                break


def _sibling(
    stacks: Stacks,
    service: Service,
    published: list[Published],
    references: pd.DataFrame,
) -> Finding:
    severity, why = _reached(stacks, service, references)
    one = published[0]
    return Finding(
        code="not_published",
        subject=service.key,
        area="infrastructure",
        severity=severity,
        summary=f"{service.key} is not published; {one.stack} publishes it at port "
        f"{one.said}{why}",
        evidence=f"{_where(service)}; {one.stack}/{one.service}: {one.said} "
        f"({one.source})",
        remedy=_PUBLISH if severity != "info" else "Nothing, where that is meant.",
    )


def _reached(
    stacks: Stacks, service: Service, references: pd.DataFrame
) -> tuple[str, str]:
    """Judge how bad it is that nothing publishes it: there may be another way in."""
    if service.own_port:
        return "info", ", as is usual for a database in use"
    if service.proxied:
        return "info", f"; a proxy finds it by its {service.proxied}"
    own = stacks.by_stack[service.stack]
    proxies = [s for s in own if s.is_proxy and _has(stacks, s)]
    passed = references[
        (references["stack"] == service.stack)
        & (references["kind"].astype(str) == "proxy")
    ]
    for host, who in zip(passed["host"], passed["service"], strict=True):
        passer = stacks.get(service.stack, who)
        if (
            passer
            and _has(stacks, passer)
            and service in stacks.named(service.stack, host)
        ):
            return "info", f"; here {who} passes requests on to it"
    if proxies and passed.empty:
        return "medium", f"; {proxies[0].name} may pass requests on to it, or not"
    return "high", ""


def _nothing_published(stack: str, own: list[Service]) -> Iterator[Finding]:
    ways = any(s.published or s.mode == "host" or s.proxied or s.outside for s in own)
    serving = [s for s in own if s.ports and not s.own_port]
    if ways or not serving or not re.search(r"\S", stack):
        return
    yield Finding(
        code="not_published",
        subject=f"{stack}/",
        area="infrastructure",
        severity="medium",
        summary=f"stack {stack} publishes no port: nothing outside can reach it",
        evidence="; ".join(map(_where, serving[:5])),
        remedy=_PUBLISH,
    )
