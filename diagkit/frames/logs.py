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
        Column("service", "str", True, "", "who wrote it, if the launcher says"),
        Column("source", "str", False, "", "the file"),
        Column("line", "int64", False, "", "first physical line, from 1"),
        Column("lines", "int64", False, "lines", "how many physical lines"),
        # The interval in which the record was written. One with a time of its own has
        # that twice; the clock of several writers may run backwards (after > before).
        Column("after", UTC_TIME, True, "", "own time, else that of the record before"),
        Column("before", UTC_TIME, True, "", "own time, else that of the next record"),
    ),
)
