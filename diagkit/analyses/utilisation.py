"""How far pools were used over time, and their samples made ready to be drawn.

A sample stands until the next one. Where samples come at a steady pace, one that comes
late leaves a gap: nobody knows what was in it. A recorder's samples come with the
events of its pool instead, and none means that nothing happened.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from diagkit.frames.pool import POOL
from diagkit.frames.utilisation import UTILISATION

# Of samples at a steady pace, so many come within half of the usual step of it.
STEADY = 0.6
# Samples further apart than this many of the usual steps are a gap.
GAP_STEPS = 3


def count_utilisation(pool: pd.DataFrame) -> pd.DataFrame:
    """Count how far pools were used, and for how long they were used up.

    Parameters
    ----------
    pool
        POOL.

    Returns
    -------
    pandas.DataFrame
        UTILISATION, a row a pool, those that were used up for the longest part of
        their time first. Times count to the next sample, gaps left out. What the
        samples do not tell is missing: a capacity without ``max_overflow``.

    Raises
    ------
    ContractError
        If `pool` is no POOL frame.

    Examples
    --------
    >>> times = pd.date_range("2025-11-24", periods=5, freq="1s", tz="UTC")
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "size": 2,
    ...     "max_overflow": 0, "checked_out": [0, 1, 2, 2, 1]})
    >>> count_utilisation(pool)[["pool", "most_out", "full_share"]].values.tolist()
    [['app', 2, 0.4]]
    """
    POOL.check(pool)
    said = pool["checked_out"].notna()
    known = pool if bool(said.all()) else pool[said]
    rows = [
        _measure(str(name), samples)
        for name, samples in known.groupby("pool", sort=True)
    ]
    columns = {name: [row[name] for row in rows] for name in UTILISATION.names}
    return UTILISATION.build(columns).sort_values(
        ["full_share", "mean_out"], ascending=False, kind="stable", ignore_index=True
    )


def break_gaps(samples: pd.DataFrame) -> pd.DataFrame:
    """Put an empty sample where samples are missing, so that no line bridges it.

    Parameters
    ----------
    samples
        Rows of POOL of one pool.

    Returns
    -------
    pandas.DataFrame
        In order of time. Where the samples come at a steady pace, a gap of more than
        three of their usual steps begins with a row that has a ``timestamp`` alone.

    Examples
    --------
    >>> at = pd.to_datetime([0, 1, 2, 3, 60, 61], unit="s", utc=True)
    >>> rows = POOL.build({"timestamp": at, "pool": "app", "checked_out": 1})
    >>> break_gaps(rows)["checked_out"].isna().tolist()
    [False, False, False, False, True, False, False]
    """
    ordered = _in_order(samples)
    usual = _usual_step(ordered["timestamp"])
    if usual is None:
        return ordered
    before = ordered["timestamp"].shift()
    after = before[ordered["timestamp"] - before > GAP_STEPS * usual]
    if after.empty:
        return ordered
    empty = pd.DataFrame({"timestamp": after + usual})
    joined = pd.concat([ordered, empty], ignore_index=True)
    return joined.sort_values("timestamp", kind="stable", ignore_index=True)


def thin_samples(samples: pd.DataFrame, bins: int, names: list[str]) -> pd.DataFrame:
    """Keep the samples that can be seen in a picture of so many columns.

    Of each column the first and the last sample stay, and those with the least and the
    most of each figure: drawn, it is the picture of all of them (Jugel et al. 2014).

    Parameters
    ----------
    samples
        Rows with a ``timestamp``, in order of time.
    bins
        How many columns the picture has.
    names
        The columns of the frame that are drawn. Gaps in them stay too.

    Returns
    -------
    pandas.DataFrame
        The same rows, or fewer of them.

    Examples
    --------
    >>> at = pd.date_range("2025-11-24", periods=1000, freq="1s", tz="UTC")
    >>> rows = pd.DataFrame({"timestamp": at, "out": [5, *[1] * 998, 9]})
    >>> thin_samples(rows, 1, ["out"])["out"].tolist()
    [5, 1, 9]
    """
    each = 2 + 2 * len(names)
    if len(samples) <= each * bins:
        return samples
    at = samples["timestamp"].astype("int64").to_numpy()
    span = max(int(at[-1] - at[0]), 1)
    place = np.minimum((at - at[0]) * float(bins) / span, bins - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    ends = np.append(starts[1:], len(at)) - 1
    keep = [starts, ends]
    for name in names:
        values = samples[name].to_numpy(dtype=float, na_value=np.nan)
        keep += [_first_of(values, place, starts, least) for least in (True, False)]
        # Where figures begin to be missing, and where they end to be.
        turns = np.flatnonzero(np.diff(np.isnan(values)))
        keep += [turns, turns + 1]
    return samples.iloc[np.unique(np.concatenate(keep))].reset_index(drop=True)


def _first_of(values: Any, place: Any, starts: Any, least: bool) -> Any:
    """Return where each bin has its least or its most for the first time."""
    filled = np.where(np.isnan(values), np.inf if least else -np.inf, values)
    ufunc = np.minimum if least else np.maximum
    extreme = np.repeat(
        ufunc.reduceat(filled, starts), np.diff(np.append(starts, len(values)))
    )
    hits = np.flatnonzero(filled == extreme)
    return hits[np.diff(place[hits], prepend=-1) > 0]


def _in_order(samples: pd.DataFrame) -> pd.DataFrame:
    """Return samples in order of time: to sort a million that are takes its time."""
    if samples["timestamp"].is_monotonic_increasing:
        return samples.reset_index(drop=True)
    return samples.sort_values("timestamp", kind="stable", ignore_index=True)


def _usual_step(times: pd.Series) -> pd.Timedelta | None:
    """Return the pace of samples; None where they have none."""
    steps = np.diff(times.dt.as_unit("us").astype("int64").to_numpy())
    usual = float(np.median(steps)) if len(steps) else 0.0
    if not usual:
        return None
    near = (steps >= 0.5 * usual) & (steps <= 1.5 * usual)
    steady = float(near.mean()) >= STEADY
    return pd.Timedelta(round(usual), unit="us") if steady else None


def _measure(name: str, samples: pd.DataFrame) -> dict[str, Any]:
    ordered = _in_order(samples)
    lasts = _durations(ordered["timestamp"])
    observed = float(lasts.sum())
    out = ordered["checked_out"].to_numpy(dtype=float)
    size, most = ordered["size"].ffill(), ordered["max_overflow"].ffill()
    capacity = size + most
    full = ordered["checked_out"] >= capacity
    waiting = ordered["waiting"]
    share = observed if observed else np.nan
    return {
        "pool": name,
        "samples": len(ordered),
        "observed_s": observed,
        "size": size.iloc[-1],
        "capacity": capacity.iloc[-1],
        "mean_out": float((out * lasts).sum()) / share,
        "most_out": ordered["checked_out"].max(),
        "full_s": _known_seconds(full, lasts),
        "full_share": _known_seconds(full, lasts) / share,
        "waited_s": _known_seconds(waiting > 0, lasts),
        "most_waiting": waiting.max(),
    }


def _known_seconds(happened: pd.Series, lasts: Any) -> float:
    """Add up the seconds in which it did; NaN where nothing tells."""
    if happened.isna().all():
        return float(np.nan)
    return float(lasts[happened.fillna(False).to_numpy(dtype=bool)].sum())


def _durations(times: pd.Series) -> Any:
    """Return for how many seconds each sample stands."""
    usual = _usual_step(times)
    steps = (times.shift(-1) - times).dt.total_seconds().to_numpy()
    step = 0.0 if usual is None else usual.total_seconds()
    if usual is not None:
        steps = np.where(steps > GAP_STEPS * step, step, steps)
    return np.where(np.isnan(steps), step, steps)
