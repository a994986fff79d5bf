"""What a file is, told by its content: names are only asked where content is silent."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.errors import SourceError
from diagkit.sources.accessobjects import (
    has_request_objects,
    is_har,
    is_request_table,
)
from diagkit.sources.decoding import find_encoding
from diagkit.sources.envelopes import HEAD_LINES, find_envelope
from diagkit.sources.files import find_binary, read_head
from diagkit.sources.formats import ANSI, load_registry, parse_json_line
from diagkit.sources.poolformats import find_pool_format
from diagkit.sources.proxies import is_proxy
from diagkit.sources.proxyfiles import SETTINGS
from diagkit.sources.recordings import NAME
from diagkit.sources.sampletables import ACTIVITY_NAMES, POOL_NAMES
from diagkit.sources.stackfiles import looks_like_compose
from diagkit.sources.tables import table_columns

if TYPE_CHECKING:
    from pathlib import Path

# A CSV is told by its header: the columns, in any of their spellings, that it needs.
TABLES = {
    "pool": (POOL_NAMES, ("timestamp", "checked_out", "size")),
    "activity": (ACTIVITY_NAMES, ("timestamp", "pid", "backend_start")),
}
# How a file of a recorder begins.
FIRST = '{"event":"start",'
LOG_NAME = re.compile(
    r".*\.(?:log|out|err|jsonl|ndjson)(?:\.\d+)?(?:\.(?:gz|bz2|xz|zst))?"
)
# Kinds of files that are recognised and that no reader takes yet, or ever.
DOCUMENTS = {
    ".md": "a text for people",
    ".rst": "a text for people",
    ".ipynb": "a notebook",
    ".html": "a page",
    ".py": "source code",
    ".sql": "SQL",
    ".toml": "settings",
    ".yaml": "settings",
    ".yml": "settings",
}


@dataclass(frozen=True)
class Identity:
    """What a file is.

    Attributes
    ----------
    kind
        ``logs``, ``pool``, ``activity``, ``recording`` (a part of what a
        `PoolRecorder` wrote), ``table`` (a CSV of unknown columns),
        ``sqlite``, ``parquet``, ``compose``, ``proxy`` (an nginx configuration),
        ``settings`` (`incident.toml`), ``document``, ``empty``, ``binary``,
        ``unreadable`` or ``unknown``.
    note
        What a person should know of it, where there is something.
    """

    kind: str
    note: str = ""


def identify_file(path: Path) -> Identity:
    """Tell what a file is by its first bytes.

    Parameters
    ----------
    path
        A file.

    Returns
    -------
    Identity
        Never raises: a file that cannot be read is ``unreadable``.
    """
    try:
        head = read_head(path)
    except SourceError as error:
        return Identity("unreadable", str(error).removeprefix(f"{path}: "))
    if not head:
        return Identity("empty", "the file is empty")
    if head.startswith(b"SQLite format 3\x00"):
        return Identity("sqlite")
    if head.startswith(b"PAR1"):
        return _identify_parquet(path)
    why = find_binary(head)
    if why:
        return Identity("binary", why)
    text = head.decode(find_encoding(head), errors="replace")
    return _identify_text(path, text)


def _identify_parquet(path: Path) -> Identity:
    try:
        names = set(table_columns(path))
    except SourceError as error:
        return Identity("unreadable", str(error).removeprefix(f"{path}: "))
    return Identity(_find_table(names) or "parquet")


def _find_table(names: set[str]) -> str | None:
    for kind, (spellings, needs) in TABLES.items():
        if all(names.intersection(spellings[need]) for need in needs):
            return kind
    return None


def _identify_text(path: Path, text: str) -> Identity:
    if path.name == "incident.toml":
        return Identity("settings")
    if NAME.fullmatch(path.name) and text.startswith(FIRST):
        return Identity("recording")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return (
        _identify_pool(text)
        or _identify_requests(text, lines)
        or _identify_table(path, lines)
        or _identify_settings(path, text)
        or _identify_log(path, text, lines)
    )


def _identify_pool(text: str) -> Identity | None:
    known = find_pool_format(text)
    return Identity("pool", f"as {known.name} writes it") if known else None


def _identify_requests(text: str, lines: list[str]) -> Identity | None:
    """Tell what a client recorded; the access log of a server is a log."""
    if is_har(text.lstrip("\ufeff")):
        return Identity("http", "requests of a browser (HAR)")
    if is_request_table(lines) or has_request_objects(lines[:HEAD_LINES], "client"):
        return Identity("http", "requests of a client")
    return None


def _identify_settings(path: Path, text: str) -> Identity | None:
    if path.suffix in (".yaml", ".yml") and looks_like_compose(path.name, text):
        return Identity("compose")
    if path.suffix in SETTINGS and is_proxy(text):
        return Identity("proxy")
    if path.suffix in DOCUMENTS:
        return Identity("document", DOCUMENTS[path.suffix])
    return None


def _identify_log(path: Path, text: str, lines: list[str]) -> Identity:
    if _has_records(lines):
        return Identity("logs")
    if _is_json(path, text):
        return Identity("document", "a JSON document")
    if LOG_NAME.fullmatch(path.name):
        return Identity("logs", "no line is in a format that is known")
    return Identity("unknown", "neither a log nor a table that is known")


def _identify_table(path: Path, lines: list[str]) -> Identity | None:
    plain = path.name.removesuffix(".gz")
    if not plain.endswith((".csv", ".tsv")):
        return None
    delimiter = "\t" if plain.endswith(".tsv") else ","
    header = next(csv.reader(lines[:1], delimiter=delimiter))
    names = {name.strip() for name in header}
    kind = _find_table(names)
    if kind is not None:
        return Identity(kind)
    # PostgreSQL writes a log that is a table without a header.
    envelope = find_envelope(lines[:HEAD_LINES])
    if envelope is not None and envelope.spelling is not None:
        return Identity("logs")
    return Identity("table", f"a table of {len(names)} columns")


def _has_records(lines: list[str]) -> bool:
    registry = load_registry()
    if find_envelope(lines[:HEAD_LINES]) is not None:
        return True
    for line in lines[:HEAD_LINES]:
        if line.startswith("{"):
            fields = parse_json_line(line, registry)
            if fields is not None and len(fields) > 1:
                return True
        elif registry.recognise(line) or (
            "\x1b" in line and registry.recognise(ANSI.sub("", line))
        ):
            return True
    return False


def _is_json(path: Path, text: str) -> bool:
    if path.suffix in (".json", ".har"):
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
