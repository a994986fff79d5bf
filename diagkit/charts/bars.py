"""Pictures of a fixed size whose bars can be clicked: drawn fast, as steps."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diagkit.charts.leaks import OTHER, STYLES
from diagkit.charts.text import plain
from diagkit.charts.timeaxis import dress_time, to_days

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# In dots of a screen: where a button has to stand to lie over a bar.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 330, 56, 16, 46, 48
DPI = 100
CHOSEN = "#000000"


def make_axes() -> Axes:
    """Make axes that lie where the buttons over their bars do.

    Returns
    -------
    matplotlib.axes.Axes
        Of a figure that pyplot does not keep.
    """
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    box = (
        LEFT / WIDTH,
        BOTTOM / HEIGHT,
        (WIDTH - LEFT - RIGHT) / WIDTH,
        (HEIGHT - TOP - BOTTOM) / HEIGHT,
    )
    axes = figure.add_axes(box)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def to_screen(ax: Axes) -> bytes:
    """Draw axes that `make_axes` made as PNG: one dot of the picture a dot of a screen.

    Parameters
    ----------
    ax
        The axes.

    Returns
    -------
    bytes
        The picture.
    """
    out = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.savefig(
        out,
        format="png",
        dpi=DPI,
        metadata={"Software": None},
        pil_kwargs={"compress_level": 1},
    )
    return out.getvalue()


def plot_events(
    counts: pd.DataFrame, every: pd.Timedelta, at: str | None, ax: Axes | None = None
) -> Axes:
    """Draw events over time, stacked by kind.

    Parameters
    ----------
    counts
        Index ``timestamp``, a column a kind: as `view_events` gives it.
    every
        Length of a bin.
    at
        When the bar begins that is chosen; None for none.
    ax
        Where; None: new axes as `make_axes` makes them.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = make_axes() if ax is None else ax
    starts = pd.DatetimeIndex(counts.index)
    if len(starts):
        edges = to_days(pd.DatetimeIndex([*starts, starts[-1] + every]))
        _stack(ax, counts, edges)
        ax.set_xlim(edges[0], edges[-1])
        if at is not None:
            moment = pd.Timestamp(at, tz="UTC").floor(every)
            day = to_days(pd.DatetimeIndex([moment, moment + every]))
            ax.axvspan(day[0], day[1], fill=False, edgecolor=CHOSEN, linewidth=2)
    _dress(ax, f"events per {_say(every)}")
    dress_time(ax)
    return ax


def _stack(ax: Axes, counts: pd.DataFrame, edges: np.ndarray[Any, Any]) -> None:
    base = np.zeros(len(counts))
    known = [name for name in STYLES if name in counts.columns]
    for kind in [*known, *sorted(set(counts.columns) - set(known))]:
        values = counts[kind].to_numpy(dtype=float)
        style = STYLES.get(str(kind), OTHER)
        total = int(values.sum())
        ax.stairs(
            base + values,
            edges,
            baseline=base,
            fill=True,
            facecolor=style.color,
            hatch=style.hatch,
            edgecolor="#333333",
            linewidth=0.4,
            label=plain(f"{style.label} ({total})"),
        )
        base = base + values


def plot_percentages(rows: pd.DataFrame, project: str | None, label: str) -> Axes:
    """Draw what a rule shows for projects, and what the evidence says.

    Parameters
    ----------
    rows
        ``project_id``, ``shown``, ``inferred``, ``low`` and ``high``, in %.
    project
        The one that is chosen; None for none.
    label
        The rule.

    Returns
    -------
    matplotlib.axes.Axes
        New axes as `make_axes` makes them.
    """
    ax = make_axes()
    edges = np.arange(len(rows) + 1)
    middle = edges[:-1] + 0.5
    if len(rows):
        shown = rows["shown"].to_numpy(dtype=float)
        ax.stairs(
            np.nan_to_num(shown),
            edges,
            fill=True,
            facecolor="#56B4E9",
            edgecolor="#333333",
            label=plain(f"shown by {label}"),
        )
        ax.vlines(
            middle,
            rows["low"].to_numpy(dtype=float),
            rows["high"].to_numpy(dtype=float),
            color="#000000",
            linewidth=1,
        )
        ax.plot(
            middle,
            rows["inferred"].to_numpy(dtype=float),
            "_",
            color="#D55E00",
            markersize=9,
            markeredgewidth=3,
            label="by the evidence, with its bounds",
        )
        names = rows["project_id"].tolist()
        if project in names:
            at = names.index(project)
            ax.axvspan(at, at + 1, fill=False, edgecolor=CHOSEN, linewidth=2)
        ax.set_xlim(0, len(rows))
    ax.set_ylim(0, 100)
    ax.set_xticks([])
    ax.set_xlabel("projects, the largest effect first")
    _dress(ax, "%")
    return ax


def _dress(ax: Axes, label: str) -> None:
    ax.set_ylabel(label)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_ylim(bottom=0)
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            handles[:8],
            labels[:8],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=4,
            frameon=False,
            fontsize=6.8,
            handlelength=1.6,
            borderaxespad=0.2,
            columnspacing=0.8,
        )


def _say(every: pd.Timedelta) -> str:
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        count = every.total_seconds() / seconds
        if count >= 1 and count == int(count):
            return f"{int(count)} {unit}"
    return f"{every.total_seconds():g} s"
