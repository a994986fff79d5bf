"""How work over many files is spread."""

from __future__ import annotations
