"""YAML of strangers to plain trees of text: places kept, bombs and objects refused.

Every scalar stays the text that it is written as. What PyYAML makes of a plain one by
YAML 1.1 is not what compose makes of it: ``22:22`` would be the number 1342.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from diagkit.errors import SourceFormatError

__all__ = ["OVERRIDE", "RESET", "Placed", "Tagged", "read_trees"]

MOST_BYTES = 512 * 1024
# Aliases count each time they are used: nine of nine of nine ... ends here.
MOST_NODES = 50_000
MOST_DEPTH = 64
# compose's own tags: take a value away, and put one in place of all that was merged.
RESET, OVERRIDE = "!reset", "!override"
STANDARD = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in (
        *("null", "bool", "int", "float", "str", "timestamp", "merge", "value"),
        *("map", "seq"),
    )
)
NULLS = ("", "~", "null", "Null", "NULL")
# What a parser shows of a file: it may be a secret. One character, or the name of a
# kind of token, is none.
SHOWN = re.compile(r"""(?P<mark>['"])(?!<).{2,}(?P=mark)""")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Placed(str):
    """A text of a file that knows where it stands.

    Attributes
    ----------
    place
        ``file:line``.
    """

    __slots__ = ("place",)
    place: str

    def __new__(cls, text: str, place: str) -> Placed:
        """Join a text with its place."""
        made = super().__new__(cls, text)
        made.place = place
        return made


@dataclass(frozen=True)
class Tagged:
    """A value with one of compose's tags.

    Attributes
    ----------
    kind
        `RESET` or `OVERRIDE`.
    value
        The tree below it.
    """

    kind: str
    value: Any


def read_trees(text: str, name: str) -> list[Any]:
    r"""Read the documents of a YAML text.

    Parameters
    ----------
    text
        The YAML.
    name
        What its file is called in places and errors.

    Returns
    -------
    list
        A tree a document: dict, list, `Placed`, None and `Tagged`. Merge keys and
        aliases are resolved.

    Raises
    ------
    SourceFormatError
        If it is no YAML, names a key twice, has a tag that could make an object, is
        nested too deep, or grows past its limits.

    Examples
    --------
    >>> (tree,) = read_trees("a: &x {b: 22:22}\nc: *x", "compose.yaml")
    >>> tree["c"]["b"], tree["c"]["b"].place
    ('22:22', 'compose.yaml:1')
    """
    if len(text) > MOST_BYTES:
        msg = f"{name}: is longer than {MOST_BYTES // 1024} KiB, which no one wrote"
        raise SourceFormatError(msg)
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        said = CONTROL.sub("?", error.problem or "it cannot be read")
        said = SHOWN.sub("...", said)
        msg = f"{where}: is no YAML ({said[:120]})"
        raise SourceFormatError(msg) from None
    except yaml.YAMLError:
        msg = f"{name}: is no YAML (it holds characters that no YAML may hold)"
        raise SourceFormatError(msg) from None
    except RecursionError:
        raise SourceFormatError(_too_deep(name)) from None
    builder = _Builder(name)
    return [builder.build(node, 0) for node in nodes]


def _too_deep(where: str) -> str:
    return f"{where}: is nested deeper than {MOST_DEPTH} levels, which no one wrote"


@dataclass
class _Builder:
    name: str
    nodes: int = 0
    open: set[int] = field(default_factory=set)

    def build(self, node: yaml.Node, depth: int) -> Any:
        self._count(node, depth)
        place = self._place(node)
        if node.tag in (RESET, OVERRIDE):
            return Tagged(node.tag, self._plain(node, place, depth))
        if node.tag not in STANDARD:
            # The tag is not shown: a password that begins with ! is one to YAML.
            msg = (
                f"{place}: the tag that stands here is not allowed; compose knows "
                f"{RESET} and {OVERRIDE} (quote a value that begins with '!')"
            )
            raise SourceFormatError(msg)
        return self._plain(node, place, depth)

    def _count(self, node: yaml.Node, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            msg = (
                f"{self.name}: grows past {MOST_NODES:,} values when its aliases are "
                "followed, which no one wrote"
            )
            raise SourceFormatError(msg)
        if depth > MOST_DEPTH or id(node) in self.open:
            raise SourceFormatError(_too_deep(self._place(node)))

    def _place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"

    def _plain(self, node: yaml.Node, place: str, depth: int) -> Any:
        if isinstance(node, yaml.ScalarNode):
            text = str(node.value)
            return None if not node.style and text in NULLS else Placed(text, place)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, depth + 1) for item in node.value]
            return self._mapping(node, depth)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.Node, depth: int) -> dict[Placed, Any]:
        own: dict[Placed, Any] = {}
        merged: dict[Placed, Any] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                msg = f"{place}: a key is a text here"
                raise SourceFormatError(msg)
            value = self.build(value_node, depth + 1)
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._merge(merged, value, place)
                continue
            key = Placed(str(key_node.value), place)
            if key in own:
                first = next(k for k in own if k == key).place
                msg = f"{place}: the key {str(key)[:60]!r} is there already, at {first}"
                raise SourceFormatError(msg)
            own[key] = value
        return {**{k: v for k, v in merged.items() if k not in own}, **own}

    def _merge(self, merged: dict[Placed, Any], value: Any, place: str) -> None:
        """Add what ``<<`` brings: of several mappings the first goes before."""
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                msg = f"{place}: '<<' takes a mapping or a list of mappings"
                raise SourceFormatError(msg)
            for key, item in part.items():
                merged.setdefault(key, item)
