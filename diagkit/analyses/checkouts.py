"""Checkouts set out as rows and lanes: who held what at one time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

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
    outcome = checkouts["outcome"].astype("str")
    rows = pd.DataFrame(
        {
            "holder": checkouts["holder"].fillna(UNATTRIBUTED),
            "begin": checkouts["checked_out_at"],
            "held_s": checkouts["held_s"],
            "outcome": outcome.where(outcome.isin(_KNOWN), "other"),
        }
    )
    holders = (
        rows.assign(leaked=rows["outcome"] == LEAKED, held=rows["outcome"] == HELD)
        .groupby("holder", sort=True)
        .agg(
            checkouts=("holder", "size"),
            leaked=("leaked", "sum"),
            held=("held", "sum"),
            longest_s=("held_s", "max"),
        )
        .sort_values(["longest_s", "leaked"], ascending=False, kind="stable")
        .reset_index()
    )
    shown = holders.head(limit)
    place = pd.Series(shown.index, index=shown["holder"])
    rows = rows.assign(row=rows["holder"].map(place))
    mine = rows[rows["row"].notna()]
    bars = mine[mine["held_s"].notna()].nlargest(BARS, "held_s", keep="first")
    return HolderLayout(
        shown, _lanes(bars), _conclude(holders), _left(holders, shown, mine, bars)
    )


def _lanes(bars: pd.DataFrame) -> pd.DataFrame:
    """Give each bar the lowest lane of its row that is free when it begins."""
    ordered = bars.assign(
        row=bars["row"].astype("int64"),
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


def _left(
    holders: pd.DataFrame, shown: pd.DataFrame, mine: pd.DataFrame, bars: pd.DataFrame
) -> tuple[str, ...]:
    left = []
    if len(holders) > len(shown):
        left.append(f"and {len(holders) - len(shown)} more holders")
    unknown = int(mine["held_s"].isna().sum())
    if len(mine) - unknown > len(bars):
        shorter = len(mine) - unknown - len(bars)
        left.append(f"{shorter} checkouts, {bars['held_s'].min():.3g} s or shorter")
    if unknown:
        left.append(f"{unknown} checkouts of unknown length")
    return tuple(left)
