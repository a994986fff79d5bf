"""STACKFRAMES: a row a frame of the tracebacks in a log."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract

STACKFRAMES = Contract(
    "STACKFRAMES",
    (
        Column("source", "str", False, "", "the log's file, as in LOGS"),
        Column("line", "int64", False, "", "first line of the record, as in LOGS"),
        Column("position", "int64", False, "", "0 for the first frame as written"),
        Column("file", "str", False, "", "the source file that the frame names"),
        Column("file_line", "int64", False, "", "the line in that file"),
        Column("function", "str", False, "", "or Java's class and method"),
        Column("application", "bool", False, "", "no library's or language's"),
    ),
)
