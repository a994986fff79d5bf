"""LINT: what a linter says of a migration's SQL file."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract

__all__ = ["LINT"]

LINT = Contract(
    "LINT",
    (
        Column("file", "str", False, "", "the file's name, without its folder"),
        Column("line", "int64", False, "", "1-based"),
        Column("level", "category", False, "", "Warning | Error"),
        Column("rule", "str", False, "", "the linter's name for it"),
        Column("message", "str", False, "", "what is wrong"),
        Column("help", "str", False, "", "what to do; empty where it does not say"),
    ),
)
