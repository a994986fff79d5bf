"""Checkouts set out as rows and lanes: who held what at one time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.holds import UNATTRIBUTED

# Of more bars at a time nobody sees each: the longest are kept.
BARS = 3000
LEAKED, HELD = "garbage_collected", "held"
_KNOWN = ("returned", LEAKED, HELD)


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
    CHECKOUTS.check(checkouts)
    # Numbers, not texts: a million checkouts are counted at once.
    codes, names = pd.factorize(checkouts["holder"].fillna(UNATTRIBUTED), sort=True)
    held_s = checkouts["held_s"].to_numpy(dtype=float)
    kind = _kinds(checkouts["outcome"])
    longest = np.full(len(names), np.nan)
    np.fmax.at(longest, codes, held_s)
    holders = pd.DataFrame(
        {
            "holder": names.astype("str"),
            "checkouts": np.bincount(codes, minlength=len(names)),
            "leaked": np.bincount(codes[kind == LEAKED], minlength=len(names)),
            "held": np.bincount(codes[kind == HELD], minlength=len(names)),
            "longest_s": longest,
        }
    ).sort_values(["longest_s", "leaked"], ascending=False, kind="stable")
    shown = holders.head(limit)
    place = np.full(len(names), -1)
    place[shown.index] = np.arange(len(shown))
    rows = place[codes]
    mine = rows >= 0
    chosen = _longest(np.flatnonzero(mine & ~np.isnan(held_s)), held_s)
    bars = pd.DataFrame(
        {
            "begin": checkouts["checked_out_at"].iloc[chosen].reset_index(drop=True),
            "held_s": held_s[chosen],
            "outcome": kind[chosen],
            "row": rows[chosen],
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


def _kinds(outcome: pd.Series) -> Any:
    """Return how checkouts ended, as texts; what is rare or unknown as ``other``."""
    said = pd.Categorical(outcome)
    names = [str(name) for name in said.categories]
    known = [name if name in _KNOWN else "other" for name in names]
    # A missing one has the code -1, which is the last.
    return np.array([*known, "other"], dtype=object)[said.codes]


def _longest(rows: Any, held_s: Any) -> Any:
    """Return the rows that are held longest, no more than can be seen."""
    if len(rows) <= BARS:
        return rows
    return np.sort(rows[np.argsort(-held_s[rows], kind="stable")[:BARS]])


def _lanes(bars: pd.DataFrame) -> pd.DataFrame:
    """Give each bar the lowest lane of its row that is free when it begins."""
    ordered = bars.assign(
        end=bars["begin"] + pd.to_timedelta(bars["held_s"], unit="s"),
    ).sort_values(["row", "begin", "end"], ascending=[True, True, False], kind="stable")
    parts = [
        part.assign(lane=_assign(part), lanes=0)
        for _, part in ordered.groupby("row", sort=True)
    ]
    if not parts:
        return ordered.assign(lane=0, lanes=0)
    laid = pd.concat(parts, ignore_index=True)
    return laid.assign(lanes=laid.groupby("row")["lane"].transform("max") + 1)


def _assign(part: pd.DataFrame) -> list[int]:
    free: list[int] = []
    busy: list[tuple[pd.Timestamp, int]] = []
    lanes: list[int] = []
    for begin, end in zip(part["begin"], part["end"], strict=True):
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
