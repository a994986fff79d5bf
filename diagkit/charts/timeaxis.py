"""An axis of time, in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["dress_time", "fit_time", "to_days"]


def to_days(times: pd.Series | pd.DatetimeIndex) -> np.ndarray[Any, Any]:
    """Turn times into matplotlib's days, in UTC.

    Parameters
    ----------
    times
        Times with a zone.

    Returns
    -------
    numpy.ndarray
        A number a time; NaN where it is missing.

    Examples
    --------
    >>> to_days(pd.DatetimeIndex(["1970-01-02 12:00Z"])).tolist()
    [1.5]
    """
    plain_times = pd.DatetimeIndex(times).tz_convert(None).to_numpy()
    return np.asarray(mdates.date2num(plain_times))  # type: ignore[no-untyped-call]


def dress_time(ax: Axes) -> None:
    """Write short times below an axis that is in days, and name the zone.

    Parameters
    ----------
    ax
        Where; a label that is there already stays.
    """
    locator = mdates.AutoDateLocator()  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(
        mdates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    )
    if not ax.get_xlabel():
        ax.set_xlabel("time (UTC)")


def fit_time(ax: Axes, edges: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    """Let an axis of time reach from the first edge of bins to the last, exactly.

    Parameters
    ----------
    ax
        Where.
    edges
        Of bins, in microseconds since 1970; of less than two nothing is done.
    """
    if len(edges) > 1:
        first, last = edges[[0, -1]] / 86_400_000_000
        ax.set_xlim(first, last)
