"""Spread work over many parts: here, one after the other, or on a Dask cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from diagkit.errors import MissingExtraError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Part = TypeVar("Part")
Result = TypeVar("Result")


def map_parts(
    work: Callable[[Part], Result], parts: Sequence[Part], engine: Any = None
) -> Iterator[Result]:
    """Do the same work on every part, and give the results in the parts' order.

    Parameters
    ----------
    work
        A function that a worker process can import.
    parts
        What it is called with, one at a time. With a cluster, paths among them must
        mean the same files to every worker.
    engine
        None: here, one after the other, a part at a time in memory. A
        `distributed.Client`, or the address of a scheduler: on its cluster.

    Yields
    ------
    Result
        One a part.

    Raises
    ------
    SettingError
        If `engine` is neither.
    MissingExtraError
        If an address came and Dask is not installed.

    Examples
    --------
    >>> list(map_parts(len, ["a", "bb"]))
    [1, 2]
    """
    if engine is None:
        yield from map(work, parts)
        return
    client, own = _find_client(engine)
    try:
        # A function of the same arguments may be asked again after files changed.
        futures = client.map(work, parts, pure=False)
        for future in futures:
            yield future.result()
            future.release()
    finally:
        if own:
            client.close()


def _find_client(engine: Any) -> tuple[Any, bool]:
    if isinstance(engine, str):
        try:
            from distributed import Client
        except ImportError:
            msg = 'a cluster needs Dask: pip install "diagkit[dask]"'
            raise MissingExtraError(msg) from None
        return Client(engine), True  # type: ignore[no-untyped-call]
    if not (hasattr(engine, "map") and hasattr(engine, "submit")):
        msg = (
            f"engine={engine!r}: pass None, a distributed.Client, or a scheduler's "
            "address such as 'tcp://10.0.0.5:8786'"
        )
        raise SettingError(msg)
    return engine, False
