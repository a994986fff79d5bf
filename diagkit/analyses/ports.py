"""Ports and exposure of compose stacks: conflicts, what is not published, who lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.exposure import find_unpublished
from diagkit.analyses.port_conflicts import find_conflicts, find_taken
from diagkit.analyses.reachability import find_misdirected, find_unreachable
from diagkit.analyses.stacks import Stacks
from diagkit.frames.findings import SEVERITIES, Finding, build_findings
from diagkit.frames.ports import NOTES, PORTS, Ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from diagkit.analyses.stacks import Service

__all__ = ["audit_ports", "document_ports"]

# Kind of a note -> severity, and what to do.
_NOTES = {
    "conflict": ("medium", "Rename one of them: compose refuses both."),
    "missing_file": ("medium", "Put the file there; compose does not start without."),
    "not_read": ("info", "Read it by itself, if it matters."),
    "required_variable": (
        "medium",
        "Set it in .env: compose does not start without it.",
    ),
    "unreadable": ("medium", "Mend the file; compose refuses it, too."),
    "unset_variable": (
        "low",
        "Set it in .env, or give it a default: ${NAME:-default}.",
    ),
}
_ABSENT, _CLOSED = "–", "not published"


def audit_ports(
    ports: Ports | pd.DataFrame,
    listeners: pd.DataFrame | None = None,
    targets: Iterable[str] = (),
) -> pd.DataFrame:
    """Report what keeps a stack from starting, and its services from being reached.

    Parameters
    ----------
    ports
        What `read_compose` gives; of a bare PORTS frame conflicts alone are found.
    listeners
        PORTS of this host, as `read_listeners` gives them.
    targets
        What clients use: ``http://localhost:8000``, ``localhost:8000``.

    Returns
    -------
    pandas.DataFrame
        FINDINGS. Two want one port: ``port_conflict``, ``port_contention``,
        ``shared_port`` (two forms of one project), ``port_taken`` (by a container).
        Nobody gets in: ``not_published``, ``loopback_only``, ``wrong_port``. A name
        leads nowhere: ``localhost_target``, ``unreachable_target``,
        ``unresolved_target``. Besides: ``no_healthcheck``, ``healthcheck_missing``,
        and what compose itself would say of variables and files.

    Raises
    ------
    ContractError
        If `ports` or `listeners` is none.

    Examples
    --------
    >>> from diagkit.frames.ports import PORTS
    >>> rows = PORTS.build({"stack": "shop", "service": ["api", "mock"],
    ...     "host_ip": "*", "host_port": 8000, "container_port": 8000,
    ...     "protocol": "tcp", "origin": "compose", "source": ["c.yaml:4", "c.yaml:9"]})
    >>> audit_ports(rows).loc[0, "summary"]
    'shop/api and shop/mock both publish tcp port 8000 of the host: one cannot start'
    """
    given = Ports.of(ports)
    stacks = Stacks(given)
    found = [
        *find_conflicts(stacks),
        *find_unpublished(stacks, given.references, targets),
        *find_unreachable(stacks, given.references),
        *find_misdirected(stacks),
        *_check_notes(given.notes),
    ]
    if not isinstance(ports, pd.DataFrame):
        found += _check_health(stacks)
    if listeners is not None:
        found += find_taken(stacks, PORTS.check(listeners))
    return build_findings(_once(found))


def _once(found: Iterable[Finding]) -> list[Finding]:
    """Keep of findings about one thing the most severe."""
    best: dict[str, Finding] = {}
    for one in found:
        rank = SEVERITIES.index(one.severity)
        if one.id not in best or rank > SEVERITIES.index(best[one.id].severity):
            best[one.id] = one
    return list(best.values())


def _check_notes(notes: pd.DataFrame) -> Iterator[Finding]:
    columns = [notes[name].astype("str") for name in NOTES.names]
    for stack, kind, text, source in zip(*columns, strict=True):
        severity, remedy = _NOTES[kind]
        yield Finding(
            code={
                "unreadable": "compose_unreadable",
                "conflict": "compose_conflict",
            }.get(kind, kind),
            subject=f"{stack} {text} {source}",
            area="infrastructure",
            severity=severity,
            summary=f"stack {stack}: {text}" if stack else text,
            evidence=source,
            remedy=remedy,
        )


def _check_health(stacks: Stacks) -> Iterator[Finding]:
    for stack, own in stacks.by_stack.items():
        without = [service for service in own if service.health != "declared"]
        if without:
            names = ", ".join(service.name for service in without)
            verb = "has" if len(without) == 1 else "have"
            yield Finding(
                code="no_healthcheck",
                subject=f"stack {stack}",
                area="service",
                severity="low",
                summary=f"{len(without)} of {len(own)} services of stack {stack} "
                f"{verb} no health check in it: {names}",
                evidence=", ".join(service.source for service in without),
                remedy="Add a healthcheck:, unless the image brings one.",
            )
        for service in own:
            yield from _check_waits(stacks, service)


def _check_waits(stacks: Stacks, service: Service) -> Iterator[Finding]:
    for name in service.waits:
        other = stacks.get(service.stack, name)
        if other is not None and other.health != "declared":
            yield Finding(
                code="healthcheck_missing",
                subject=f"{service.key} waits for {name}",
                area="service",
                severity="medium",
                summary=f"{service.key} waits until {name} is healthy, and {name} has "
                "no health check in the stack: it may never start",
                evidence=f"{service.source}; {other.source}",
                remedy=f"Add a healthcheck: to {name}, unless its image brings one.",
            )


def document_ports(ports: Ports | pd.DataFrame) -> pd.DataFrame:
    """Write the port map of all stacks.

    Parameters
    ----------
    ports
        What `read_compose` gives, or PORTS.

    Returns
    -------
    pandas.DataFrame
        A row a service and container port: ``service``, ``container`` (``8000/tcp``),
        then a column a stack: where on the host it is to be had (``8000``,
        ``127.0.0.1:8000``), ``not published``, or ``–`` where the stack has no such
        service.

    Examples
    --------
    >>> from diagkit.frames.ports import PORTS
    >>> rows = PORTS.build({"stack": ["dev", "prod"], "service": ["api", "web"],
    ...     "host_ip": ["127.0.0.1", "*"], "host_port": [8000, 80],
    ...     "container_port": [8000, 80], "protocol": "tcp", "origin": "compose",
    ...     "source": ""})
    >>> print(document_ports(rows).to_string(index=False))
    service container            dev prod
        api  8000/tcp 127.0.0.1:8000    –
        web    80/tcp              –   80
    """
    given = Ports.of(ports)
    stacks = Stacks(given)
    cells: dict[tuple[str, str], dict[str, str]] = {}
    closed: set[tuple[str, str]] = set()
    for service in sorted(stacks.services, key=lambda s: not (s.published or s.ports)):
        lines = dict(_lines(service))
        if not lines:
            closed.add((service.stack, service.name))
            if not any(name == service.name for name, _ in cells):
                said = "every port" if service.mode == "host" else _CLOSED
                lines = {_ABSENT: said}
        for container, said in lines.items():
            cells.setdefault((service.name, container), {})[service.stack] = said
    names = [stack for stack in given.stacks if stack in stacks.by_stack]
    rows = sorted(cells, key=lambda key: (key[0], _number(key[1])))
    table: dict[str, list[str]] = {
        "service": [name for name, _ in rows],
        "container": [container for _, container in rows],
    }
    for stack in names:
        table[stack] = [
            cells[row].get(stack, _CLOSED if (stack, row[0]) in closed else _ABSENT)
            for row in rows
        ]
    return pd.DataFrame(table).astype("str")


def _lines(service: Service) -> Iterator[tuple[str, str]]:
    """Yield each container port of a service and where on the host it is."""
    if service.mode == "host":
        yield from ((f"{port}/tcp", f"{port}") for port in sorted(service.ports))
        return
    said: dict[str, list[str]] = {}
    for port in service.published:
        said.setdefault(f"{port.container}/{port.protocol}", []).append(port.said)
    yield from ((container, ", ".join(hosts)) for container, hosts in said.items())
    known = {container.partition("/")[0] for container in said}
    rest = [port for port in sorted(service.ports) if str(port) not in known]
    yield from ((f"{port}/tcp", _CLOSED) for port in rest)


def _number(container: str) -> tuple[int, str]:
    digits = container.partition("/")[0]
    return (int(digits) if digits.isdigit() else -1), container
