"""Samples of connection pools to POOL."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from diagkit.frames.pool import POOL
from diagkit.sources.checkouts import is_recording, read_recorded_pool
from diagkit.sources.sampletables import POOL_NAMES, read_samples

if TYPE_CHECKING:
    import pandas as pd

    from diagkit.sources.paths import Paths


def read_pool(paths: Paths, tz: str | None = "UTC") -> pd.DataFrame:
    r"""Read samples of connection pools.

    Parameters
    ----------
    paths
        CSV files (plain or packed) with a row a sample; the columns are named as
        SQLAlchemy's ``QueuePool`` has them (``checkedout`` or ``checked_out`` ...).
        Or the folder that a `PoolRecorder` writes to.
    tz
        Zone of times without one.

    Returns
    -------
    pandas.DataFrame
        POOL, in order of time. SQLAlchemy's ``overflow()`` starts at minus the pool's
        size; here ``overflow`` is the number of connections above it, never below 0.

    Raises
    ------
    SourceFormatError
        Naming the file, the line and the column that cannot be used.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "pool.csv"
    >>> text = "sampled_at,size,checkedout,overflow\n2025-11-24T10:00:00Z,5,2,-3\n"
    >>> _ = path.write_text(text)
    >>> int(read_pool(path).loc[0, "overflow"])
    0
    """
    if isinstance(paths, str | PathLike) and is_recording(paths):
        return read_recorded_pool(paths)
    frame = read_samples(paths, POOL, POOL_NAMES, tz)
    frame["overflow"] = frame["overflow"].clip(lower=0)
    return frame.sort_values(["timestamp", "pool"], kind="stable", ignore_index=True)
