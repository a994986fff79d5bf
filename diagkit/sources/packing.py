"""Logical tasks whose rows the server packs, to be counted here.

A hash table with a row for each logical task is most of what it costs a server to count
them. Sixteen bytes a row, appended to a few dozen long values, cost a fifth of that,
and to sort them here costs less still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from diagkit.frames.counting import logical_contract
from diagkit.sources.seen import NAT, hash_task, receive_times, send_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from diagkit.frames.counting import Question
    from diagkit.sources.expressions import Expression, Expressions
    from diagkit.sources.mapping import MappedTable

__all__ = ["count_packed", "pack_logical", "place_project"]

# So many projects share a value; the last bits of a task's hash tell which it is.
BITS = 7
PROJECTS = 1 << BITS
LATEST = np.iinfo(np.int64).max
SLOTS = 64


def place_project(key: Expression, hashes: Sequence[int]) -> Expression:
    """Tell where a project's hash stands among those of all, from 0 on.

    Parameters
    ----------
    key
        The project's id, as text.
    hashes
        ``hashtextextended(id, 0)`` of all projects, ascending, each once.

    Returns
    -------
    Expression
        The place.
    """
    every = sa.literal(list(hashes), postgresql.ARRAY(sa.BigInteger))
    return sa.func.width_bucket(sa.func.hashtextextended(key, 0), every) - 1


def pack_logical(
    say: Expressions,
    tasks: MappedTable,
    joined: sa.FromClause,
    place: Expression,
    in_run: Expression,
    *,
    everything: bool,
) -> sa.Select[Any]:
    """Return a query that packs the tasks that have a name.

    A logical task is told by 57 bits of a hash: of 1,000 tasks of a project, two
    different ones are taken for one in 1 of 200,000,000,000 projects.

    Parameters
    ----------
    say
        PostgreSQL's expressions.
    tasks
        The table.
    joined
        The same beside its projects.
    place
        Where a project stands; see `place_project`.
    in_run
        Tells the tasks of the run.
    everything
        Whether the others are wanted too.

    Returns
    -------
    sqlalchemy.Select
        The query: a number of projects, a status, whether it is of the run, and of such
        tasks the hashes and the times.
    """
    task = hash_task(say, tasks).bitwise_and(-PROJECTS)
    task = task.bitwise_or(place.bitwise_and(PROJECTS - 1))
    created = send_time(say, [tasks["created_at"]])
    keys = [place.bitwise_rshift(BITS), say.text(tasks["status"])]
    keys += [sa.func.coalesce(in_run, sa.false())] if everything else []
    nothing = sa.literal(b"", sa.LargeBinary)
    query = (
        sa.select(
            *keys,
            *([] if everything else [sa.true()]),
            sa.func.string_agg(sa.func.int8send(task, type_=sa.LargeBinary), nothing),
            sa.func.string_agg(created, nothing),
        )
        .select_from(joined)
        .where(tasks["task_name"].is_not(None))
        .group_by(*keys)
    )
    return query if everything else query.where(in_run)


def count_packed(
    rows: Iterable[Sequence[Any]],
    question: Question,
    mapping: Mapping[str, str],
    ids: Sequence[str],
) -> pd.DataFrame:
    """Count what the query of `pack_logical` returned.

    Parameters
    ----------
    rows
        Its rows.
    question
        What is counted.
    mapping
        Their status to the contract's, for those that differ.
    ids
        The projects, in the order of their hashes.

    Returns
    -------
    pandas.DataFrame
        LOGICAL.
    """
    parts: dict[int, list[Sequence[Any]]] = {}
    for row in rows:
        parts.setdefault(row[0], []).append(row)
    contract = logical_contract(len(question.numerators))
    counts = [_count(parts[part], question, mapping) for part in sorted(parts)]
    if not counts:
        return contract.empty()
    places = [
        part * PROJECTS + np.flatnonzero(found[0])
        for part, found in zip(sorted(parts), counts, strict=True)
    ]
    columns = [
        np.concatenate([found[i][found[0] > 0] for found in counts])
        for i in range(len(contract.names) - 1)
    ]
    owners = np.array(ids, dtype=object)[np.concatenate(places)]
    data = dict(zip(contract.names, [owners, *columns], strict=True))
    return contract.conform(pd.DataFrame(data))


def _count(
    rows: Sequence[Sequence[Any]], question: Question, mapping: Mapping[str, str]
) -> list[NDArray[Any]]:
    """Return the columns of LOGICAL but for the first, a value a project."""
    task = np.frombuffer(b"".join(row[3] for row in rows), ">i8").astype(np.int64)
    created = receive_times(b"".join(row[4] for row in rows))
    sizes = [len(row[3]) // 8 for row in rows]
    status = [mapping.get(row[1], row[1]) for row in rows]

    def has(statuses: Sequence[str]) -> NDArray[np.bool_]:
        return np.repeat([s in statuses for s in status], sizes)[order]

    order = np.argsort(task)
    task, created = task[order], created[order]
    first = np.flatnonzero(np.append(True, task[1:] != task[:-1]))
    project = task[first] & (PROJECTS - 1)
    latest = np.maximum.reduceat(created, first)
    unsound = has(("failed",)) | (created == NAT)
    sound = np.minimum.reduceat(np.where(unsound, LATEST, created), first)
    # Where there is no sound one, nothing is so long after it.
    apart = np.where(sound == LATEST, -1, latest - sound)
    again = apart >= (question.again_s - 1) * 1e6
    more = np.diff(first, append=len(task)) - 1
    dated = latest != NAT
    slots = np.zeros(PROJECTS, dtype=np.uint64)
    slot = np.floor(latest[dated] / 1e6 / question.slot_s).astype(np.int64) % SLOTS
    bits = np.left_shift(np.uint64(1), slot.astype(np.uint64))
    np.bitwise_or.at(slots, project[dated], bits)
    done = [np.logical_or.reduceat(has(known), first) for known in question.numerators]
    return [
        np.bincount(project, minlength=PROJECTS),
        _sum(project, np.where(again, more, 0)),
        slots,
        *(_sum(project, one) for one in done),
    ]


def _sum(project: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    return np.bincount(project, values, PROJECTS).astype(np.int64)
