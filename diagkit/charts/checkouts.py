"""Who held connections over time, and how long callers waited for one."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from diagkit.analyses.checkouts import HolderLayout, lay_out_holders
from diagkit.analyses.holds import count_holds
from diagkit.charts.text import plain
from diagkit.charts.timeaxis import dress_time, to_days
from diagkit.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["draw_waits", "plot_holders", "plot_waits", "rank_waits"]


@dataclass(frozen=True)
class End:
    """How a checkout that ended so is drawn: told apart without colour."""

    label: str
    color: str
    hatch: str
    marker: str


# Okabe and Ito's colours, that the colour-blind tell apart.
ENDS = {
    "returned": End("returned", "#4A90C2", "", ""),
    "garbage_collected": End("leak: the collector found it", "#D55E00", "////", "X"),
    "held": End("still out at the end", "#F0C27B", "....", ">"),
    "other": End("invalidated, detached, or unknown", "#BBBBBB", "\\\\\\", "|"),
}
HEIGHT = 0.8
# A wait shorter than this is drawn as if it were this long: none is drawn as 0.
LEAST_S = 1e-6
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


@dataclass(frozen=True)
class Mark:
    """How a figure of waits is drawn."""

    column: str
    label: str
    shape: str
    size: float
    color: str


WAITS = (
    Mark("wait_p50_s", "half of them at most (p50)", "o", 8, "#009E73"),
    Mark("wait_p95_s", "95 of 100 at most (p95)", "s", 6, "#0072B2"),
    Mark("wait_max_s", "the longest", "D", 5, "#D55E00"),
)


def plot_holders(
    checkouts: pd.DataFrame | HolderLayout, ax: Axes | None = None, limit: int = 15
) -> Axes:
    """Draw who held connections when, and which of them were not given back.

    Parameters
    ----------
    checkouts
        CHECKOUTS, or how they were set out.
    ax
        Where to draw; by default a new figure, as high as its rows need.
    limit
        How many holders to draw at most.

    Returns
    -------
    matplotlib.axes.Axes
        A row a holder, that with the longest checkout first. A bar is a checkout; those
        at one time lie above each other. What the garbage collector found, and what was
        still out at the end, is hatched and marked where it ends, and counted at the
        right. The title is the conclusion; a line below says what is left out.

    Raises
    ------
    ContractError
        If `checkouts` is no CHECKOUTS frame.
    SettingError
        If the limit is not positive.

    Examples
    --------
    >>> import pandas as pd
    >>> from diagkit.frames.checkouts import CHECKOUTS
    >>> rows = CHECKOUTS.build({"checkout_id": ["1", "2"], "pool": "app",
    ...     "checked_out_at": pd.Timestamp("2025-11-24 10:00", tz="UTC"),
    ...     "holder": "app.py:7 load", "held_s": [0.2, 31.0],
    ...     "outcome": ["returned", "garbage_collected"]})
    >>> print(plot_holders(rows).get_title(loc="left"))
    app.py:7 load lost 1 of 2 connections
    """
    if limit < 1:
        msg = f"limit={limit} draws nothing; use 1 or more"
        raise SettingError(msg)
    layout = (
        checkouts
        if isinstance(checkouts, HolderLayout)
        else lay_out_holders(checkouts, limit)
    )
    names = layout.holders["holder"].tolist()
    if ax is None:
        height = 1.8 + 0.42 * max(len(names), 3)
        _, ax = plt.subplots(figsize=(9.5, height), layout="constrained")
    for outcome, end in ENDS.items():
        _draw_bars(ax, layout.bars[layout.bars["outcome"] == outcome], end)
    _write_counts(ax, layout.holders)
    ax.set_yticks(range(len(names)), [plain(name, 44) for name in names], fontsize=8)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    if names:
        dress_time(ax)
    if len(layout.bars):
        _write_legend(ax)
    if not names:
        ax.set_xlabel("time (UTC)")
        ax.text(0.5, 0, "no checkout", transform=ax.get_yaxis_transform(), ha="center")
    if not ax.get_title(loc="left"):
        ax.set_title(_fold(layout.conclusion), loc="left", fontsize=11, pad=24, y=1.0)
    _note(ax, layout.left_out)
    return ax


def plot_waits(
    checkouts: pd.DataFrame, ax: Axes | None = None, limit: int = 20
) -> Axes:
    """Draw how long callers waited for a connection, by what they wanted it for.

    Parameters
    ----------
    checkouts
        CHECKOUTS. Callers that gave up have none: `read_pool_events` tells of these.
    ax
        Where to draw; by default a new figure, as high as its rows need.
    limit
        How many operations to draw at most.

    Returns
    -------
    matplotlib.axes.Axes
        A row an operation, the longest wait first, on a scale where each step is ten
        times the one before. The title is the conclusion.

    Raises
    ------
    ContractError
        If `checkouts` is no CHECKOUTS frame.
    SettingError
        If the limit is not positive.

    Examples
    --------
    >>> import pandas as pd
    >>> from diagkit.frames.checkouts import CHECKOUTS
    >>> rows = CHECKOUTS.build({"checkout_id": ["1", "2"], "pool": "app",
    ...     "checked_out_at": pd.Timestamp("2025-11-24 10:00", tz="UTC"),
    ...     "operation": "GET /tiles", "wait_s": [0.001, 2.5]})
    >>> print(plot_waits(rows).get_title(loc="left"))
    GET /tiles waited longest: 2.5 s at most, 2.38 s for 95 of 100
    """
    if limit < 1:
        msg = f"limit={limit} draws nothing; use 1 or more"
        raise SettingError(msg)
    return draw_waits(count_holds(checkouts), ax, limit)


def rank_waits(table: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Choose the operations that `plot_waits` draws.

    Parameters
    ----------
    table
        HOLDS: its ``name``, ``checkouts`` and ``wait_…``.
    limit
        How many at most.

    Returns
    -------
    pandas.DataFrame
        The longest wait first.
    """
    known = table[table["wait_max_s"].notna()].sort_values(
        ["wait_max_s", "wait_p95_s"], ascending=False, kind="stable"
    )
    return known.head(limit).reset_index(drop=True)


def draw_waits(table: pd.DataFrame, ax: Axes | None = None, limit: int = 20) -> Axes:
    """Draw waits that are counted, as `plot_waits` does.

    Parameters
    ----------
    table
        HOLDS: its ``name``, ``checkouts`` and ``wait_…``.
    ax, limit
        As there.

    Returns
    -------
    matplotlib.axes.Axes
        As there.
    """
    rows = rank_waits(table, limit)
    known = int(table["wait_max_s"].notna().sum())
    if ax is None:
        height = 1.9 + 0.3 * max(len(rows), 3)
        _, ax = plt.subplots(figsize=(9.5, height), layout="constrained")
    _draw_waits(ax, rows)
    labels = [
        f"{plain(name, 40)}  ({count})"
        for name, count in zip(rows["name"], rows["checkouts"], strict=True)
    ]
    ax.set_yticks(range(len(rows)), labels, fontsize=8)
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    if not ax.get_xlabel():
        ax.set_xlabel("waited for a connection (log scale)")
    if len(rows):
        _write_legend(ax)
    else:
        ax.text(0.5, 0, "no wait", transform=ax.get_yaxis_transform(), ha="center")
    if not ax.get_title(loc="left"):
        ax.set_title(
            _fold(_conclude_waits(rows)), loc="left", fontsize=11, pad=24, y=1.0
        )
    left = [f"{known - len(rows)} more operations"] if known > limit else []
    if len(table) > known:
        left.append(f"{len(table) - known} operations without a known wait")
    _note(ax, left)
    return ax


def _draw_bars(ax: Axes, bars: pd.DataFrame, end: End) -> None:
    if bars.empty:
        return
    begin, until = to_days(bars["begin"]), to_days(bars["end"])
    height = HEIGHT / bars["lanes"].to_numpy()
    top = bars["row"].to_numpy() - HEIGHT / 2 + height * bars["lane"].to_numpy()
    # One artist for all, not a patch a bar: thousands stay quick.
    corners = np.stack(
        [
            np.column_stack([begin, top]),
            np.column_stack([until, top]),
            np.column_stack([until, top + height]),
            np.column_stack([begin, top + height]),
        ],
        axis=1,
    )
    ax.add_collection(
        PolyCollection(
            list(corners),
            facecolor=end.color,
            hatch=end.hatch,
            edgecolor="#333333" if end.hatch else end.color,
            linewidth=0.5,
            label=f"{end.label} ({len(bars)})",
        )
    )
    if end.marker:
        ax.plot(
            until,
            top + height / 2,
            linestyle="none",
            marker=end.marker,
            markersize=5,
            color="black",
            zorder=3,
        )
    ax.update_datalim(corners.reshape(-1, 2))
    ax.autoscale_view(scaley=False)


def _write_counts(ax: Axes, holders: pd.DataFrame) -> None:
    rows: Any = holders.itertuples()
    for row in rows:
        said = f"{row.checkouts} in all"
        if np.isfinite(row.longest_s):
            said += f", {_time(row.longest_s)} at most"
        lost = [f"{row.leaked} leaked"] if row.leaked else []
        lost += [f"{row.held} still out"] if row.held else []
        ax.annotate(
            "\n".join([", ".join(lost), said] if lost else [said]),
            (1.0, row.Index),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
            fontweight="bold" if lost else "normal",
        )


def _draw_waits(ax: Axes, rows: pd.DataFrame) -> None:
    ax.set_xscale("log")
    at = np.arange(len(rows))
    waits = rows[[mark.column for mark in WAITS]].to_numpy(dtype=float)
    if len(rows) and waits.min() == waits.max():
        # One wait alone makes no range.
        only = max(float(waits.max()), LEAST_S)
        ax.set_xlim(only / 10, only * 10)
    for mark in WAITS:
        values = rows[mark.column].to_numpy(dtype=float)
        ax.plot(
            np.maximum(values, LEAST_S),
            at,
            linestyle="none",
            marker=mark.shape,
            markersize=mark.size,
            markerfacecolor="none",
            markeredgecolor=mark.color,
            markeredgewidth=1.6,
            label=mark.label,
            zorder=3,
            clip_on=False,
        )
    if len(rows):
        low = np.maximum(rows["wait_p50_s"].to_numpy(dtype=float), LEAST_S)
        high = np.maximum(rows["wait_max_s"].to_numpy(dtype=float), LEAST_S)
        ax.hlines(at, low, high, color="#777777", linewidth=1, zorder=2)
    ax.xaxis.set_major_locator(LogLocator(10))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)


def _conclude_waits(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "No checkout says how long its caller waited"
    worst: Any = rows.iloc[0]
    return (
        f"{worst['name']} waited longest: {_time(worst['wait_max_s'])} at "
        f"most, {_time(worst['wait_p95_s'])} for 95 of 100"
    )


def _write_legend(ax: Axes) -> None:
    ax.legend(
        fontsize=8,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=4,
        borderaxespad=0.2,
        handletextpad=0.4,
    )


def _fold(said: str) -> str:
    return fill(plain(said, 300), 92)


def _note(ax: Axes, left: list[str] | tuple[str, ...]) -> None:
    if left:
        ax.annotate(
            f"left out: {'; '.join(left)}",
            (0, 0),
            (0, -34),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8,
            va="top",
        )


def _time(seconds: Any) -> str:
    """Write a length of time with its unit, in two figures or three."""
    for length, unit in UNITS:
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return "0 s" if seconds == 0 else f"{seconds / 1e-6:.2g} µs"
