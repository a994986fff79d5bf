"""The figures that a pool of connections gives of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def figure_of(pool: Any, name: str) -> int | None:
    """Return one of a pool's own figures; not every class of pool has them.

    Parameters
    ----------
    pool
        A pool of SQLAlchemy.
    name
        The method that tells it: ``size``, ``checkedout`` ...

    Returns
    -------
    int or None
        The figure.

    Examples
    --------
    >>> from sqlalchemy import create_engine, QueuePool
    >>> pool = create_engine("sqlite://", poolclass=QueuePool, pool_size=3).pool
    >>> figure_of(pool, "size"), figure_of(pool, "weight")
    (3, None)
    """
    value = getattr(pool, name, None)
    value = value() if callable(value) else value
    return value if isinstance(value, int) else None


def idle_of(pool: Any) -> Callable[[], int | str]:
    """Return what counts the idle connections of a pool, as cheaply as may be.

    Parameters
    ----------
    pool
        A pool of SQLAlchemy.

    Returns
    -------
    callable
        Returns their number; ``null``, as JSON has it, where the pool cannot tell.

    Examples
    --------
    >>> from sqlalchemy import create_engine, NullPool, QueuePool
    >>> [idle_of(create_engine("sqlite://", poolclass=kind).pool)()
    ...  for kind in (QueuePool, NullPool)]
    [0, 'null']
    """
    queue = getattr(getattr(pool, "_pool", None), "queue", None)
    counts = getattr(queue, "__len__", None)
    return counts if callable(counts) else getattr(pool, "checkedin", _unknown)


def _unknown() -> str:
    return "null"
