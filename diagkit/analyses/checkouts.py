"""Checkouts set out as rows and lanes: who held what at one time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.tasks import microseconds
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.holds import UNATTRIBUTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

# Of more bars at a time nobody sees each: the longest are kept.
BARS = 3000
LEAKED, HELD = "garbage_collected", "held"
ENDS = ("returned", LEAKED, HELD, "other")


@dataclass(frozen=True, eq=False)
class CheckoutBook:
    """Checkouts as arrays: made once, cut and counted many times.

    Attributes
    ----------
    frame
        CHECKOUTS.
    begin
        When they began, in microseconds since 1970.
    held_s, wait_s
        Seconds; NaN where nobody knows.
    pool, holder, operation
        Places in `names`.
    names
        Of the pools, holders and operations, sorted.
    end
        How they ended: a place in `ENDS`.
    """

    frame: pd.DataFrame
    begin: Ints
    held_s: Floats
    wait_s: Floats
    pool: Ints
    holder: Ints
    operation: Ints
    names: dict[str, list[str]]
    end: Ints

    @classmethod
    def from_frame(cls, checkouts: pd.DataFrame) -> CheckoutBook:
        """Make one from CHECKOUTS.

        Parameters
        ----------
        checkouts
            CHECKOUTS.

        Returns
        -------
        CheckoutBook
            All of them; what has no name is ``unattributed``.

        Raises
        ------
        ContractError
            If it is no such frame.

        Examples
        --------
        >>> CheckoutBook.from_frame(CHECKOUTS.empty()).names["holder"]
        []
        """
        CHECKOUTS.check(checkouts)
        codes: dict[str, Ints] = {}
        names: dict[str, list[str]] = {}
        for column in ("pool", "holder", "operation"):
            # Numbers, not texts: a million checkouts are counted at once.
            said = checkouts[column].fillna(UNATTRIBUTED)
            codes[column], found = pd.factorize(said, sort=True)
            names[column] = [str(name) for name in found]
        return cls(
            checkouts,
            microseconds(checkouts["checked_out_at"]),
            checkouts["held_s"].to_numpy(dtype=float),
            checkouts["wait_s"].to_numpy(dtype=float),
            **codes,
            names=names,
            end=_ends(checkouts["outcome"]),
        )


@dataclass(frozen=True, eq=False)
class HolderLayout:
    """Where bars of checkouts lie.

    Attributes
    ----------
    holders
        A row a holder: ``holder``, ``checkouts``, ``leaked``, ``held``, ``longest_s``.
    bars
        A row a checkout: ``row`` (of `holders`), ``lane``, ``lanes`` (of its row),
        ``begin``, ``end``, ``outcome`` (``returned``, ``garbage_collected``, ``held``,
        or ``other``).
    conclusion
        What it says, in one sentence.
    left_out
        What has no bar, a text each.
    """

    holders: pd.DataFrame
    bars: pd.DataFrame
    conclusion: str
    left_out: tuple[str, ...]


def lay_out_holders(checkouts: pd.DataFrame, limit: int) -> HolderLayout:
    """Set out checkouts by holder, those of one time in lanes above each other.

    Parameters
    ----------
    checkouts
        CHECKOUTS.
    limit
        How many holders at most: those with the longest checkouts.

    Returns
    -------
    HolderLayout
        Of no more bars than can be seen.

    Raises
    ------
    ContractError
        If `checkouts` is no CHECKOUTS frame.

    Examples
    --------
    >>> rows = CHECKOUTS.build({"checkout_id": ["1", "2"], "pool": "app",
    ...     "checked_out_at": pd.Timestamp("2025-11-24 10:00", tz="UTC"),
    ...     "holder": "app.py:7 load", "held_s": [0.2, 31.0],
    ...     "outcome": ["returned", "garbage_collected"]})
    >>> lay_out_holders(rows, 5).bars[["lane", "lanes", "outcome"]].values.tolist()
    [[0, 2, 'garbage_collected'], [1, 2, 'returned']]
    """
    book = CheckoutBook.from_frame(checkouts)
    return lay_out(book, np.arange(len(checkouts)), limit)


def lay_out(
    book: CheckoutBook, chosen: Ints, limit: int, most: int = BARS
) -> HolderLayout:
    """Set out some checkouts, as `lay_out_holders` does.

    Parameters
    ----------
    book
        Checkouts that are made ready.
    chosen
        The rows of those that are set out.
    limit
        How many holders at most.
    most
        How many bars at most.

    Returns
    -------
    HolderLayout
        Of them.
    """
    codes, held_s, end = book.holder[chosen], book.held_s[chosen], book.end[chosen]
    names = book.names["holder"]
    longest = np.full(len(names), np.nan)
    np.fmax.at(longest, codes, held_s)
    count = {
        name: np.bincount(codes[part], minlength=len(names))
        for name, part in (
            ("checkouts", slice(None)),
            ("leaked", end == ENDS.index(LEAKED)),
            ("held", end == ENDS.index(HELD)),
        )
    }
    holders = pd.DataFrame(
        {"holder": pd.Series(names, dtype="str"), **count, "longest_s": longest}
    )
    holders = holders[holders["checkouts"] > 0].sort_values(
        ["longest_s", "leaked"], ascending=False, kind="stable"
    )
    shown = holders.head(limit)
    place = np.full(len(names), -1)
    place[shown.index] = np.arange(len(shown))
    rows = place[codes]
    mine = rows >= 0
    kept = _longest(np.flatnonzero(mine & ~np.isnan(held_s)), held_s, most)
    bars = pd.DataFrame(
        {
            "begin": book.begin[chosen[kept]],
            "held_s": held_s[kept],
            "outcome": np.array(ENDS, dtype=object)[end[kept]],
            "row": rows[kept],
        }
    )
    unknown = int((mine & np.isnan(held_s)).sum())
    shorter = int(mine.sum()) - unknown - len(bars)
    return HolderLayout(
        shown.reset_index(drop=True),
        _lanes(bars),
        _conclude(holders),
        _left(len(holders) - len(shown), shorter, bars["held_s"].min(), unknown),
    )


def _ends(outcome: pd.Series) -> Ints:
    """Return how checkouts ended; what is rare or unknown as ``other``."""
    said = pd.Categorical(outcome)
    other = len(ENDS) - 1
    places = [
        ENDS.index(name) if name in ENDS else other
        for name in map(str, said.categories)
    ]
    # A missing one has the code -1, which is the last.
    return np.take(np.array([*places, other], dtype=np.int64), said.codes)


def _longest(rows: Ints, held_s: Floats, most: int) -> Ints:
    """Return the rows that are held longest, no more than can be seen."""
    if len(rows) <= most:
        return rows
    return np.sort(rows[np.argsort(-held_s[rows], kind="stable")[:most]])


def _lanes(bars: pd.DataFrame) -> pd.DataFrame:
    """Give each bar the lowest lane of its row that is free when it begins."""
    # As pandas adds a length in seconds to a time.
    lasts = (bars["held_s"] * 1e9).round().astype("int64") // 1000
    ordered = bars.assign(end=bars["begin"] + lasts).sort_values(
        ["row", "begin", "end"], ascending=[True, True, False], kind="stable"
    )
    row, begin, end = (ordered[name].to_numpy() for name in ("row", "begin", "end"))
    lane, lanes = np.zeros(len(row), dtype=int), np.zeros(len(row), dtype=int)
    cuts = np.flatnonzero(np.diff(row, prepend=-1, append=-1)).tolist()
    for first, last in pairwise(cuts):
        part = slice(first, last)
        lane[part] = _assign(begin[part].tolist(), end[part].tolist())
        lanes[part] = lane[part].max() + 1
    times = {
        name: pd.to_datetime(ordered[name], unit="us", utc=True)
        for name in ("begin", "end")
    }
    return ordered.assign(**times, lane=lane, lanes=lanes).reset_index(drop=True)


def _assign(begins: list[int], ends: list[int]) -> list[int]:
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    lanes: list[int] = []
    for begin, end in zip(begins, ends, strict=True):
        while busy and busy[0][0] <= begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (end, lane))
        lanes.append(lane)
    return lanes


def _conclude(holders: pd.DataFrame) -> str:
    if holders.empty:
        return "No checkout was recorded"
    leaked, held = int(holders["leaked"].sum()), int(holders["held"].sum())
    worst = holders.sort_values("leaked", ascending=False, kind="stable").iloc[0]
    said = (
        f"{worst['holder']} lost {worst['leaked']} of {worst['checkouts']} connections"
    )
    if leaked > worst["leaked"]:
        said += f", all holders {leaked}"
    if not leaked:
        said = "Every connection came back"
    if not held:
        return said
    worst = holders.sort_values("held", ascending=False, kind="stable").iloc[0]
    more = f"{held} of {worst['holder']} still out at the end"
    if held > worst["held"]:
        more = f"{held} still out at the end, {worst['held']} of {worst['holder']}"
    return f"{said}; {more}" if leaked else more


def _left(holders: int, shorter: int, shortest: float, unknown: int) -> tuple[str, ...]:
    left = []
    if holders:
        left.append(f"and {holders} more holders")
    if shorter:
        left.append(f"{shorter} checkouts, {shortest:.3g} s or shorter")
    if unknown:
        left.append(f"{unknown} checkouts of unknown length")
    return tuple(left)
