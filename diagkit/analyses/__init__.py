"""Pure: frame in, frame or frozen dataclass out. No I/O, no clock, no drawing."""

from __future__ import annotations
