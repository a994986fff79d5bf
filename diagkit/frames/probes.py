"""PROBES: what a host answered when it was asked, and what is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from diagkit.errors import SettingError, suggest
from diagkit.frames.contract import Column, Contract

__all__ = ["KINDS", "PROBES", "Target"]

PROBES = Contract(
    "PROBES",
    (
        Column("target", "str", False, "", "what was asked: no user, no password"),
        Column("kind", "category", False, "", "tcp | http | postgresql | dns"),
        Column("ok", "bool", False, "", "whether it answered as expected"),
        Column("detail", "str", False, "", "what it answered, or why it did not"),
        Column("duration_s", "float64", False, "s", "until the answer, or the limit"),
        Column("status", "Int64", True, "", "of HTTP"),
        Column("addresses", "str", False, "", "that the name stands for"),
        Column("slots_used", "Int64", True, "connections", "by others, of PostgreSQL"),
        Column("slots_left", "Int64", True, "connections", "for users that are none"),
    ),
)

# Scheme -> the kind of probe that it asks for.
KINDS = {
    "tcp": "tcp",
    "http": "http",
    "https": "http",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "dns": "dns",
}
WRITE = "tcp://host:port, http://host/path, postgresql://user@host/db or dns://name"


@dataclass(frozen=True)
class Target:
    """One thing to ask, named by a person.

    Attributes
    ----------
    where
        ``tcp://host:port``, ``http://host/path``, ``postgresql://user@host/database``
        or ``dns://name``; ``host:port`` is TCP.
    expect
        The status that HTTP should answer with; None: any below 400.

    Raises
    ------
    SettingError
        If it names no host, or more than one.

    Examples
    --------
    >>> Target("localhost:8000").kind, Target("dns://db").kind
    ('tcp', 'dns')
    """

    where: str = field(repr=False)
    expect: int | None = None

    def __post_init__(self) -> None:
        if self.scheme not in KINDS:
            near = suggest(self.scheme, KINDS)
            msg = f"no probe is known for {self.scheme}://{near}; write {WRITE}"
            raise SettingError(msg)
        if self.expect is not None and not 100 <= self.expect <= 599:
            msg = f"expect is a status of HTTP, 100 to 599; {self.expect} came"
            raise SettingError(msg)

    @property
    def scheme(self) -> str:
        """Its scheme, without a driver."""
        head, mark, _ = self.where.strip().partition("://")
        return head.lower().partition("+")[0] if mark else "tcp"

    @property
    def kind(self) -> str:
        """The kind of probe."""
        return KINDS[self.scheme]

    @property
    def host(self) -> str:
        """The host that it names; empty where it names none."""
        return (self._parts().hostname or "").lower()

    @property
    def port(self) -> int | None:
        """The port, where it is named or its scheme has one.

        Raises
        ------
        SettingError
            If it is none.
        """
        own = {"http": 80, "https": 443, "postgresql": 5432, "postgres": 5432}
        try:
            return self._parts().port or own.get(self.scheme)
        except ValueError:
            msg = f"a target names one port, 1 to 65535; write {WRITE}"
            raise SettingError(msg) from None

    @property
    def path(self) -> str:
        """What is asked of HTTP: path and query."""
        parts = self._parts()
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _parts(self) -> SplitResult:
        text = self.where.strip()
        try:
            return urlsplit(text if "://" in text else f"tcp://{text}")
        except ValueError:
            msg = f"a target's host has no meaning; write {WRITE}"
            raise SettingError(msg) from None
