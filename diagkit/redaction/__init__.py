"""Secrets and personal data out of everything that leaves."""

from __future__ import annotations
