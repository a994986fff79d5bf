"""Lines to records, out of their envelope where they are in one."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from diagkit.sources.envelopes import HEAD_LINES, Envelope, find_envelope
from diagkit.sources.flows import peel
from diagkit.sources.records import Record, iterate_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def take_off(
    lines: Iterable[str],
) -> tuple[Envelope | None, Iterator[tuple[str | None, Record]]]:
    """Read the records of a log, out of their envelope if they are in one.

    Parameters
    ----------
    lines
        The log's lines, without their ends.

    Returns
    -------
    tuple of (Envelope or None) and iterator
        What is around the lines, and each record with its service (None without an
        envelope).

    Examples
    --------
    >>> log = ["api-1  | 2025-11-24 18:17:11 - root - INFO - up"]
    >>> envelope, records = take_off(log)
    >>> [(service, record.message) for service, record in records]
    [('api-1', 'up')]
    """
    rest = iter(lines)
    head = list(islice(rest, HEAD_LINES))
    envelope = find_envelope(head)
    everything = chain(head, rest)
    if envelope is None:
        return None, ((None, record) for record in iterate_records(everything))
    return envelope, peel(everything, envelope)
