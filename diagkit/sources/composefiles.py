"""Compose files to one model: variables, ``extends``, ``include``, overrides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceFormatError, SourceNotFoundError
from diagkit.sources.composeservices import read_service
from diagkit.sources.variables import substitute
from diagkit.sources.yamltrees import RESET, Placed, Tagged, read_trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from diagkit.sources.stackreading import Reading

__all__ = ["Model", "load_model", "merge"]

# The parts of a file that are looked at; what is elsewhere is not interpolated.
PARTS = ("name", "include", "services", "networks")
# How many services may extend one another in a row.
MOST_DEPTH = 100
MOST_PORTS = 100_000


@dataclass
class Model:
    """What the files of a stack come to.

    Attributes
    ----------
    name
        The project's name, where a file gives one.
    services
        By name, what `read_service` makes of each, merged.
    networks
        By name, their settings.
    """

    name: str = ""
    services: dict[str, Any] = field(default_factory=dict)
    networks: dict[str, Any] = field(default_factory=dict)


def load_model(
    reading: Reading,
    paths: Sequence[Path],
    folder: Path,
    variables: Mapping[str, str],
) -> Model:
    """Read files and merge them, the later over the earlier.

    Parameters
    ----------
    reading
        What reads the files, and takes notes.
    paths
        The files.
    folder
        The project's: what relative paths are relative to.
    variables
        What variables stand for.

    Returns
    -------
    Model
        All of them.

    Raises
    ------
    SourceError
        If compose would refuse a file, too, or it cannot be read.
    """
    return _Loader(reading).load(paths, folder, variables)


@dataclass
class _Loader:
    reading: Reading
    parsed: dict[Path, list[Any]] = field(default_factory=dict)

    def load(
        self,
        paths: Sequence[Path],
        folder: Path,
        variables: Mapping[str, str],
        trail: tuple[Path, ...] = (),
    ) -> Model:
        model = Model()
        for path in paths:
            if path in trail:
                msg = f"{self.reading.name(path)}: includes itself"
                raise SourceFormatError(msg)
            for tree in self._trees(path, variables):
                part = self._read_document(tree, path, folder, variables, trail)
                model.name = part.name or model.name
                model.services = merge(model.services, part.services)
                model.networks = merge(model.networks, part.networks)
        return model

    def _trees(self, path: Path, variables: Mapping[str, str]) -> list[dict[Any, Any]]:
        name = self.reading.name(path)
        done = []
        if path not in self.parsed:
            self.parsed[path] = read_trees(self.reading.read(path), name)
        for tree in self.parsed[path]:
            if not isinstance(tree, dict):
                msg = f"{name}: is no compose file: it holds no services"
                raise SourceFormatError(msg)
            kept = {key: value for key, value in tree.items() if key in PARTS}
            done.append(self._fill(kept, variables))
        return done

    def _fill(self, tree: Any, variables: Mapping[str, str]) -> Any:
        """Interpolate every value; keys stay as they are."""
        if isinstance(tree, dict):
            return {key: self._fill(value, variables) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self._fill(item, variables) for item in tree]
        if isinstance(tree, Tagged):
            return Tagged(tree.kind, self._fill(tree.value, variables))
        if not isinstance(tree, Placed) or "$" not in tree:
            return tree
        place = tree.place
        try:
            text = substitute(
                tree, variables, lambda kind, said: self.reading.note(kind, said, place)
            )
        except ValueError as error:
            msg = f"{place}: {error}"
            raise SourceFormatError(msg) from None
        return Placed(text, place)

    def _read_document(
        self,
        tree: dict[Any, Any],
        path: Path,
        folder: Path,
        variables: Mapping[str, str],
        trail: tuple[Path, ...],
    ) -> Model:
        services = _read_services(tree, folder, self.reading.name(path))
        extended = {
            name: self._extend(name, services, path, variables, ()) for name in services
        }
        networks = _table(tree.get("networks"), "networks", self.reading.name(path))
        model = Model(str(tree.get("name") or ""), extended, networks)
        for entry in _list(tree.get("include")):
            self._include(entry, model, path, folder, variables, (*trail, path))
        return model

    def _include(
        self,
        entry: Any,
        model: Model,
        path: Path,
        folder: Path,
        variables: Mapping[str, str],
        trail: tuple[Path, ...],
    ) -> None:
        name = self.reading.name(path)
        said = entry if isinstance(entry, dict) else {"path": entry}
        texts = [text for text in _list(said.get("path")) if isinstance(text, str)]
        if not texts:
            msg = f"{name}: an include names a path"
            raise SourceFormatError(msg)
        if any("://" in text for text in texts):
            self.reading.note(
                "not_read", f"includes {len(texts)} file(s) of elsewhere", name
            )
            return
        files = [folder / text for text in texts]
        within = folder / (said.get("project_directory") or files[0].parent)
        envs = [folder / text for text in _list(said.get("env_file"))]
        known = dict(variables)
        for env in envs or [within / ".env"]:
            known = {**self.reading.env(env, known), **variables}
        part = self.load(files, within, known, trail)
        for key, service in part.services.items():
            if key in model.services and model.services[key] != service:
                text = f"the service {key} is defined here and included, too"
                self.reading.note("conflict", text, name)
            model.services.setdefault(key, service)
        model.networks = merge(part.networks, model.networks)

    def _extend(
        self,
        name: str,
        services: dict[str, Any],
        path: Path,
        variables: Mapping[str, str],
        trail: tuple[tuple[Path, str], ...],
    ) -> Any:
        """Return a service over what it extends."""
        service = services[name]
        if not isinstance(service, dict) or "extends" not in service:
            return service
        place = getattr(name, "place", self.reading.name(path))
        if (path, name) in trail or len(trail) > MOST_DEPTH:
            msg = f"{place}: the service {str(name)[:60]!r} extends itself, or too many"
            raise SourceFormatError(msg)
        said, whole = service["extends"], dict(service)
        del whole["extends"]
        file, base = (
            (said.get("file"), said.get("service"))
            if isinstance(said, dict)
            else (None, said)
        )
        others, where = services, path
        if file is not None:
            where = path.parent / str(file)
            trees = self._trees(where, variables)
            others = {}
            for tree in trees:
                own = _read_services(tree, where.parent, self.reading.name(where))
                others = merge(others, own)
        if base not in others:
            msg = f"{place}: extends {str(base)[:60]!r}, which is not there"
            raise SourceNotFoundError(msg)
        found = self._extend(base, others, where, variables, (*trail, (path, name)))
        return merge(found, whole) if isinstance(found, dict) else whole


def merge(base: dict[Any, Any], over: dict[Any, Any]) -> dict[Any, Any]:
    """Put one table over another, by compose's rules.

    Parameters
    ----------
    base, over
        Tables whose lists were made tables by what makes their entries one.

    Returns
    -------
    dict
        Tables are merged, all else is replaced; compose's tags are carried out.

    Examples
    --------
    >>> merge({"a": {"x": 1}}, {"a": {"y": 2}, "b": Tagged(RESET, None)})
    {'a': {'x': 1, 'y': 2}}
    """
    out = dict(base)
    for key, value in over.items():
        if isinstance(value, Tagged):
            out.pop(key, None)
            if value.kind != RESET:
                out[key] = _settle(value.value)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = _settle(value)
    return out


def _settle(value: Any) -> Any:
    """Carry out the tags of a table that has nothing below it."""
    return merge({}, value) if isinstance(value, dict) else value


def _read_services(tree: dict[Any, Any], folder: Path, name: str) -> dict[str, Any]:
    services = _table(tree.get("services"), "services", name)
    done: dict[str, Any] = {}
    ports = 0
    for key, value in services.items():
        if isinstance(value, Tagged):
            inner = value.value
            inner = read_service(inner, key, folder) if isinstance(inner, dict) else {}
            done[key] = Tagged(value.kind, inner)
        else:
            done[key] = read_service(value, key, folder)
            own = done[key].get("ports", ())
            ports += len(own.value if isinstance(own, Tagged) else own)
        if ports > MOST_PORTS:
            msg = (
                f"{name}: publishes more than {MOST_PORTS:,} ports, which no one wrote"
            )
            raise SourceFormatError(msg)
    return done


def _table(value: Any, what: str, name: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = f"{name}: {what} is a mapping of names"
        raise SourceFormatError(msg)
    return value


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
