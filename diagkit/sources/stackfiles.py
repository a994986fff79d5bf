"""Which files make which stack: what ``docker compose`` would take in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from diagkit.errors import SourceFormatError
from diagkit.sources.decoding import find_encoding
from diagkit.sources.files import file_errors
from diagkit.sources.paths import find_files
from diagkit.sources.yamltrees import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from diagkit.sources.paths import Paths

__all__ = ["DEFAULTS", "Stack", "find_stacks", "group_files", "looks_like_compose"]

# In the order in which compose looks for them in a folder.
DEFAULTS = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
)
OVERRIDE = re.compile(r"(?:docker-)?compose\.override\.ya?ml")
# compose.prod.yaml, docker-compose-prod.yml, compose_prod.yml
VARIANT = re.compile(r"(?:docker-)?compose[._-](?P<which>[\w.-]+?)\.ya?ml")
SERVICES = re.compile(r"^(?:\{\s*)?[\"']?services[\"']?\s*:", re.MULTILINE)
INCLUDE = re.compile(r"^include\s*:", re.MULTILINE)
# What a service has in a compose file, and none of a file of another kind.
RUNS = re.compile(r"[\s{,\"'](?:image|build|extends)[\"']?\s*:")


@dataclass(frozen=True)
class Stack:
    """The files of one stack.

    Attributes
    ----------
    name
        What it is called.
    folder
        The project's.
    files
        In the order in which they are merged.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]


def find_stacks(paths: Paths | Mapping[str, Paths]) -> tuple[Path, list[Stack]]:
    """Find the stacks that paths stand for.

    Parameters
    ----------
    paths
        As for `read_compose`.

    Returns
    -------
    tuple
        The folder that files are named relative to, and the stacks.

    Raises
    ------
    SourceNotFoundError
        If a path does not exist.
    SourceFormatError
        If no compose file is among them.
    """
    if isinstance(paths, Mapping):
        listed = {
            str(name): [file.path for file in find_files(files)]
            for name, files in paths.items()
        }
        stacks = [
            Stack(name, files[0].parent, tuple(files)) for name, files in listed.items()
        ]
        return _top([f for s in stacks for f in s.files]), stacks
    found = find_files(paths)
    one = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    named = {Path(path) for path in one}
    files = [f.path for f in found if f.path in named or _is_compose(f.path)]
    if not files:
        msg = f"{found[0].name}: no compose file; it holds services: in YAML"
        raise SourceFormatError(msg)
    asked = Path(one[0])
    top = asked if len(one) == 1 and asked.is_dir() else _top(files)
    return top, group_files(files, top)


def _top(files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.absolute().parent for path in files]))


def _is_compose(path: Path) -> bool:
    if path.suffix not in (".yaml", ".yml"):
        return False
    with file_errors(path), path.open("rb") as stream:
        head = stream.read(MOST_BYTES)
    text = head.decode(find_encoding(head), errors="replace").lstrip("\ufeff")
    return looks_like_compose(path.name, text)


def looks_like_compose(name: str, text: str) -> bool:
    r"""Tell a compose file by its text; where that is not enough, by its name.

    Parameters
    ----------
    name
        The file's name.
    text
        Its beginning, or all of it.

    Returns
    -------
    bool
        Whether it has services that run something. A file that is called as compose
        files are needs no more than the word.

    Examples
    --------
    >>> looks_like_compose("stack.yml", "services:\n  db: {image: x}")
    True
    >>> looks_like_compose("symfony.yml", "services:\n  _defaults: {autowire: true}")
    False
    """
    text = text.replace("\r", "")
    if "compose" in name:
        return bool(SERVICES.search(text) or INCLUDE.search(text))
    return bool(SERVICES.search(text) and RUNS.search(text))


def group_files(files: Iterable[Path], top: Path) -> list[Stack]:
    """Put compose files together into stacks, folder by folder.

    A folder's default file and its override are one stack. Another file of the folder
    (`compose.prod.yaml`) is a stack of its own where it can stand alone, and else one
    together with the default file, over which it is laid.

    Parameters
    ----------
    files
        Compose files.
    top
        Stacks are called by their folder, and where two are called the same by its
        path from here.

    Returns
    -------
    list of Stack
        In the order of the files.

    Examples
    --------
    >>> import tempfile
    >>> top = Path(tempfile.mkdtemp())
    >>> _ = (top / "compose.yaml").write_text("services: {a: {image: x}}")
    >>> _ = (top / "compose.prod.yaml").write_text("services: {a: {ports: ['1:1']}}")
    >>> for stack in group_files(sorted(top.iterdir()), top.parent):
    ...     print(stack.name.replace(top.name, "x"), [f.name for f in stack.files])
    x ['compose.yaml']
    x:prod ['compose.yaml', 'compose.prod.yaml']
    """
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    names = _name_folders(list(folders), top)
    stacks = []
    for folder, own in folders.items():
        stacks += _group_folder(names[folder], folder, own)
    return stacks


def _group_folder(name: str, folder: Path, own: list[Path]) -> list[Stack]:
    base = _find_base(folder, own)
    if not base:
        return [
            Stack(name if len(own) == 1 else _variant(name, p), folder, (p,))
            for p in sorted(own)
        ]
    rest = [p for p in own if p not in base and not OVERRIDE.fullmatch(p.name)]
    rest = [p for p in rest if p.name not in DEFAULTS]
    stacks = [Stack(name, folder, base)]
    for path in sorted(rest):
        files = (path,) if _stands_alone(path) else (base[0], path)
        stacks.append(Stack(_variant(name, path), folder, files))
    return stacks


def _find_base(folder: Path, own: list[Path]) -> tuple[Path, ...]:
    """Return what compose takes in a folder; nothing where no default file is asked."""
    by_name = {path.name: path for path in own}
    first = next((by_name[name] for name in DEFAULTS if name in by_name), None)
    if first is None:
        return ()
    with file_errors(folder):
        beside = sorted(p for p in folder.iterdir() if OVERRIDE.fullmatch(p.name))
    # compose takes the override that is called as the file is.
    stem = first.name.partition(".")[0]
    alike = [p for p in beside if p.name.startswith(stem + ".")]
    return (first, *(alike or beside)[:1])


def _variant(name: str, path: Path) -> str:
    found = VARIANT.fullmatch(path.name)
    return f"{name}:{found['which'] if found else path.stem}"


def _stands_alone(path: Path) -> bool:
    """Tell whether each service of a file says what it runs."""
    with file_errors(path), path.open("rb") as stream:
        data = stream.read(MOST_BYTES)
    try:
        text = data.decode(find_encoding(data), errors="replace")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return True  # what is wrong with it is told when it is read
    services: dict[str, Any] = _keys(_keys(node).get("services"))
    runs = ("image", "build", "extends", "<<")
    return all(
        any(key in runs for key in _keys(service)) for service in services.values()
    )


def _keys(node: Any) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): value for key, value in node.value}


def _name_folders(folders: list[Path], top: Path) -> dict[Path, str]:
    bare = [folder.resolve().name for folder in folders]
    names = {}
    for folder, name in zip(folders, bare, strict=True):
        if bare.count(name) > 1:
            resolved = folder.resolve()
            base = top.resolve()
            if resolved.is_relative_to(base) and resolved != base:
                name = resolved.relative_to(base).as_posix()
        names[folder] = name or "stack"
    return names
