"""LOGS: a row a record of a log."""

from __future__ import annotations

from diagkit.frames.contract import UTC_TIME, Column, Contract

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

LOGS = Contract(
    "LOGS",
    (
        Column("timestamp", UTC_TIME, True, "", "NaT where the record has none"),
        Column("level", "category", True, "", "upper case; as written if unknown"),
        Column("logger", "str", True, "", "name of the logger"),
        Column("message", "str", False, "", "text, without prefix and traceback"),
        Column("exception", "str", True, "", "type of the last exception raised"),
        Column("traceback", "str", True, "", "text of the tracebacks"),
        Column("source", "str", False, "", "the file"),
        Column("line", "int64", False, "", "first physical line, from 1"),
        Column("lines", "int64", False, "lines", "how many physical lines"),
    ),
)
