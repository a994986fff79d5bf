"""Who writes samples of pools, and how a file of theirs is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diagkit.sources import poolmetrics, poolreports

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True)
class PoolFormat:
    """How others write samples of pools.

    Attributes
    ----------
    name
        Whose it is.
    sign
        What the head of such a file holds.
    read
        Makes rows of its lines: columns of POOL, and the ``line``.
    """

    name: str
    sign: re.Pattern[str]
    read: Callable[[str, Iterable[str]], Iterator[dict[str, Any]]]


FORMATS = (
    PoolFormat("OpenTelemetry (OTLP JSON)", poolmetrics.OTLP, poolmetrics.read_otlp),
    PoolFormat("psycopg_pool", poolreports.PSYCOPG, poolreports.read_psycopg),
    PoolFormat("PgBouncer", poolreports.PGBOUNCER, poolreports.read_pgbouncer),
    PoolFormat("Prometheus", poolmetrics.PROMETHEUS, poolmetrics.read_prometheus),
)


def find_pool_format(head: str) -> PoolFormat | None:
    """Tell by its head who wrote samples of pools.

    Parameters
    ----------
    head
        How the file begins.

    Returns
    -------
    PoolFormat or None
        None where it is none of `FORMATS`.

    Examples
    --------
    >>> find_pool_format('{"resourceMetrics": []}').name
    'OpenTelemetry (OTLP JSON)'
    """
    return next((known for known in FORMATS if known.sign.search(head)), None)
