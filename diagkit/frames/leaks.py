"""LEAKS: a row an event that a signature of the catalogue explains."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

LEAKS = Contract(
    "LEAKS",
    (
        Column("timestamp", UTC_TIME, True, "", "NaT where the record has none"),
        Column("signature", "category", False, "", "id in the catalogue"),
        Column("kind", "category", False, "", "only `leak` counts as a leak"),
        Column("severity", "category", False, "", "see FINDINGS"),
        Column("logger", "str", True, "", "name of the logger"),
        Column("connection", "str", True, "", "address or backend pid in the text"),
        Column("state", "category", True, "", "IDLE, ACTIVE, INTRANS, INERROR, BAD"),
        Column("source", "str", False, "", "the file"),
        Column("line", "int64", False, "", "first physical line, from 1"),
        Column("message", "str", False, "", "the record's message"),
        Column("library_version", "str", True, "", "of SQLAlchemy, read off its links"),
        Column("shutdown", "bool", False, "", "written when the interpreter ended"),
    ),
)
