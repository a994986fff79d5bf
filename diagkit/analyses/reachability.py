"""Targets that cannot be reached from where they are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.analyses.exposure import is_outside
from diagkit.analyses.stacks import is_loopback
from diagkit.frames.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from diagkit.analyses.stacks import Service, Stacks

__all__ = ["find_misdirected", "find_unreachable"]

# A scheme of these is never meant for a browser: its localhost is wrong for sure.
_WEB = ("http", "https", "ws", "wss", "")


def find_unreachable(stacks: Stacks, references: pd.DataFrame) -> Iterator[Finding]:
    """Report references that lead nowhere from the container that holds them.

    Parameters
    ----------
    stacks
        The services.
    references
        REFERENCES.

    Yields
    ------
    Finding
        ``localhost_target``: a container's ``localhost`` is the container itself.
        ``unreachable_target``: a service of no shared network, or of another profile.
        ``unresolved_target``: a host name that nothing there has. ``wrong_port``: a
        port of the host in place of the container's. ``loopback_only``: it listens for
        itself alone.
    """
    for _, row in references.iterrows():
        service = stacks.get(row["stack"], row["service"])
        if service is None or is_outside(stacks, row):
            continue
        if is_loopback(row["host"]):
            yield from _localhost(stacks, service, row)
        elif row["kind"] != "browser":
            yield from _named(stacks, service, row)


def _said(row: pd.Series) -> str:
    port = "" if row["port"] is None or row["port"] != row["port"] else row["port"]
    scheme = f"{row['scheme']}://" if row["scheme"] else ""
    host = f"[{row['host']}]" if ":" in row["host"] else row["host"]
    return f"{row['name']} = {scheme}{host}:{port}".rstrip(":")


def _port(row: pd.Series) -> int | None:
    import pandas as pd

    return None if pd.isna(row["port"]) else int(row["port"])


def _finding(
    code: str,
    severity: str,
    service: Service,
    row: pd.Series,
    summary: str,
    evidence: str,
    remedy: str,
) -> Finding:
    subject = f"{service.key} {row['name']} {row['host']}:{_port(row) or ''}"
    return Finding(code, subject, "infrastructure", severity, summary, evidence, remedy)


def _localhost(stacks: Stacks, service: Service, row: pd.Series) -> Iterator[Finding]:
    port = _port(row)
    mates = stacks.housemates(service)
    if port is not None and any(port in mate.ports for mate in mates):
        return  # it means itself, or who shares its network
    own = [s for s in stacks.by_stack[service.stack] if s not in mates]
    meant = [s for s in own if port in s.ports]
    meant = meant or [s for s in own if any(p.takes(port) for p in s.published)]
    # A browser that is given this URL gets through where the host has the port.
    browser = any(p.takes(port) for s in own for p in s.published)
    sure = (
        row["scheme"] not in _WEB or row["kind"] == "proxy" or (meant and not browser)
    )
    there = f"; {meant[0].key} has port {port} ({meant[0].source})" if meant else ""
    right = f"{meant[0].name}:{_inner(meant[0], port)}" if meant else "the service"
    yield _finding(
        "localhost_target",
        "high" if sure else "medium",
        service,
        row,
        f"{service.key} looks for {row['scheme'] or 'a server'} at {row['host']}"
        f"{f':{port}' if port else ''}, which is its own container, where nothing is "
        "known to listen",
        f"{row['source']}: {_said(row)}{there}",
        f"Name {right} in its place, or host.docker.internal for what runs on the "
        "host.",
    )


def _inner(service: Service, port: int | None) -> int | None:
    """Return the container's port behind one of the host's."""
    if port in service.ports:
        return port
    for published in service.published:
        if published.takes(port):
            return published.container
    return port


def _named(stacks: Stacks, service: Service, row: pd.Series) -> Iterator[Finding]:
    host = row["host"]
    found = stacks.named(service.stack, host)
    if host in service.hosts or service in found:
        return
    if found:
        yield from _inside(stacks, service, found, row)
    elif "." not in host and ":" not in host:
        yield from _stranger(stacks, service, row)


def _inside(
    stacks: Stacks, service: Service, found: list[Service], row: pd.Series
) -> Iterator[Finding]:
    home = stacks.home(service)
    near = [s for s in found if _share(home, stacks.home(s))]
    target = (near or found)[0]
    if not near:
        mine = ", ".join(sorted(home.networks)) or home.mode or "none"
        theirs = ", ".join(sorted(target.networks)) or target.mode or "none"
        yield _finding(
            "unreachable_target",
            "high",
            service,
            row,
            f"{service.key} names {target.name}, with which it shares no network",
            f"{row['source']}: {_said(row)}; networks of {service.name}: {mine}; of "
            f"{target.name}: {theirs}",
            "Put both on one network (networks:).",
        )
        return
    if target.profiles and not target.profiles & service.profiles:
        yield _finding(
            "unreachable_target",
            "low",
            service,
            row,
            f"{service.key} names {target.name}, which is started only with the "
            f"profile {' or '.join(sorted(target.profiles))}",
            f"{row['source']}: {_said(row)}; {target.source}",
            "Start it with that profile, or give both the same.",
        )
    yield from _wrong_port(service, target, row)


def _share(one: Service, other: Service) -> bool:
    return one == other or bool(one.networks & other.networks)


def _wrong_port(service: Service, target: Service, row: pd.Series) -> Iterator[Finding]:
    port = _port(row)
    if port is None:
        return
    if port in target.ports:
        hosts = [host for host, number in target.listens if number == port]
        if hosts and all(map(is_loopback, hosts)):
            yield _finding(
                "loopback_only",
                "high",
                service,
                row,
                f"{target.key} listens on {hosts[0]}:{port} alone, so that "
                f"{service.name} cannot reach it",
                f"{row['source']}: {_said(row)}; {target.source}",
                "Have it listen on 0.0.0.0: --host 0.0.0.0.",
            )
        return
    behind = [p for p in target.published if p.takes(port)]
    right = behind[0].container if behind else target.main_port
    if right is None:
        return
    where = behind[0].source if behind else target.source
    why = "is its port on the host" if behind else "is none of its ports"
    yield _finding(
        "wrong_port",
        "high" if behind else "medium",
        service,
        row,
        f"{service.key} names {target.name}:{port}, which {why}: between containers "
        f"it is {right}",
        f"{row['source']}: {_said(row)}; {where}",
        f"Name {target.name}:{right}.",
    )


def _stranger(stacks: Stacks, service: Service, row: pd.Series) -> Iterator[Finding]:
    host = row["host"]
    others = [
        other
        for stack in stacks.by_stack
        if stack != service.stack
        for other in stacks.named(stack, host)
    ]
    home = stacks.home(service)
    if any(_share(home, other) for other in others):
        return
    if home.outside and not others:
        return  # somebody else's network: who is on it cannot be seen from here
    if others:
        yield _finding(
            "unreachable_target",
            "high",
            service,
            row,
            f"{service.key} names {host}, which is a service of stack "
            f"{others[0].stack} and shares no network with it",
            f"{row['source']}: {_said(row)}; {others[0].source}",
            "Put both on one external network, or name a service of its own stack.",
        )
        return
    yield _finding(
        "unresolved_target",
        "high",
        service,
        row,
        f"{service.key} names the host {host}, and nothing in stack {service.stack} is "
        "called so",
        f"{row['source']}: {_said(row)}",
        f"Name a service of the stack, or give one the alias {host}.",
    )


def find_misdirected(stacks: Stacks) -> Iterator[Finding]:
    """Report published ports that lead to where the service does not listen.

    Parameters
    ----------
    stacks
        The services; only those whose command says where they listen are judged.

    Yields
    ------
    Finding
        ``loopback_only`` and ``wrong_port``.
    """
    for service in stacks.services:
        if not service.told:
            continue
        host, port = service.told[0]
        for published in service.published:
            subject = f"{service.key} published {published.container}"
            if published.container != port:
                yield Finding(
                    "wrong_port",
                    subject,
                    "infrastructure",
                    "medium",
                    f"{service.key} publishes its port {published.container}, and its "
                    f"command listens on {port}",
                    f"{published.source}; {service.source}",
                    f"Publish {published.first or port}:{port}.",
                )
            elif is_loopback(host):
                yield Finding(
                    "loopback_only",
                    subject,
                    "infrastructure",
                    "high",
                    f"{service.key} publishes its port {port}, and its command listens "
                    f"on {host} alone: nobody outside of the container gets through",
                    f"{published.source}; {service.source}",
                    "Have it listen on 0.0.0.0: --host 0.0.0.0.",
                )
