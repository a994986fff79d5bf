"""The catalogue of known failures, as data."""

from __future__ import annotations
