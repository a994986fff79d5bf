"""The only matplotlib door: a result (and an Axes) in, an Axes out."""

from __future__ import annotations
