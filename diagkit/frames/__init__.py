"""Column contracts: what a frame of each noun holds. One module a noun."""

from __future__ import annotations
