"""Warnings of one thread, as a list."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from diagkit.errors import DiagkitWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["collect_told"]


class _Listeners(threading.local):
    def __init__(self) -> None:
        self.lists: list[list[Warning]] = []


_listeners = _Listeners()
_lock = threading.Lock()
_count = 0
_warn = warnings.warn


@contextmanager
def collect_told() -> Iterator[list[Warning]]:
    """Collect the `DiagkitWarning`s of this thread instead of showing them.

    `warnings.catch_warnings` is one for all threads of a process, and a worker has
    several, each with a part of its own. So `warnings.warn` itself is stood in for,
    as long as anybody listens; other warnings and other threads go on as ever.

    Yields
    ------
    list of Warning
        Grows as warnings come.

    Examples
    --------
    >>> with collect_told() as told:
    ...     warnings.warn("a.log: 3 bytes are no UTF-8", DiagkitWarning)
    >>> told
    [DiagkitWarning('a.log: 3 bytes are no UTF-8')]
    """
    told: list[Warning] = []
    _listen(+1)
    _listeners.lists.append(told)
    try:
        yield told
    finally:
        _listeners.lists.pop()
        _listen(-1)


def _listen(more: int) -> None:
    global _count, _warn
    with _lock:
        if _count == 0:
            _warn = warnings.warn
            warnings.warn = _tell
        _count += more
        if _count == 0:
            warnings.warn = _warn


def _tell(
    message: Any,
    category: type[Warning] | None = None,
    stacklevel: int = 1,
    *rest: Any,
    **options: Any,
) -> None:
    kind = type(message) if isinstance(message, Warning) else category
    if _listeners.lists and kind is not None and issubclass(kind, DiagkitWarning):
        told = message if isinstance(message, Warning) else kind(message)
        _listeners.lists[-1].append(told)
    else:
        _warn(message, category, stacklevel + 1, *rest, **options)
