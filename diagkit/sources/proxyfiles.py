"""Which nginx configurations belong to which service of a stack."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceError
from diagkit.sources.proxies import ProxyFile, is_proxy, read_proxy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from diagkit.sources.stackreading import Reading

__all__ = ["PROXY_IMAGE", "SETTINGS", "find_proxies", "read_proxies"]

SETTINGS = (".conf", ".template", ".nginx")
# Folders beside a compose file in which a proxy's settings are looked for.
FOLDERS = re.compile(r"nginx|proxy|gateway|conf(?:ig)?(?:\.d)?|deploy|templates|web")
INSIDE = "/etc/nginx"
PROXY_IMAGE = re.compile(
    r"(?:^|/)(?:nginx|openresty|nginx-unprivileged|angie)(?:[:@]|$)"
)
MOST_FILES, MOST_DEPTH = 50, 3


def find_proxies(
    folder: Path, services: Mapping[str, Any], reading: Reading
) -> dict[str, list[Path]]:
    """Find the nginx configurations of a stack, by the service that has them.

    Parameters
    ----------
    folder
        The stack's.
    services
        As `load_model` gives them.
    reading
        What reads the files.

    Returns
    -------
    dict
        Files by service: what is mounted into it, lies in the folder that it is built
        from, or lies beside while one service alone runs nginx. Under the empty name
        those of none of these.
    """
    found: dict[str, list[Path]] = {}
    for name, service in services.items():
        for target, source in _table(service, "volumes").items():
            if source and str(target).startswith(INSIDE):
                found.setdefault(str(name), []).extend(_mounted(Path(source)))
    taken = {path.resolve() for paths in found.values() for path in paths}
    for path in list(_walk(folder, 0))[:MOST_FILES]:
        if path.resolve() not in taken and _is_ours(path, reading):
            owner = _owner(path, folder, services)
            found.setdefault(owner, []).append(path)
    return found


def read_proxies(
    paths: Iterable[Path], reading: Reading, environment: Mapping[str, str]
) -> ProxyFile:
    """Read the configurations of one proxy.

    Parameters
    ----------
    paths
        The files.
    reading
        What reads them, and is told of what cannot be read.
    environment
        The container's variables.

    Returns
    -------
    ProxyFile
        What all of them say.
    """
    whole = ProxyFile()
    for path in paths:
        name = reading.name(path)
        try:
            part = read_proxy(reading.read(path), name, environment)
        except SourceError as error:
            reading.note("not_read", str(error), name)
            continue
        whole.references += [r for r in part.references if r not in whole.references]
        whole.listens += [port for port in part.listens if port not in whole.listens]
    return whole


def _table(service: Any, key: str) -> dict[Any, Any]:
    value = service.get(key) if isinstance(service, dict) else None
    return value if isinstance(value, dict) else {}


def _mounted(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        return []
    files = sorted(p for p in source.iterdir() if p.suffix in SETTINGS)
    return [path for path in files if path.is_file()][:MOST_FILES]


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield what may be a proxy's settings: beside the files, and in likely folders."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if path.suffix in SETTINGS and path.is_file():
            yield path
    for path in entries:
        likely = FOLDERS.fullmatch(path.name.lower())
        if depth < MOST_DEPTH and likely and path.is_dir() and not path.is_symlink():
            yield from _walk(path, depth + 1)


def _is_ours(path: Path, reading: Reading) -> bool:
    try:
        return is_proxy(reading.read(path))
    except SourceError:
        return False


def _owner(path: Path, folder: Path, services: Mapping[str, Any]) -> str:
    built = [
        str(name)
        for name, service in services.items()
        if isinstance(service, dict)
        and service.get("build")
        and Path(service["build"]).resolve() != folder.resolve()
        and path.resolve().is_relative_to(Path(service["build"]).resolve())
    ]
    running = [
        str(name)
        for name, service in services.items()
        if isinstance(service, dict)
        and PROXY_IMAGE.search(str(service.get("image") or ""))
    ]
    for names in (built, running):
        if len(names) == 1:
            return names[0]
    return ""
