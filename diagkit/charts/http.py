"""Statuses of requests over time, by observer and route."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from diagkit.charts.text import plain
from diagkit.charts.timeaxis import dress_time, to_days
from diagkit.frames.http import CLASSES, STATUSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# How many routes have a panel; the others are counted.
MOST_PANELS = 6
FAILED = ("5xx", "no answer")


class Style(NamedTuple):
    """How a class of status is drawn: told apart without colour by its hatch."""

    color: str
    hatch: str


# Okabe and Ito's colours, that the colour-blind tell apart.
STYLES = dict(
    zip(
        CLASSES,
        (
            Style("#DDDDDD", ""),
            Style("#BBDDEE", ""),
            Style("#56B4E9", ".."),
            Style("#F0E442", "--"),
            Style("#D55E00", "//"),
            Style("#CC79A7", "xx"),
        ),
        strict=True,
    )
)


def plot_statuses(statuses: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw requests over time, stacked by class of status, a panel a route.

    Parameters
    ----------
    statuses
        What `count_statuses` returns.
    ax
        Where to draw all routes together; None: a new figure with a panel for each
        observer's route, those that failed most first.

    Returns
    -------
    matplotlib.axes.Axes
        The upper panel.

    Raises
    ------
    ContractError
        If `statuses` is no STATUSES frame.

    Examples
    --------
    >>> plot_statuses(STATUSES.empty()).get_xlabel()
    'time (UTC)'
    """
    STATUSES.check(statuses)
    rows = statuses.astype({"observer": "str", "status_class": "str"})
    bins = pd.DatetimeIndex(np.sort(rows["timestamp"].unique()))
    width = np.diff(to_days(bins)).min() if len(bins) > 1 else 1 / 1440
    if ax is not None:
        _draw(ax, rows, width)
        panels, left = [ax], 0
    else:
        groups = _choose(rows)
        shown = groups[:MOST_PANELS]
        left = len(groups) - len(shown)
        count = max(1, len(shown))
        figure, grid = plt.subplots(
            count,
            1,
            sharex=True,
            squeeze=False,
            figsize=(9, 1.4 + 1.3 * count),
            layout="constrained",
        )
        panels = list(grid[:, 0])
        for panel, (observer, route) in zip(panels, shown, strict=False):
            which = (rows["observer"] == observer) & (rows["route"] == route)
            _draw(panel, rows[which], width)
            panel.set_title(plain(f"{observer}: {route}"), loc="left", fontsize=9)
        figure.suptitle(_conclude(rows), x=0.01, ha="left", fontsize=11)
    _dress(panels, rows, left)
    return panels[0]


def _choose(rows: pd.DataFrame) -> list[tuple[str, str]]:
    failed = rows["requests"].where(rows["status_class"].isin(FAILED), 0)
    table = rows.assign(failed=failed).groupby(["observer", "route"], sort=True)
    sums = table[["failed", "requests"]].sum()
    order = sums.sort_values(["failed", "requests"], ascending=False, kind="stable")
    return [(str(observer), str(route)) for observer, route in order.index]


def _draw(ax: Axes, rows: pd.DataFrame, width: float) -> None:
    counts = rows.pivot_table(
        index="timestamp", columns="status_class", values="requests", aggfunc="sum"
    ).fillna(0)
    days = to_days(pd.DatetimeIndex(counts.index)) if len(counts) else np.array([])
    below = np.zeros(len(counts))
    for name in CLASSES:
        if name in counts.columns:
            values = counts[name].to_numpy()
            style = STYLES[name]
            ax.bar(
                days,
                values,
                width,
                below,
                align="edge",
                color=style.color,
                hatch=style.hatch,
                edgecolor="#555555",
                linewidth=0.3,
                label=name,
            )
            below = below + values
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.spines[["top", "right"]].set_visible(False)


def _dress(panels: list[Axes], rows: pd.DataFrame, left: int) -> None:
    for panel in panels:
        if not panel.get_ylabel():
            panel.set_ylabel("requests")
    last = panels[-1]
    dress_time(last)
    handles = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    if handles:
        names = [name for name in CLASSES if name in handles]
        panels[0].legend(
            [handles[name] for name in names],
            names,
            ncols=len(names),
            loc="lower right",
            bbox_to_anchor=(1, 1),
            frameon=False,
            fontsize=8,
        )
    if left:
        last.annotate(
            f"and {left} more routes",
            (0, -0.45),
            xycoords="axes fraction",
            fontsize=8,
        )


def conclude_statuses(statuses: pd.DataFrame) -> str:
    """Say in one sentence which observer saw how many requests fail.

    Parameters
    ----------
    statuses
        STATUSES.

    Returns
    -------
    str
        Empty where there is no request.

    Examples
    --------
    >>> conclude_statuses(STATUSES.empty())
    ''
    """
    return _conclude(statuses.astype({"observer": "str", "status_class": "str"}))


def _conclude(rows: pd.DataFrame) -> str:
    """Say in one sentence which observer saw how many fail."""
    said = []
    for observer, part in rows.groupby("observer", sort=True):
        failed = part.loc[part["status_class"].isin(FAILED), "requests"].sum()
        said.append(f"{plain(observer, 30)}: {failed} of {part['requests'].sum()}")
    return f"Requests that failed, by observer: {', '.join(said)}" if said else ""
