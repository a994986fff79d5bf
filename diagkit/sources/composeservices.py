"""One service of a compose file, as written, to a form in which services merge.

compose merges lists by what makes two entries one: of ports it is address, ports and
protocol, of volumes the target. Here every such list is a table with that as its key,
so that to merge is always the same: tables grow together, all else is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from diagkit.errors import SourceFormatError
from diagkit.sources.portspecs import place_of, read_port
from diagkit.sources.yamltrees import Placed, Tagged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["read_service"]

MOST_PORTS = 70_000


def read_service(service: Any, name: Placed | str, folder: Path) -> dict[str, Any]:
    """Read one service.

    Parameters
    ----------
    service
        What stands below its name.
    name
        Its name, which knows its place.
    folder
        What its relative paths are relative to.

    Returns
    -------
    dict
        The attributes that decide who reaches whom; the others are left out.

    Raises
    ------
    SourceFormatError
        If an attribute has a form that compose would refuse, too.

    Examples
    --------
    >>> from pathlib import Path
    >>> found = read_service({"environment": ["A=1"]}, "api", Path())
    >>> found["environment"]
    {'A': '1'}
    """
    place = place_of(name, "")
    if not isinstance(service, dict):
        _refuse(place, str(name), "a mapping")
    done: dict[str, Any] = {}
    for key, value in service.items():
        read = ATTRIBUTES.get(str(key))
        if read is None:
            continue
        where = place_of(key, place)
        if isinstance(value, Tagged):
            inner = read({} if value.value is None else value.value, where, folder)
            done[str(key)] = Tagged(value.kind, inner)
        elif value is not None:
            done[str(key)] = read(value, where, folder)
    return done


def _refuse(place: str, what: str, needs: str) -> NoReturn:
    msg = f"{place}: {what[:60]!r} must be {needs}"
    raise SourceFormatError(msg)


def _items(value: Any, place: str, what: str) -> list[Any]:
    if isinstance(value, dict) and not value:
        return []
    if not isinstance(value, list):
        _refuse(place, what, "a list")
    return [item.value if isinstance(item, Tagged) else item for item in value]


def _ports(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for entry in _items(value, place, "ports"):
        for spec in read_port(entry, place_of(entry, place)):
            found[spec.key] = spec  # the last of two that are one
        if len(found) > MOST_PORTS:
            _refuse(place, "ports", f"at most {MOST_PORTS:,} ports of one service")
    return found


def _words(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    return {str(item): None for item in _items(value, place, "expose, profiles, links")}


def _pairs(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    """Read what is a mapping, or a list of ``NAME=value``."""
    if isinstance(value, dict):
        return dict(value)
    found: dict[str, Any] = {}
    for item in _items(value, place, "a list of NAME=value"):
        if not isinstance(item, str):
            _refuse(place, "an entry", "NAME=value")
        name, equals, said = item.partition("=")
        where = place_of(item, place)
        found[Placed(name, where)] = Placed(said, where) if equals else None
    return found


def _hosts(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    if isinstance(value, dict):
        return dict.fromkeys(map(str, value))
    names = [str(item) for item in _items(value, place, "extra_hosts")]
    return {name.replace("=", ":", 1).partition(":")[0]: None for name in names}


def _named(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    """Read what is a mapping by name, or a list of names."""
    if isinstance(value, dict):
        return dict(value)
    return {str(item): None for item in _items(value, place, "a list of names")}


def _env_files(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    entries = value if isinstance(value, list) else [value]
    found = {}
    for entry in entries:
        said = entry if isinstance(entry, dict) else {"path": entry}
        path = said.get("path")
        if not isinstance(path, str):
            _refuse(place, "env_file", "a path")
        required = str(said.get("required", "true")).lower() != "false"
        found[str(folder / path)] = (required, said.get("format") == "raw", place)
    return found


def _volumes(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    """Keep what is mounted from the host: a proxy's settings may be in it."""
    found = {}
    for entry in _items(value, place, "volumes"):
        if isinstance(entry, dict):
            source, target = entry.get("source"), entry.get("target")
        else:
            source, _, target = str(entry).partition(":")
            target = target.partition(":")[0]
        if isinstance(source, str) and isinstance(target, str):
            local = source.startswith((".", "/"))
            found[target] = str(folder / source) if local else ""
    return found


def _command(value: Any, place: str, folder: Path) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _health(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    if not isinstance(value, dict):
        _refuse(place, "healthcheck", "a mapping")
    kept = {str(k): v for k, v in value.items() if k in ("test", "disable")}
    if "test" in kept and not isinstance(kept["test"], Tagged):
        kept["test"] = _command(kept["test"], place, folder)
    return kept


def _deploy(value: Any, place: str, folder: Path) -> dict[Any, Any]:
    if not isinstance(value, dict):
        _refuse(place, "deploy", "a mapping")
    return {str(k): v for k, v in value.items() if k == "replicas"}


def _plain(value: Any, place: str, folder: Path) -> Any:
    return value


def _build(value: Any, place: str, folder: Path) -> str:
    """Return the folder of what is built: a proxy's settings may be in it."""
    context = value.get("context", ".") if isinstance(value, dict) else value
    text = str(context)
    return "elsewhere" if "://" in text else str(folder / text)


ATTRIBUTES: dict[str, Callable[[Any, str, Path], Any]] = {
    "build": _build,
    "command": _command,
    "container_name": _plain,
    "depends_on": _named,
    "deploy": _deploy,
    "entrypoint": _command,
    "env_file": _env_files,
    "environment": _pairs,
    "expose": _words,
    "extends": _plain,
    "extra_hosts": _hosts,
    "healthcheck": _health,
    "hostname": _plain,
    "image": _plain,
    "labels": _pairs,
    "links": _words,
    "network_mode": _plain,
    "networks": _named,
    "ports": _ports,
    "profiles": _words,
    "scale": _plain,
    "volumes": _volumes,
}
