"""Samples of a pool as arrays: made once, cut, counted and thinned many times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.analyses.tasks import microseconds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["PoolSeries", "find_pace", "list_series", "thin_places"]

# Of samples at a steady pace, so many come within half of the usual step of it.
STEADY = 0.6
# Samples further apart than this many of the usual steps are a gap.
GAP_STEPS = 3
SECOND = 1_000_000
# More samples than this are thinned once, to what any part of them may need.
MANY, FINE = 200_000, 19_200


@dataclass(frozen=True, eq=False)
class PoolSeries:
    """Samples of one pool in order of time. What they do not say is NaN.

    Attributes
    ----------
    name
        The pool's.
    at
        Microseconds since 1970. Where samples at a steady pace are missing, a row
        that says nothing stands at the beginning of the gap.
    out, waiting
        Connections that are out, callers that wait.
    size, capacity
        As they were last known: without and with ``max_overflow``.
    step
        The usual step in microseconds; 0 where the samples have no steady pace.
    fine
        The same, thinned; None where there are not many.
    """

    name: str
    at: Ints
    out: Floats
    waiting: Floats
    size: Floats
    capacity: Floats
    step: int
    fine: PoolSeries | None = None
    _thinned: dict[int, PoolSeries] = field(default_factory=dict, init=False)

    @classmethod
    def from_frame(cls, name: str, samples: pd.DataFrame) -> PoolSeries:
        """Make one from the rows of POOL of one pool.

        Parameters
        ----------
        name
            The pool's.
        samples
            Its rows.

        Returns
        -------
        PoolSeries
            All of them.
        """
        at = microseconds(samples["timestamp"])
        known = {
            column: samples[column].to_numpy(dtype=float, na_value=np.nan)
            for column in ("checked_out", "waiting", "size", "max_overflow")
        }
        if np.any(np.diff(at) < 0):
            order = np.argsort(at, kind="stable")
            at = at[order]
            known = {column: values[order] for column, values in known.items()}
        size = _last_known(known["size"])
        capacity = size + _last_known(known["max_overflow"])
        step = find_pace(at)
        out, waiting = known["checked_out"], known["waiting"]
        if step:
            after = np.flatnonzero(np.diff(at) > GAP_STEPS * step)
            gaps = after + 1
            out, waiting = (
                np.insert(out, gaps, np.nan),
                np.insert(waiting, gaps, np.nan),
            )
            size = np.insert(size, gaps, size[after])
            capacity = np.insert(capacity, gaps, capacity[after])
            at = np.insert(at, gaps, at[after] + step)
        made = cls(name, at, out, waiting, size, capacity, step)
        return replace(made, fine=made.thin(FINE)) if len(at) > MANY else made

    def cut(self, low: int | None, high: int | None) -> PoolSeries:
        """Return the samples of a time; the one that stands when it begins is moved.

        Parameters
        ----------
        low, high
            Microseconds since 1970; None: no bound.

        Returns
        -------
        PoolSeries
            Those from `low` to `high`.
        """
        if low is None and high is None:
            return self
        stop = len(self.at)
        if high is not None:
            stop = int(np.searchsorted(self.at, high, side="right"))
        start, moved = 0, False
        if low is not None:
            start = int(np.searchsorted(self.at, low))
            moved = start > 0
        part = slice(max(start - moved, 0), max(stop, start))
        at = self.at[part]
        if moved and low is not None and len(at):
            at = at.copy()
            at[0] = low
        fine = None if self.fine is None else self.fine.cut(low, high)
        return replace(self.take(part), at=at, fine=fine)

    def take(self, chosen: slice | Ints | Bools) -> PoolSeries:
        """Return some of the samples.

        Parameters
        ----------
        chosen
            Their places.

        Returns
        -------
        PoolSeries
            Them.
        """
        return PoolSeries(
            self.name,
            self.at[chosen],
            self.out[chosen],
            self.waiting[chosen],
            self.size[chosen],
            self.capacity[chosen],
            self.step,
        )

    def thin(self, columns: int) -> PoolSeries:
        """Return the samples that can be seen in a picture of so many columns.

        Parameters
        ----------
        columns
            Of dots.

        Returns
        -------
        PoolSeries
            As `thin_places` chooses them.
        """
        if columns not in self._thinned:
            fine = self.fine
            # As long as several of its samples fall into each column.
            if fine is not None and len(fine.at) >= 8 * columns:
                return fine.thin(columns)
            demand = self.out + np.nan_to_num(self.waiting)
            places = thin_places(self.at, [self.out, demand], columns)
            self._thinned[columns] = self.take(places)
        return self._thinned[columns]

    def most(self, edges: Ints) -> tuple[Floats, Floats]:
        """Return how many were out, and how many waited, at most in each bin.

        Parameters
        ----------
        edges
            Of the bins, in microseconds since 1970.

        Returns
        -------
        tuple of numpy.ndarray
            NaN where nobody knows.
        """
        begin = np.searchsorted(self.at, edges[:-1], side="right")
        end = np.searchsorted(self.at, edges[1:])
        # What stands when a bin begins counts in it; before the first none does.
        first = np.maximum(begin - 1, 0)
        found = []
        for values in (self.out, self.waiting):
            most = np.full(len(begin), np.nan)
            some = np.flatnonzero(
                (end > first) & (edges[1:] > self.at[:1].max(initial=0))
            )
            if len(some):
                # A bin's samples, then those up to the next bin's: every second.
                cuts = np.column_stack([first[some], end[some]]).ravel()
                whole = np.append(values, np.nan)
                most[some] = np.fmax.reduceat(whole, np.minimum(cuts, len(values)))[::2]
            found.append(most)
        return found[0], found[1]

    @cached_property
    def utilisation(self) -> dict[str, Any]:
        """How far the pool was used: a row of UTILISATION."""
        said = ~np.isnan(self.out)
        known = self if bool(said.all()) else self.take(said)
        at, out, waiting = known.at, known.out, known.waiting
        capacity = known.capacity
        lasts = self._durations(at)
        observed = float(lasts.sum())
        share = observed if observed else np.nan
        full = np.where(np.isnan(capacity), np.nan, out >= capacity)
        full_s = _known_seconds(full, lasts)
        waited = np.where(np.isnan(waiting), np.nan, waiting > 0)
        return {
            "pool": self.name,
            "samples": len(at),
            "observed_s": observed,
            "size": self.size[-1] if len(self.size) else np.nan,
            "capacity": capacity[-1] if len(at) else np.nan,
            # Not a dot product: the threads of BLAS wait by spinning.
            "mean_out": float((out * lasts).sum()) / share,
            "most_out": _most(out),
            "full_s": full_s,
            "full_share": full_s / share,
            "waited_s": _known_seconds(waited, lasts),
            "most_waiting": _most(waiting),
        }

    def _durations(self, at: Ints) -> Floats:
        """Return for how many seconds each sample stands."""
        steps = np.diff(at, append=at[-1:] + self.step)
        if self.step:
            steps = np.where(steps > GAP_STEPS * self.step, self.step, steps)
        return steps / SECOND


def list_series(pool: pd.DataFrame) -> list[PoolSeries]:
    """Make the series of every pool.

    Parameters
    ----------
    pool
        POOL.

    Returns
    -------
    list of PoolSeries
        By name.

    Examples
    --------
    >>> from diagkit.frames.pool import POOL
    >>> list_series(POOL.empty())
    []
    """
    # As a category the names of a million samples are compared once.
    names = pool["pool"].astype("category")
    return [
        PoolSeries.from_frame(str(name), samples)
        for name, samples in pool.groupby(names, observed=True, sort=True)
    ]


def find_pace(at: Ints) -> int:
    """Return the pace of samples.

    Parameters
    ----------
    at
        Microseconds, in order.

    Returns
    -------
    int
        The usual step; 0 where there is none that most samples keep.
    """
    steps = np.diff(at)
    usual = float(np.median(steps)) if len(steps) else 0.0
    if not usual:
        return 0
    near = (steps >= 0.5 * usual) & (steps <= 1.5 * usual)
    return round(usual) if float(near.mean()) >= STEADY else 0


def thin_places(at: Ints, figures: list[Floats], bins: int) -> Ints:
    """Choose the samples that can be seen in a picture of so many columns.

    Of each column the first and the last sample stay, and those with the least and the
    most of each figure: drawn, it is the picture of all of them (Jugel et al. 2014).

    Parameters
    ----------
    at
        Microseconds, in order.
    figures
        What is drawn. Where they begin to be NaN, and end to be, stays too.
    bins
        How many columns the picture has.

    Returns
    -------
    numpy.ndarray
        Places, in order.
    """
    if len(at) <= (2 + 2 * len(figures)) * bins:
        return np.arange(len(at))
    span = max(int(at[-1] - at[0]), 1)
    place = np.minimum((at - at[0]) * float(bins) / span, bins - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    keep = [starts, np.append(starts[1:], len(at)) - 1]
    for values in figures:
        keep += [_first_of(values, place, starts, least) for least in (True, False)]
        # Where figures begin to be missing, and where they end to be.
        turns = np.flatnonzero(np.diff(np.isnan(values)))
        keep += [turns, turns + 1]
    return np.unique(np.concatenate(keep))


def _first_of(values: Floats, place: Ints, starts: Ints, least: bool) -> Ints:
    """Return where each bin has its least or its most for the first time."""
    filled = np.where(np.isnan(values), np.inf if least else -np.inf, values)
    ufunc = np.minimum if least else np.maximum
    extreme = np.repeat(
        ufunc.reduceat(filled, starts), np.diff(np.append(starts, len(values)))
    )
    hits = np.flatnonzero(filled == extreme)
    return hits[np.diff(place[hits], prepend=-1) > 0]


def _last_known(values: Floats) -> Floats:
    """Fill what is missing with what was last known."""
    known = ~np.isnan(values)
    if known.all():
        return values
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
    return values[last]


def _known_seconds(happened: Floats, lasts: Floats) -> float:
    """Add up the seconds in which it did; NaN where nothing tells."""
    if np.isnan(happened).all():
        return float(np.nan)
    return float(lasts[happened == 1].sum())


def _most(values: Floats) -> float:
    return float(np.fmax.reduce(values, initial=np.nan))
