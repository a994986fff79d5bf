"""Results to a postmortem: one summary, many views of it."""

from __future__ import annotations
