"""The only room that opens a file, a socket or a connection."""

from __future__ import annotations
