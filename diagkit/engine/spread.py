"""Spread work over many parts: here, one after the other, or on a Dask cluster."""

from __future__ import annotations

import pkgutil
import warnings
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from diagkit.engine.told import collect_told
from diagkit.errors import (
    DiagkitError,
    MissingExtraError,
    SettingError,
    SourceAccessError,
    SourceError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["map_parts", "open_cluster"]

Part = TypeVar("Part")
Result = TypeVar("Result")

# Parts that are under way at once, for each thread of the cluster: one is worked on,
# the next is there when it is done. Threads that may still come count as so many.
AHEAD, LEAST_THREADS = 2, 4
# A server that did not answer may do so the next time.
RETRIES = 2


class Outcome(NamedTuple):
    """What a worker gives back."""

    value: Any
    told: list[Warning]
    error: DiagkitError | None


def map_parts(
    work: Callable[[Part], Result],
    parts: Iterable[Part],
    engine: Any = None,
    name: Callable[[Part], str] = str,
) -> Iterator[Result]:
    """Do the same work on every part, and give the results in the parts' order.

    On a cluster only so many parts are under way as its threads can take, so `parts`
    may be endless. Results are fetched as they are done: those that wait for their
    turn wait here. What a worker raises or warns of comes as if it were done here.

    Parameters
    ----------
    work
        A function that a worker process can import.
    parts
        What it is called with, one at a time. With a cluster, paths among them must
        mean the same files to every worker.
    engine
        None: here, one after the other, a part at a time in memory. Else as
        `open_cluster` takes it.
    name
        How a part is called in errors.

    Yields
    ------
    Result
        One a part.

    Raises
    ------
    SettingError, MissingExtraError, SourceAccessError
        As `open_cluster` does.
    SourceError
        If one worker after the other died of a part.
    SourceAccessError
        If the connection to the cluster is lost.

    Examples
    --------
    >>> list(map_parts(len, ["a", "bb"]))
    [1, 2]
    """
    if engine is None:
        yield from map(work, parts)
        return
    with open_cluster(engine) as client:
        for outcome in _spread(client, work, parts, name):
            for warning in {str(one): one for one in outcome.told}.values():
                warnings.warn(warning, stacklevel=2)
            if outcome.error is not None:
                raise outcome.error
            yield outcome.value


@contextmanager
def open_cluster(engine: Any) -> Iterator[Any]:
    """Connect to a Dask cluster, if it is not done yet.

    Parameters
    ----------
    engine
        A `distributed.Client`, which is left open; the address of a scheduler, or a
        cluster object such as `distributed.LocalCluster`.

    Yields
    ------
    distributed.Client
        Connected to a cluster that has the same diagkit.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    SettingError
        If `engine` is none of these, or diagkit is another one over there, or missing.
    SourceAccessError
        If no scheduler answers.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
        from distributed.deploy.cluster import Cluster
    except ImportError:
        msg = 'a cluster needs Dask: pip install "diagkit[dask]"'
        raise MissingExtraError(msg) from None
    if isinstance(engine, Client):
        if engine.asynchronous or engine.status == "closed":
            state = "asynchronous" if engine.asynchronous else "closed"
            msg = f"engine: the client is {state}; pass one that is open and is not"
            raise SettingError(msg)
        _check_diagkit(engine)
        yield engine
        return
    try:
        if isinstance(engine, str):
            # A client that never got to know its loop hangs when it is collected.
            get_address_host_port(engine, strict=True)
        elif not isinstance(engine, Cluster):
            raise ValueError
    except ValueError:
        msg = (
            f"engine={engine!r}: pass None, a distributed.Client, or a scheduler's "
            "address such as 'tcp://10.0.0.5:8786'"
        )
        raise SettingError(msg) from None
    try:
        client = Client(engine, set_as_default=False)  # type: ignore[no-untyped-call]
    except OSError as error:
        msg = f"engine={engine!r}: no Dask scheduler answers there ({error})"
        raise SourceAccessError(msg) from None
    with client:
        _check_diagkit(client)
        yield client


def _check_diagkit(client: Any) -> None:
    """Refuse a cluster with another diagkit; a worker without any would hang."""
    from diagkit import __version__

    # Nothing of diagkit's own may be sent for this.
    asked = (pkgutil.resolve_name, "diagkit:__version__")
    found = client.run(*asked, on_error="return")
    try:
        found["the scheduler"] = client.run_on_scheduler(*asked)
    except ImportError as error:
        found["the scheduler"] = error
    for where, version in found.items():
        if version != __version__:
            has = f"diagkit {version}" if isinstance(version, str) else "no diagkit"
            msg = (
                f"engine: {where} has {has}; install {__version__}, which is the one "
                "here, on the scheduler and on every worker"
            )
            raise SettingError(msg)


def _spread(
    client: Any,
    work: Callable[[Part], Result],
    parts: Iterable[Part],
    name: Callable[[Part], str],
) -> Iterator[Outcome]:
    from distributed import CancelledError, as_completed
    from distributed.comm.core import CommClosedError

    rest = enumerate(parts)
    under_way: dict[Any, tuple[int, Part]] = {}
    running = as_completed(loop=client.loop)  # type: ignore[no-untyped-call]
    ready: dict[int, Outcome] = {}
    due = 0

    def submit() -> None:
        threads = sum(client.nthreads().values())
        room = AHEAD * max(threads, LEAST_THREADS) - len(under_way)
        chosen = list(islice(rest, room))
        # Asked again after files changed, the same arguments mean something new.
        futures = client.map(
            partial(_attempt, work),
            [part for _, part in chosen],
            pure=False,
            retries=RETRIES,
        )
        under_way.update(zip(futures, chosen, strict=True))
        running.update(futures)  # type: ignore[no-untyped-call]

    try:
        submit()
        for future in running:
            number, part = under_way.pop(future)
            ready[number] = outcome = _take(future, name(part))
            if outcome.error is None:
                submit()
            else:
                # What comes before it is under way already; what follows is not asked.
                rest = enumerate(())
            while due in ready:
                yield ready.pop(due)
                due += 1
        if under_way:
            raise CancelledError
    except (CancelledError, CommClosedError):
        msg = "engine: the connection to the Dask scheduler was lost"
        raise SourceAccessError(msg) from None
    finally:
        client.cancel(list(under_way))


def _take(future: Any, name: str) -> Outcome:
    """Fetch what a worker gives back."""
    from distributed import KilledWorker

    try:
        outcome: Outcome = future.result()
    except KilledWorker as error:
        count = error.allowed_failures + 1
        msg = (
            f"{name}: {count} workers died of it, one after the other; most often they "
            "lack memory: give each more of it, or fewer threads"
        )
        return Outcome(None, [], SourceError(msg))
    except DiagkitError as error:
        return Outcome(None, [], error)
    return outcome


def _attempt(work: Callable[[Part], Result], part: Part) -> Outcome:
    """Do the work, on a worker."""
    with collect_told() as told:
        try:
            return Outcome(work(part), told, None)
        except SourceAccessError:
            raise  # the scheduler tries it again
        except DiagkitError as error:
            return Outcome(None, told, error)
