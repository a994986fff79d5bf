"""NULL starts by the age of projects: where they stop, or begin."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from diagkit.charts.text import plain
from diagkit.charts.timeaxis import dress_time, to_days
from diagkit.frames.cohorts import COHORTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from diagkit.analyses.cohorts import Change, Cohorts

__all__ = ["plot_cohorts"]


@dataclass(frozen=True)
class Part:
    """A part of a cohort's bar: told apart without colour by its hatch."""

    column: str
    label: str
    color: str
    hatch: str


# From the axis up: what is wrong stands at the bottom, where bars compare.
PARTS = (
    Part("illegal", "ran without a start", "#D55E00", "//"),
    Part("legal", "not started, rightly NULL", "#E8E8E8", ".."),
    Part("recorded", "start recorded", "#4A90C2", ""),
)
BAND: dict[str, Any] = {"color": "#DDDDDD", "linewidth": 0, "zorder": 0}


def plot_cohorts(cohorts: Cohorts, ax: Axes | None = None) -> Axes:
    """Draw how many projects were set up when, and how many of them lack their start.

    Parameters
    ----------
    cohorts
        What `count_cohorts` returns.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A bar a cohort, of projects that ran without a start, those that have not
        started, and those with a start. A dashed line is the change; where it was
        fitted, a grey band is the interval in which it lies. The title is the
        conclusion.

    Examples
    --------
    >>> from diagkit.analyses.cohorts import count_cohorts
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> audit = audit_started_at(Progress(PROJECTS.empty(), TASKS.empty()))
    >>> plot_cohorts(count_cohorts(audit)).get_xlabel()
    'project set up (UTC)'
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(9.5, 4.2), layout="constrained")
    table = COHORTS.check(cohorts.table)
    if len(table):
        _draw_bars(ax, table, cohorts.every)
    if cohorts.change is not None:
        _draw_change(ax, cohorts.change)
    _dress(ax, cohorts)
    return ax


def _draw_bars(ax: Axes, table: pd.DataFrame, every: pd.Timedelta) -> None:
    counts = table.assign(recorded=table["projects"] - table["null"])
    begins = to_days(table["cohort"])
    edges = np.append(begins, to_days(table["cohort"] + every)[-1:])
    base = np.zeros(len(table))
    for part in PARTS:
        values = counts[part.column].to_numpy(dtype=float)
        if not values.any():
            continue
        # Steps, not a patch a bar: a thousand cohorts stay quick.
        ax.stairs(
            base + values,
            edges,
            baseline=base,
            fill=True,
            label=f"{part.label} ({int(values.sum())})",
            facecolor=part.color,
            hatch=part.hatch,
            edgecolor="#444444" if part.hatch else "white",
            linewidth=0.4,
            zorder=2,
        )
        base = base + values


def _draw_change(ax: Axes, change: Change) -> None:
    at, low, high = to_days(
        pd.DatetimeIndex([change.at, change.low, change.high])
    ).tolist()
    said = "fitted change" if change.origin == "fitted" else "change"
    if high > low:
        ax.axvspan(low, high, label="the change lies within", **BAND)
    if change.origin not in ("given", "fitted"):
        said = plain(change.origin, 40)
    ax.axvline(at, color="black", linestyle="--", linewidth=1.3, zorder=3, label=said)


def _dress(ax: Axes, cohorts: Cohorts) -> None:
    ax.set_xlabel("project set up (UTC)")
    days = cohorts.every.total_seconds() / 86400
    width = {1.0: "day", 7.0: "week"}.get(days, f"{days:g} days")
    ax.set_ylabel(f"projects per {width}")
    # A number and its unit stay on one line.
    said = plain(cohorts.conclusion, 300).replace(" %", "\N{NO-BREAK SPACE}%")
    ax.set_title(fill(said, 92), loc="left", fontsize=11)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    if len(cohorts.table):
        dress_time(ax)
        ax.legend(
            fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0)
        )
    else:
        ax.text(0.5, 0.5, "no project", transform=ax.transAxes, ha="center")
    if cohorts.undated:
        ax.annotate(
            f"left out: {cohorts.undated} without created_at",
            (0, 0),
            (0, -34),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8,
            va="top",
        )
