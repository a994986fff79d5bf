"""How far pools are used over time, and who waits."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from diagkit.analyses.poolseries import PoolSeries, list_series
from diagkit.analyses.utilisation import count_utilisation
from diagkit.charts.text import plain
from diagkit.charts.timeaxis import dress_time
from diagkit.frames.pool import POOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["conclude_pool", "draw_series", "plot_pool"]

DAY_US = 86_400_000_000

# As many as a wide figure has columns of dots.
COLUMNS = 1200
# So many pools have a panel each; the others are named.
PANELS = 6
# So few samples are marked one by one.
MARKED = 60


@dataclass(frozen=True)
class Look:
    """How a pool is drawn: told apart without colour by its line."""

    color: str
    line: str
    marker: str


# Okabe and Ito's colours, that the colour-blind tell apart.
LOOKS = (
    Look("#0072B2", "-", "o"),
    Look("#D55E00", "--", "s"),
    Look("#009E73", "-.", "^"),
    Look("#CC79A7", ":", "D"),
)
GAP: dict[str, Any] = {
    "facecolor": "#EEEEEE",
    "edgecolor": "#BBBBBB",
    "hatch": "///",
    "linewidth": 0,
}
WAITING: dict[str, Any] = {
    "facecolor": "#F7D7C4",
    "edgecolor": "#8A3C00",
    "hatch": "xxx",
    "linewidth": 0.0,
}


def plot_pool(pool: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many connections are out over time, how many may be, and who waits.

    Parameters
    ----------
    pool
        POOL.
    ax
        Where to draw all pools; by default a new figure with a panel a pool, those
        that were used up for longest first.

    Returns
    -------
    matplotlib.axes.Axes
        The uppermost panel. Connections that are out are a line of steps; on top of it
        stand, hatched, the callers that wait. Lines name the size of the pool and,
        above it, its capacity with ``max_overflow``. Where samples are missing there
        is a gap. The title is the conclusion.

    Raises
    ------
    ContractError
        If `pool` is no POOL frame.

    Examples
    --------
    >>> import pandas as pd
    >>> from diagkit.frames.pool import POOL
    >>> times = pd.date_range("2025-11-24", periods=4, freq="1s", tz="UTC")
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "size": 2,
    ...     "max_overflow": 1, "checked_out": [1, 2, 3, 2]})
    >>> print(plot_pool(pool).get_title(loc="left"))
    Pool 'app' had no connection left for 25 % of 4.0 s
    """
    series = list_series(POOL.check(pool))
    table = count_utilisation(pool)
    return draw_series(series, table, None if ax is None else [ax])


def draw_series(
    series: Sequence[PoolSeries],
    table: pd.DataFrame,
    axes: Sequence[Axes] | None = None,
    columns: int = COLUMNS,
) -> Axes:
    """Draw pools whose samples are made ready, as `plot_pool` does.

    Parameters
    ----------
    series
        One a pool.
    table
        UTILISATION of them.
    axes
        Where: all on the one, or a pool on each, and the others are named. None: a new
        figure.
    columns
        How many columns of dots the axes have at most.

    Returns
    -------
    matplotlib.axes.Axes
        The uppermost panel.
    """
    named = {one.name: one for one in series}
    names = table["pool"].tolist()
    alone = axes is not None and len(axes) == 1
    shown = names if alone else names[: PANELS if axes is None else len(axes)]
    panels = _make_axes(len(shown)) if axes is None else list(axes)
    parts = [shown] if alone else [[name] for name in shown]
    for panel, part in zip(panels, parts or [[]], strict=True):
        for name in part:
            _draw(panel, named[name], LOOKS[part.index(name) % len(LOOKS)], columns)
        _dress(panel)
    first = panels[0]
    if not names:
        first.text(0.5, 0.5, "no samples", transform=first.transAxes, ha="center")
    said = conclude_pool(table)
    left = [plain(name, 24) for name in names[len(shown) :]]
    if left:
        said += f"; not drawn: {', '.join(left)}"
    if not first.get_title(loc="left"):
        first.set_title(fill(said, 96), loc="left", fontsize=11, y=1.0)
    for panel in panels[:-1]:
        panel.set_xlabel("")
    return first


def conclude_pool(table: pd.DataFrame) -> str:
    """Say in a sentence whether pools were short.

    Parameters
    ----------
    table
        UTILISATION.

    Returns
    -------
    str
        About the pool that was used up for longest, or that came closest to it.

    Examples
    --------
    >>> from diagkit.frames.pool import POOL
    >>> conclude_pool(count_utilisation(POOL.empty()))
    'No samples of a pool'
    """
    if table.empty:
        return "No samples of a pool"
    known = table[table["capacity"].notna()]
    if known.empty:
        worst: Any = table.sort_values("most_out", ascending=False).iloc[0]
        return (
            f"Pool '{plain(worst['pool'], 30)}' had at most {worst['most_out']} "
            "connections out; the samples do not say how many it may have"
        )
    worst = known.iloc[0]
    if worst["full_s"] > 0:
        waited = 0 if pd.isna(worst["most_waiting"]) else worst["most_waiting"]
        callers = "caller" if waited == 1 else "callers"
        more = f"; up to {waited} {callers} waited" if waited else ""
        return (
            f"Pool '{plain(worst['pool'], 30)}' had no connection left for "
            f"{_percent(worst['full_share'])} of {_spell(worst['observed_s'])}{more}"
        )
    used = (known["most_out"] / known["capacity"]).sort_values(ascending=False)
    worst = known.loc[used.index].iloc[0]
    often = "" if len(table) == 1 else "; it came closest"
    return (
        f"Pool '{plain(worst['pool'], 30)}' was not used up: at most "
        f"{worst['most_out']} of {worst['capacity']} connections were out{often}"
    )


def _make_axes(count: int) -> list[Axes]:
    rows = max(count, 1)
    height = 3.6 if rows == 1 else 1.0 + 2.3 * rows
    _, axes = plt.subplots(
        rows,
        1,
        figsize=(9.5, height),
        layout="constrained",
        sharex=True,
        squeeze=False,
    )
    return list(axes[:, 0])


def _draw(ax: Axes, series: PoolSeries, look: Look, columns: int) -> None:
    rows = series.thin(columns)
    name = plain(series.name, 24)
    at, out = rows.at / DAY_US, rows.out
    demand = out + np.nan_to_num(rows.waiting)
    if np.any(demand > out):
        ax.fill_between(
            at,
            out,
            demand,
            # One shape for all: where nobody waits it has no height.
            step="post",
            label=f"{name}: callers waiting",
            zorder=2,
            **WAITING,
        )
    ax.plot(
        at,
        out,
        drawstyle="steps-post",
        color=look.color,
        linestyle=look.line,
        linewidth=1.3,
        marker=look.marker if len(at) <= MARKED else "",
        markersize=3,
        label=f"{name}: checked out",
        zorder=3,
    )
    _draw_gaps(ax, name, at, np.isnan(out))
    _draw_capacity(ax, name, series, look)


def _draw_gaps(ax: Axes, name: str, at: Floats, begins: Bools) -> None:
    """Hatch where nobody knows how many were out."""
    if not begins.any():
        return
    ends = np.append(at[1:], at[-1])[begins]
    ax.broken_barh(
        list(zip(at[begins], ends - at[begins], strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        label=f"{name}: no samples",
        zorder=0,
        **GAP,
    )


def _draw_capacity(ax: Axes, name: str, series: PoolSeries, look: Look) -> None:
    size, most = series.size[-1], series.capacity[-1]
    lines = [(size, "size", (0, (1, 2))), (most, "at most", (0, (5, 2)))]
    if size == most:
        lines = lines[1:]
    for level, said, dashes in lines:
        if np.isnan(level):
            continue
        ax.axhline(level, color=look.color, linewidth=0.9, linestyle=dashes, zorder=1)
        ax.annotate(
            f"{name}: {said} {level:.0f}",
            (1.0, level),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=8,
            va="center",
        )


def _dress(ax: Axes) -> None:
    if not ax.get_ylabel():
        ax.set_ylabel("connections")
    ax.set_ylim(bottom=0)
    ax.margins(x=0.01)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    if ax.lines:
        dress_time(ax)
        handles, labels = ax.get_legend_handles_labels()
        ax.legend(
            handles,
            labels,
            fontsize=8,
            loc="upper left",
            bbox_to_anchor=(0, 1.02),
            ncols=3,
            framealpha=0.85,
            edgecolor="none",
        )
        low, high = ax.get_ylim()
        ax.set_ylim(low, high * 1.18)
    elif not ax.get_xlabel():
        ax.set_xlabel("time (UTC)")


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")


def _spell(seconds: float) -> str:
    """Write a length of time with two figures or three."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
