"""PROOF: what a database did with each kind of write that was tried on it."""

from __future__ import annotations

from diagkit.frames.contract import Column, Contract

__all__ = ["PROOF", "VERDICTS"]

VERDICTS = ("refused", "allowed", "unclear", "not tried")

PROOF = Contract(
    "PROOF",
    (
        Column("write", "str", False, "", "what kind of write it is"),
        Column("statement", "str", False, "", "as sent; ' | ' between calls"),
        Column("verdict", "category", False, "", " | ".join(VERDICTS)),
        Column("relied_on", "bool", False, "", "diagkit relies on its being refused"),
        Column("answer", "str", False, "", "the server's words, or why not tried"),
        Column("note", "str", False, "", "what to know where it is not refused"),
    ),
)
