"""TEMPLATES: a row a shape that the messages of a log have."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

TEMPLATES = Contract(
    "TEMPLATES",
    (
        Column("template", "str", False, "", "the shape; `<*>` stands for a value"),
        Column("events", "int64", False, "records", "how many records have it"),
        Column("level", "category", True, "", "the most severe of their levels"),
        Column("logger", "str", True, "", "the most frequent of their loggers"),
        Column("loggers", "int64", False, "loggers", "how many different loggers"),
        Column("first", UTC_TIME, True, "", "earliest time; NaT where none has one"),
        Column("last", UTC_TIME, True, "", "latest time"),
        Column("source", "str", False, "", "file of the earliest record"),
        Column("line", "int64", False, "", "its first physical line, from 1"),
        Column("example", "str", False, "", "its message, cut if it is long"),
    ),
)
