"""Where Arrow gets memory for what is large and made once."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["plain_memory"]

_lock = threading.Lock()
_count = 0
_usual: Any = None


@contextmanager
def plain_memory() -> Iterator[None]:
    """Let Arrow ask the system for memory, page by page.

    Its own allocator asks for huge pages. Where the first touch of one is dear, as in a
    virtual machine, a column that is made once takes ten times as long to write: half
    the time of a large log. What was made stays as it is when the block is left.

    Examples
    --------
    >>> import pyarrow as pa
    >>> with plain_memory():
    ...     pa.default_memory_pool().backend_name
    'system'
    """
    import pyarrow as pa

    _enter(pa, +1)
    try:
        yield
    finally:
        _enter(pa, -1)


def _enter(pa: Any, more: int) -> None:
    global _count, _usual
    with _lock:
        if _count == 0:
            _usual = pa.default_memory_pool()
            pa.set_memory_pool(pa.system_memory_pool())
        _count += more
        if _count == 0:
            pa.set_memory_pool(_usual)
