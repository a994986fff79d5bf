"""The only ipywidgets door: state and layout over analyses and charts."""

from __future__ import annotations
