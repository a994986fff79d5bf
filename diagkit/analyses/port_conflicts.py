"""Ports that two want: inside of a stack, across stacks, and with what listens now."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from diagkit.analyses.stacks import Published, list_published, overlap
from diagkit.frames.findings import Finding
from diagkit.frames.ports import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from diagkit.analyses.stacks import Service, Stacks

__all__ = ["find_conflicts", "find_taken"]

# Who holds a port of the host for a container: then it is the stack itself, running.
ENGINES = (
    "docker",
    "com.docke",
    "rootless",
    "podman",
    "conmon",
    "slirp4netns",
    "vpnkit",
)
# Who, where, and how many ports of the host may be picked from.
_Claim = tuple["Service", Published]
# Up to so many entries of one port each pair is told.
MOST_ALIKE = 12
_REMEDY = (
    "Publish one of them on another port of the host, or on another address of it."
)


def find_conflicts(stacks: Stacks) -> list[Finding]:
    """Report ports of the host that several services publish.

    Parameters
    ----------
    stacks
        The services.

    Returns
    -------
    list of Finding
        ``port_conflict``: high inside of a stack, which cannot start then, and medium
        across stacks, which cannot run on one host; ``shared_port`` (info) between two
        forms of one project; ``port_contention`` (low) where the order of starting
        decides. Profiles, addresses and protocols that differ keep services apart.
    """
    claims = [
        (service, port)
        for service in stacks.services
        for port in service.published
        if port.first is not None and service.mode != "host"
    ]
    found = [*_replicas(claims)]
    pairs: dict[tuple[str, tuple[str, ...]], list[tuple[int, _Claim, _Claim]]]
    pairs = defaultdict(list)
    for port, one, other in _meeting(claims):
        scope = _scope(stacks, one[0], other[0])
        names = tuple(sorted({one[0].key, other[0].key}))
        pairs[scope, (one[1].protocol, *names)].append((port, one, other))
    for (scope, _), meets in pairs.items():
        found.append(_conflict(scope, meets))
    return [*found, *_ranges(claims)]


def _meeting(claims: list[_Claim]) -> Iterator[tuple[int, _Claim, _Claim]]:
    """Yield each pair of services that publish the same one port."""
    by_port: dict[tuple[str, int], list[_Claim]] = defaultdict(list)
    for service, port in claims:
        if port.first is not None and port.first == port.last:
            by_port[port.protocol, port.first].append((service, port))
    for (_, number), own in by_port.items():
        if len(own) <= MOST_ALIKE:
            for one, other in combinations(own, 2):
                if _meet(one, other):
                    yield number, one, other
            continue
        # So many on one port say the same again and again: each is told once.
        for place, other in enumerate(own):
            first = next((one for one in own[:place] if _meet(one, other)), None)
            if first is not None:
                yield number, first, other


def _meet(one: _Claim, other: _Claim) -> bool:
    """Tell whether both may be wanted at once, at an address of both."""
    (mine, port), (theirs, wanted) = one, other
    apart = mine.stack == theirs.stack and not mine.may_run_with(theirs)
    return (
        not apart
        and port.protocol == wanted.protocol
        and overlap(port.host_ip, wanted.host_ip)
    )


def _scope(stacks: Stacks, one: Service, other: Service) -> str:
    if one.stack == other.stack:
        return "inside"
    return "alternatives" if stacks.alternatives(one.stack, other.stack) else "across"


def _conflict(scope: str, meets: list[tuple[int, _Claim, _Claim]]) -> Finding:
    numbers = sorted({port for port, _, _ in meets})
    _, (one, mine), (other, theirs) = meets[0]
    ports = _spans(numbers)
    noun = f"{mine.protocol} port{'s' if len(numbers) > 1 else ''} {ports} of the host"
    code, severity, said = {
        "inside": ("port_conflict", "high", f"both publish {noun}: one cannot start"),
        "across": (
            "port_conflict",
            "medium",
            f"both publish {noun}: they cannot run on one host",
        ),
        "alternatives": (
            "shared_port",
            "info",
            f"both publish {noun}: two forms of one project, for one host at a time",
        ),
    }[scope]
    same = one.key == other.key
    who = f"two entries of {one.key}" if same else f"{one.key} and {other.key}"
    profiles = one.profiles | other.profiles
    more = f"; with the profile {' '.join(sorted(profiles))}" if profiles else ""
    return Finding(
        code=code,
        subject=f"{mine.protocol} {' '.join(sorted({one.key, other.key}))} {ports}",
        area="infrastructure",
        severity=severity,
        summary=f"{who} {said}",
        evidence=f"{one.key}: {mine.said} ({mine.source}); "
        f"{other.key}: {theirs.said} ({theirs.source}){more}",
        remedy=_REMEDY,
    )


def _replicas(claims: list[_Claim]) -> Iterator[Finding]:
    """Report services of which more containers are wanted than they have ports."""
    for service, port in claims:
        room = (port.last or 0) - (port.first or 0) + 1
        if service.replicas > room:
            yield Finding(
                code="port_conflict",
                subject=f"replicas {service.key} {port.said}",
                area="infrastructure",
                severity="high",
                summary=f"{service.replicas} containers of {service.key} publish "
                f"{room} port{'s' if room > 1 else ''} of the host ({port.said}): "
                f"{service.replicas - room} cannot start",
                evidence=f"{port.source}; {service.source}",
                remedy="Publish a range with a port for each, or put a proxy before "
                "them and publish that.",
            )


def _ranges(claims: list[_Claim]) -> Iterator[Finding]:
    """Report ranges in which others leave too few ports, or take one of them."""
    for claim in claims:
        service, port = claim
        if port.first is None or port.first == port.last:
            continue
        others = [c for c in claims if c is not claim and _meet(claim, c)]
        others = [c for c in others if c[0].stack == service.stack]
        near = [c for c in others if _within(c[1], port)]
        fixed = [c for c in near if c[1].first == c[1].last]
        rivals = [c for c in near if c[1].first != c[1].last]
        room = (port.last or 0) - port.first + 1
        left = room - len({c[1].first for c in fixed})
        full = left < service.replicas + sum(c[0].replicas for c in rivals)
        if not (fixed or (rivals and full)) or service.replicas > room:
            continue
        names = ", ".join(f"{c[0].key} {c[1].said} ({c[1].source})" for c in near)
        whose = " ".join(sorted({service.key, *(c[0].key for c in rivals)}))
        yield Finding(
            code="port_conflict" if full else "port_contention",
            subject=f"range {whose} {port.said}",
            area="infrastructure",
            severity="high" if full else "low",
            summary=f"of the ports {port.said} of {service.key} others publish "
            + (
                "so many that too few are left"
                if full
                else "some: what starts first has it"
            ),
            evidence=f"{port.source}; {names}",
            remedy=_REMEDY,
        )


def _within(port: Published, wide: Published) -> bool:
    return port.first is not None and wide.takes(port.first) and wide.takes(port.last)


def find_taken(stacks: Stacks, listeners: pd.DataFrame) -> Iterator[Finding]:
    """Report published ports on which something listens on this host already.

    Parameters
    ----------
    stacks
        The services.
    listeners
        PORTS of the host, as `read_listeners` gives them.

    Yields
    ------
    Finding
        ``port_conflict``; as information where it is the container engine that
        listens, for then it may be the stack itself that runs.
    """
    held: dict[tuple[str, int], list[Published]] = defaultdict(list)
    for row in list_published(listeners):
        if row.first is not None:
            held[row.protocol, row.first].append(row)
    for service in stacks.services:
        for port in service.published:
            if port.first is None or service.mode == "host":
                continue
            taken = {
                number: found
                for number in range(port.first, (port.last or 0) + 1)
                if (found := _holders(port, held.get((port.protocol, number), ())))
            }
            room = (port.last or 0) - port.first + 1
            if taken and room - len(taken) < service.replicas:
                yield _taken(service, port, taken)


def _holders(port: Published, listening: Iterable[Published]) -> list[Published]:
    # A socket on :: takes IPv4 too, unless its program says otherwise.
    return [
        one
        for one in listening
        if overlap(port.host_ip, EVERYWHERE if one.host_ip == "::" else one.host_ip)
    ]


def _taken(
    service: Service, port: Published, taken: dict[int, list[Published]]
) -> Finding:
    every = [one for found in taken.values() for one in found]
    who = sorted({one.service or "an unknown process" for one in every})
    engine = all(name.lower().startswith(ENGINES) for name in who)
    ports = _spans(sorted(taken))
    named = ", ".join(who)
    sources = ", ".join(sorted({f"{one.said} {one.source}".strip() for one in every}))
    return Finding(
        code="port_taken" if engine else "port_conflict",
        subject=f"host {service.key} {port.protocol} {port.said}",
        area="infrastructure",
        severity="info" if engine else "high",
        summary=f"{service.key} publishes {port.protocol} port {ports}, on which "
        + (
            f"{named} listens: a container, perhaps its own"
            if engine
            else f"{named} listens on this host: it cannot start"
        ),
        evidence=f"{port.source}; listening: {sources}",
        remedy="See which container it is: docker ps."
        if engine
        else "Stop that process, or publish on another port of the host.",
    )


def _spans(numbers: list[int]) -> str:
    """Write numbers with runs as one: 9100-9102, 9200."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in parts)
