"""Tasks that have to be seen, without what tells no runs: SEEN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from diagkit.frames.counting import SEEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from diagkit.sources.expressions import Expression, Expressions
    from diagkit.sources.mapping import MappedTable

__all__ = [
    "hash_task",
    "pack_tasks",
    "receive_times",
    "seen_tasks",
    "send_time",
    "unpack_tasks",
]

# A task as PostgreSQL's own functions send it: big-endian, times since 2000. `kind`
# holds the place of its status and whether it has a name.
PACKED = np.dtype(
    [
        *((name, ">i8") for name in ("created_at", "started_at", "ended_at", "task")),
        ("kind", ">i4"),
    ]
)
TIMES = ("created_at", "started_at", "ended_at")
SINCE_2000_US = 946_684_800_000_000
NAT = int(np.iinfo(np.int64).min)
INFINITE = np.iinfo(np.int64).max
# A value may have a gigabyte.
MOST_TASKS = 20_000_000
UNKNOWN = -1


def seen_tasks(tasks: pd.DataFrame) -> pd.DataFrame:
    """Make SEEN of tasks that were read whole.

    Parameters
    ----------
    tasks
        TASKS.

    Returns
    -------
    pandas.DataFrame
        SEEN.

    Examples
    --------
    >>> from diagkit.frames.progress import TASKS
    >>> tasks = TASKS.build({"project_id": ["a"] * 3, "task_name": ["x", "y", "x"]})
    >>> seen_tasks(tasks)["task"].tolist()
    [0, 1, 0]
    """
    names, _ = pd.factorize(tasks["task_name"])
    agents, _ = pd.factorize(tasks["agent_type"])
    task, _ = pd.factorize(names * (int(agents.max(initial=0)) + 2) + agents)
    return SEEN.build(
        {
            "project_id": tasks["project_id"],
            "task": task,
            "named": tasks["task_name"].notna(),
            "status": tasks["status"],
            "created_at": tasks["created_at"],
            "started_at": tasks["started_at"],
            "ended_at": tasks[["completed_at", "failed_at"]].max(axis=1),
        }
    )


def pack_tasks(
    say: Expressions,
    tasks: MappedTable,
    project_ids: Sequence[str],
    statuses: Sequence[str],
) -> sa.Select[Any]:
    """Return a query that packs tasks: one value a project, a few bytes a task.

    The server packs ten tasks in the time that it writes one as text. A logical task
    is told by a hash of 64 bits: of 1,000 tasks of a project, two different ones are
    taken for one in 1 of 10,000,000,000,000 projects.

    Parameters
    ----------
    say
        PostgreSQL's expressions.
    tasks
        The table.
    project_ids
        The projects.
    statuses
        Statuses, as they are written.

    Returns
    -------
    sqlalchemy.Select
        The query: a project's id, and its tasks.
    """
    owner, status = (say.text(tasks[name]) for name in ("project_id", "status"))
    place = sa.func.array_position(
        sa.literal(list(statuses), postgresql.ARRAY(sa.Text)), status
    )
    name = tasks["task_name"] if "task_name" in tasks.columns else sa.null()
    kind = sa.case(
        (status.is_(None), 0), (place.is_(None), UNKNOWN), else_=place
    ) * 2 + sa.case((name.is_(None), 0), else_=1)
    blob: Expression = sa.func.int8send(hash_task(say, tasks), type_=sa.LargeBinary)
    for names in (("completed_at", "failed_at"), ("started_at",), ("created_at",)):
        known = [tasks[n] for n in names if n in tasks.columns]
        blob = send_time(say, known).op("||")(blob)
    blob = blob.op("||")(sa.func.int4send(sa.cast(kind, sa.Integer)))
    packed = sa.func.string_agg(blob, sa.literal(b"", sa.LargeBinary))
    chosen = say.among(owner, project_ids)
    return sa.select(owner, packed).where(chosen).group_by(owner)


def unpack_tasks(
    rows: Sequence[tuple[str, bytes]],
    statuses: Sequence[str],
    mapping: Mapping[str, str],
) -> pd.DataFrame | None:
    """Make SEEN of what the query of `pack_tasks` returned.

    Parameters
    ----------
    rows
        Its rows.
    statuses
        As they were asked for.
    mapping
        Their status to the contract's, for those that differ.

    Returns
    -------
    pandas.DataFrame or None
        SEEN; None where there is a status that was not asked for, or a time that never
        comes: who reads the tasks whole is told the row.
    """
    data: NDArray[Any] = np.frombuffer(b"".join(blob for _, blob in rows), PACKED)
    kind = data["kind"]
    if (kind < 0).any() or any((data[name] == INFINITE).any() for name in TIMES):
        return None
    ours = [mapping.get(status, status) for status in statuses]
    known = list(dict.fromkeys(ours))
    codes = np.array([UNKNOWN, *(known.index(status) for status in ours)])
    owners = [owner for owner, _ in rows]
    sizes = [len(blob) // PACKED.itemsize for _, blob in rows]
    place = np.repeat(np.arange(len(rows)), sizes)
    return SEEN.build(
        {
            "project_id": pd.Categorical.from_codes(place, pd.Index(owners)),
            "task": data["task"].astype(np.int64),
            "named": kind % 2 == 1,
            "status": pd.Categorical.from_codes(codes[kind // 2], pd.Index(known)),
            **{name: _as_times(data[name]) for name in TIMES},
        }
    )


def hash_task(say: Expressions, tasks: MappedTable) -> Expression:
    """Return a number of 64 bits that is one for rows of one logical task.

    Parameters
    ----------
    say
        PostgreSQL's expressions.
    tasks
        The table.

    Returns
    -------
    Expression
        The number.
    """
    seed: Expression = sa.literal(0, sa.BigInteger)
    for part in ("agent_type", "task_name"):
        if part in tasks.columns:
            hashed = sa.func.hashtextextended(say.text(tasks[part]), seed)
            if tasks[part].nullable:
                # A text that is missing is none that is empty.
                hashed = sa.func.coalesce(hashed, seed + 1)
            seed = hashed
    return seed


def send_time(say: Expressions, columns: Sequence[sa.Column[Any]]) -> Expression:
    """Return the later of some times as eight bytes; where none is, the least.

    Parameters
    ----------
    say
        PostgreSQL's expressions.
    columns
        Times.

    Returns
    -------
    Expression
        What `receive_times` reads.
    """
    nothing = sa.literal(NAT.to_bytes(8, "big", signed=True), sa.LargeBinary)
    if not columns:
        return nothing
    moments = [say.instant(column) for column in columns]
    moment = sa.func.greatest(*moments) if len(moments) > 1 else moments[0]
    sent = sa.func.timestamptz_send(moment, type_=sa.LargeBinary)
    return sa.func.coalesce(sent, nothing, type_=sa.LargeBinary)


def receive_times(sent: bytes | NDArray[Any]) -> NDArray[np.int64]:
    r"""Return times that the server sent as microseconds since 1970.

    Parameters
    ----------
    sent
        Eight bytes each, or numbers as they were sent.

    Returns
    -------
    numpy.ndarray
        The times, the least number where there is none.

    Examples
    --------
    >>> receive_times(bytes(8) + b"\x80" + bytes(7)).tolist()
    [946684800000000, -9223372036854775808]
    """
    raw = np.frombuffer(sent, ">i8") if isinstance(sent, bytes) else sent
    micros: NDArray[np.int64] = raw.astype(np.int64)
    return np.where(micros == NAT, NAT, micros + SINCE_2000_US)


def _as_times(sent: NDArray[Any]) -> pd.Series:
    micros = receive_times(sent).astype("datetime64[us]")
    return pd.Series(micros).dt.tz_localize("UTC")
