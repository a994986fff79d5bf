"""The kinds of events: how each is counted, reported and named."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What an event is.

    Attributes
    ----------
    name
        As in LEAKS.
    code
        Of the finding that reports it; empty where it is none.
    area
        Where one looks for its cause: an area of FINDINGS.
    words
        What is counted, ``{s}`` standing for the plural.
    """

    name: str
    code: str
    area: str
    words: str


_ALL = (
    Kind(
        "leak",
        "connection_leak",
        "code",
        "connection{s} leaked: garbage-collected, never returned",
    ),
    Kind(
        "poisoned_transaction",
        "poisoned_transaction",
        "code",
        "use{s} of a transaction that had to be rolled back",
    ),
    Kind(
        "exhaustion",
        "pool_exhausted",
        "service",
        "failed attempt{s} to get a connection",
    ),
    Kind(
        "dropped_connection",
        "dropped_connection",
        "service",
        "connection{s} ended by the server or the network",
    ),
    Kind(
        "unfinished_transaction",
        "unfinished_transaction",
        "code",
        "connection{s} given back inside a transaction",
    ),
    Kind(
        "unclosed_context",
        "unclosed_context",
        "code",
        "context{s} never exited",
    ),
    Kind("misuse", "driver_misuse", "code", "call{s} that the driver cannot serve"),
    Kind("lock_wait", "lock_wait", "service", "long wait{s} for a lock"),
    Kind(
        "upstream_failure",
        "upstream_failed",
        "infrastructure",
        "time{s} a server could not reach its upstream",
    ),
    Kind(
        "unreachable",
        "unreachable",
        "infrastructure",
        "time{s} nobody listened where a service was expected",
    ),
    Kind(
        "name_resolution",
        "name_not_resolved",
        "infrastructure",
        "name{s} of a host that could not be resolved",
    ),
    Kind(
        "dependency_down",
        "dependency_down",
        "service",
        "time{s} the database refused connections",
    ),
    Kind(
        "schema_mismatch",
        "schema_mismatch",
        "data",
        "statement{s} about a column or table that is not there",
    ),
    Kind("crash", "server_crash", "service", "request{s} or worker{s} that broke off"),
    Kind(
        "address_in_use", "port_conflict", "infrastructure", "start{s} on a taken port"
    ),
    Kind("client_gone", "client_gone", "service", "client{s} that did not wait"),
    Kind(
        "unrounded_percentage",
        "unrounded_percentage",
        "data",
        "percentage{s} with all the digits of a division",
    ),
    Kind("near", "near_known", "logs", "record{s} worded nearly like a known failure"),
    Kind("resolution", "", "code", "connection{s} that came back after all"),
    Kind("pool_event", "", "service", "routine event{s}"),
)
KIND = {kind.name: kind for kind in _ALL}
KINDS = tuple(KIND)
# FINDINGS: a code a kind, and the area in which one looks for its cause.
CODES = {kind.name: (kind.code, kind.area) for kind in _ALL if kind.code}
# What happens in every healthy pool: found when asked for.
ROUTINE = frozenset({"pool_event"})


def count_words(kind: str, count: int) -> str:
    """Say how many events of a kind there are.

    Parameters
    ----------
    kind
        One of `KINDS`, or a kind of the caller's own signatures.
    count
        How many.

    Returns
    -------
    str
        The number and what it counts.

    Examples
    --------
    >>> count_words("misuse", 2)
    '2 calls that the driver cannot serve'
    """
    words = KIND[kind].words if kind in KIND else f"event{{s}} of kind {kind}"
    return f"{count} {words.format(s='' if count == 1 else 's')}"
