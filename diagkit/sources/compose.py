"""Compose stacks to `Ports`: what is published, and who names whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceError
from diagkit.frames.ports import NOTES, PORTS, REFERENCES, SERVICES, Ports
from diagkit.sources.composefiles import load_model
from diagkit.sources.proxyfiles import find_proxies, read_proxies
from diagkit.sources.references import find_listening, find_references
from diagkit.sources.stackfiles import Stack, find_stacks
from diagkit.sources.stackreading import Reading
from diagkit.sources.yamltrees import Placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from diagkit.frames.contract import Contract
    from diagkit.sources.composefiles import Model
    from diagkit.sources.paths import Paths
    from diagkit.sources.references import Reference

__all__ = ["read_compose", "read_stacks"]


def read_compose(
    paths: Paths | Mapping[str, Paths], environ: Mapping[str, str] | None = None
) -> Ports:
    r"""Read compose stacks as ``docker compose`` would.

    Parameters
    ----------
    paths
        A folder, file, glob, or a list of these: each folder with a compose file is a
        stack, with its override file; `compose.prod.yaml` beside it is another. Or a
        mapping from names to the files of one stack each, in their order, as after
        ``docker compose -f``.
    environ
        What variables stand for, before the `.env` file of a stack. The environment of
        this process is not looked at: a stack is not started from this notebook. Pass
        ``os.environ`` where it is.

    Returns
    -------
    Ports
        Services that publish nothing are in its ``services``. ``notes`` tells of
        variables without a value, and of files that were not read.

    Raises
    ------
    SourceNotFoundError
        If a file is not there.
    SourceFormatError
        Naming the file and the line that compose would refuse, too.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "shop"
    >>> folder.mkdir()
    >>> _ = (folder / "compose.yaml").write_text(
    ...     'services:\n  api:\n    image: app\n    ports: ["${PORT:-8000}:80"]\n'
    ...     '  db: {image: "postgres:18"}\n')
    >>> ports = read_compose(folder)
    >>> columns = ["stack", "service", "host_port", "container_port", "source"]
    >>> ports.published[columns].values.tolist()
    [['shop', 'api', 8000, 80, 'compose.yaml:4']]
    >>> ports.services["service"].tolist()
    ['api', 'db']
    """
    top, stacks = find_stacks(paths)
    return read_stacks(stacks, top, dict(environ or {}))


def read_stacks(
    stacks: Iterable[Stack],
    top: Path,
    environ: Mapping[str, str],
    *,
    lenient: bool = False,
    proxies: Iterable[Path] = (),
) -> Ports:
    """Read stacks whose files are known.

    Parameters
    ----------
    stacks
        The stacks.
    top
        Files are named relative to it.
    environ
        As for `read_compose`.
    lenient
        Read nothing outside of `top`, and note what cannot be read in place of an
        error: for a folder that came from somewhere.
    proxies
        nginx configurations that belong to no folder of a stack.

    Returns
    -------
    Ports
        All stacks.
    """
    parts: list[tuple[Stack, Ports]] = []
    seen: set[Path] = set()
    pulled: set[Path] = set()
    for stack in stacks:
        reading = Reading(top, inside=lenient)
        builder = _Builder(stack, reading)
        try:
            builder.read(environ)
        except SourceError as error:
            if not lenient:
                raise
            builder = _Builder(stack, reading)
            reading.note("unreadable", str(error), reading.name(stack.files[0]))
        files = {path.resolve() for path in reading.files}
        seen |= files
        pulled |= files - {path.resolve() for path in stack.files}
        parts.append((stack, builder.build()))
    # What another stack includes or extends is no stack of its own.
    whole = [part for stack, part in parts if stack.files[-1].resolve() not in pulled]
    rest = [path for path in proxies if path.resolve() not in seen]
    if rest:
        builder = _Builder(Stack("", top, ()), Reading(top, inside=lenient))
        for path in rest:
            builder.refer("", read_proxies([path], builder.reading, {}).references)
        whole.append(builder.build())
    return Ports.join(whole)


@dataclass
class _Builder:
    """The rows of one stack."""

    stack: Stack
    reading: Reading
    ports: list[tuple[Any, ...]] = field(default_factory=list)
    services: list[tuple[Any, ...]] = field(default_factory=list)
    references: list[tuple[Any, ...]] = field(default_factory=list)

    def read(self, environ: Mapping[str, str]) -> None:
        folder = self.stack.folder
        known = {**self.reading.env(folder / ".env", environ), **environ}
        if "COMPOSE_FILE" in known:
            text = "COMPOSE_FILE is set, and not followed: pass {name: [files]}"
            self.reading.note("not_read", text, self.reading.name(folder / ".env"))
        model = load_model(self.reading, self.stack.files, folder, known)
        project = _project(model, known, self.stack)
        proxies = find_proxies(folder, model.services, self.reading)
        for name, service in model.services.items():
            if isinstance(service, dict):
                self._add(str(name), service, model, project, known, proxies, name)
        self.refer("", read_proxies(proxies.get("", []), self.reading, {}).references)

    def refer(self, service: str, found: Iterable[Reference]) -> None:
        for one in found:
            self.references.append(
                (
                    self.stack.name,
                    service,
                    *(one.kind, one.name, one.scheme, one.host, one.port, one.place),
                )
            )

    def build(self) -> Ports:
        notes = [
            (self.stack.name, note.kind, note.text, note.source)
            for note in self.reading.notes
        ]
        return Ports(
            published=_frame(PORTS, self.ports),
            services=_frame(SERVICES, self.services),
            references=_frame(REFERENCES, self.references),
            notes=_frame(NOTES, notes),
        )

    def _add(
        self,
        name: str,
        service: dict[str, Any],
        model: Model,
        project: str,
        known: Mapping[str, str],
        proxies: Mapping[str, list[Path]],
        key: str,
    ) -> None:
        environment = self.reading.environment(service, known)
        plain = {k: v for k, v in environment.items() if v is not None}
        proxy = read_proxies(proxies.get(name, []), self.reading, plain)
        for spec in service.get("ports", {}).values():
            last = spec.last if spec.last != spec.first else None
            self.ports.append(
                (
                    *(self.stack.name, name, spec.host_ip, spec.first, spec.target),
                    *(spec.protocol, "compose", spec.place, last),
                )
            )
        said = f"{service.get('entrypoint') or ''} {service.get('command') or ''}"
        listening = find_listening(said, environment)
        listens = [listening] if listening else [f"*:{p}" for p in proxy.listens]
        networks, outside = _networks(service, model, project)
        self.services.append(
            (
                *(self.stack.name, name, project, str(service.get("image") or "")),
                " ".join(service.get("profiles", {})),
                *(" ".join(networks), " ".join(outside)),
                str(service.get("network_mode") or ""),
                *(" ".join(_names(service)), " ".join(_hosts(service))),
                *(" ".join(service.get("expose", {})), " ".join(listens)),
                *(_replicas(service), _health(service)),
                *(" ".join(_waits(service)), _proxied(service, environment)),
                key.place if isinstance(key, Placed) else "",
            )
        )
        self.refer(name, find_references(environment))
        self.refer(name, proxy.references)


def _frame(contract: Contract, rows: list[tuple[Any, ...]]) -> Any:
    columns = zip(*rows, strict=True) if rows else [[] for _ in contract.names]
    return contract.build(dict(zip(contract.names, columns, strict=True)))


def _project(model: Model, known: Mapping[str, str], stack: Stack) -> str:
    """Return the project's name, by compose's rules: it begins its networks' names."""
    name = model.name or known.get("COMPOSE_PROJECT_NAME", "")
    name = name or stack.folder.resolve().name
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def _networks(
    service: dict[str, Any], model: Model, project: str
) -> tuple[list[str], list[str]]:
    """Return what Docker calls a service's networks, and those that others make."""
    if service.get("network_mode"):
        return [], []
    names, outside = [], []
    for key in service.get("networks") or {"default": None}:
        settings = model.networks.get(key)
        settings = settings if isinstance(settings, dict) else {}
        external = settings.get("external")
        given = settings.get("name")
        if isinstance(external, dict):
            given = external.get("name") or given
        from_others = external is not None and str(external).lower() != "false"
        name = str(given or (key if from_others else f"{project}_{key}"))
        names.append(name)
        outside += [name] if from_others else []
    return names, outside


def _names(service: dict[str, Any]) -> list[str]:
    names = [service.get("container_name"), service.get("hostname")]
    for settings in (service.get("networks") or {}).values():
        if isinstance(settings, dict) and isinstance(settings.get("aliases"), list):
            names += settings["aliases"]
    return list(dict.fromkeys(str(name).lower() for name in names if name))


def _hosts(service: dict[str, Any]) -> list[str]:
    links = [str(link).partition(":")[2] for link in service.get("links", {})]
    hosts = [*service.get("extra_hosts", {}), *filter(None, links)]
    return [str(host).lower() for host in hosts]


def _replicas(service: dict[str, Any]) -> int:
    said = service.get("scale") or service.get("deploy", {}).get("replicas")
    text = str(said)
    return int(text) if text.isdigit() and len(text) < 6 else 1


def _health(service: dict[str, Any]) -> str:
    said = service.get("healthcheck", {})
    if str(said.get("disable", "")).lower() == "true" or said.get("test") == "NONE":
        return "disabled"
    return "declared" if said.get("test") else "none"


def _waits(service: dict[str, Any]) -> list[str]:
    return [
        str(name)
        for name, said in service.get("depends_on", {}).items()
        if isinstance(said, dict) and said.get("condition") == "service_healthy"
    ]


def _proxied(service: dict[str, Any], environment: Mapping[str, str | None]) -> str:
    """Return what tells a proxy of a service where no file does."""
    labels = [str(name) for name in service.get("labels", {})]
    for start in ("traefik.", "caddy"):
        if any(label.startswith(start) for label in labels):
            return f"labels {start.rstrip('.')}"
    return "VIRTUAL_HOST" if environment.get("VIRTUAL_HOST") else ""
