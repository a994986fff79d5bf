"""Leaks over time, and the pool below them."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.ticker import MaxNLocator
from pandas.tseries.frequencies import to_offset

from diagkit.analyses.kinds import CODES, KINDS
from diagkit.analyses.utilisation import break_gaps
from diagkit.charts.text import plain
from diagkit.charts.timeaxis import dress_time, to_days
from diagkit.errors import ContractError
from diagkit.frames.incidents import MARKS
from diagkit.frames.pool import POOL

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Style:
    """How a kind is drawn: told apart without colour by its hatch."""

    label: str
    color: str
    hatch: str


# Characters in a line of the legend.
MARK_WIDTH = 34
# Okabe and Ito's colours, that the colour-blind tell apart.
STYLES = dict(
    zip(
        KINDS,
        (
            Style("connection leaked", "#D55E00", ""),
            Style("poisoned transaction", "#CC79A7", "//"),
            Style("no connection available", "#0072B2", "\\\\"),
            Style("connection dropped", "#56B4E9", ".."),
            Style("unfinished transaction", "#009E73", "xx"),
            Style("context not closed", "#F0E442", "--"),
            Style("misuse of the driver", "#999999", "++"),
            Style("wait for a lock", "#117733", "||"),
            Style("upstream not reached", "#332288", "OO"),
            Style("nobody listened", "#661100", "\\|"),
            Style("name not resolved", "#6699CC", "/-"),
            Style("database refused connections", "#AA4466", "\\-"),
            Style("no such column or table", "#999933", "o-"),
            Style("request or worker broke off", "#882255", "**"),
            Style("port taken", "#44AA99", "/\\\\"),
            Style("client did not wait", "#DDCC77", "-."),
            Style("unrounded percentage", "#88CCEE", "+."),
            Style("near a known failure", "#BBBBBB", "x."),
            Style("came back after all", "#EEEEEE", "|."),
            Style("routine", "#FFFFFF", "."),
        ),
        strict=True,
    )
)
OTHER = Style("other", "#DDDDDD", "oo")
GAP: dict[str, Any] = {
    "facecolor": "#EEEEEE",
    "edgecolor": "#BBBBBB",
    "hatch": "///",
    "linewidth": 0,
}


def plot_leaks(
    line: pd.DataFrame,
    ax: Axes | None = None,
    pool: pd.DataFrame | None = None,
    marks: pd.DataFrame | None = None,
    *,
    total: bool = True,
) -> Axes:
    """Draw events over time, stacked by kind, and the leaks added up.

    Parameters
    ----------
    line
        What `count_leaks` returns.
    ax
        Where to draw; by default a new figure.
    pool
        POOL: the pools' use is drawn in a second panel below. Only for a new figure.
    marks
        MARKS: deploys, migrations, restarts; a numbered line each.
    total
        Whether to draw the leaks added up, on an axis of their own at the right.

    Returns
    -------
    matplotlib.axes.Axes
        The upper panel. Bins without any record in the log are hatched: gaps, not
        zeros.

    Raises
    ------
    ContractError
        If `line` has no bins of time, or `pool` comes with an `ax`.

    Examples
    --------
    >>> from diagkit.analyses.leaks import count_leaks
    >>> from diagkit.frames.leaks import LEAKS
    >>> plot_leaks(count_leaks(LEAKS.empty())).get_xlabel()
    'time (UTC)'
    """
    if not isinstance(line.index, pd.DatetimeIndex):
        msg = "plot_leaks draws what count_leaks returns: an index of times is missing"
        raise ContractError(msg)
    if ax is not None and pool is not None:
        msg = "plot_leaks: a pool panel needs a new figure; pass either ax or pool"
        raise ContractError(msg)
    below = None
    if ax is None:
        ax, below = _make_axes(with_pool=pool is not None and len(pool) > 0)
    edges = _edges(line)
    _draw_kinds(ax, line, edges)
    _draw_gaps(ax, line, edges)
    if total:
        _draw_total(ax, line, edges)
    numbered = [] if marks is None else _draw_marks(ax, MARKS.check(marks))
    _dress(ax, line, numbered)
    if below is not None and pool is not None:
        _draw_pool(below, POOL.check(pool))
        ax.set_xlabel("")
    return ax


def _make_axes(*, with_pool: bool) -> tuple[Axes, Axes | None]:
    if not with_pool:
        _, ax = plt.subplots(figsize=(9.5, 4.2), layout="constrained")
        return ax, None
    _, (ax, below) = plt.subplots(
        2,
        1,
        figsize=(9.5, 5.8),
        layout="constrained",
        sharex=True,
        height_ratios=(5, 2),
    )
    return ax, below


def _edges(line: pd.DataFrame) -> np.ndarray[Any, Any]:
    starts = pd.DatetimeIndex(line.index)
    ends = starts[-1:] + _step(line)
    return to_days(pd.DatetimeIndex([*starts, *ends], tz="UTC"))


def _step(line: pd.DataFrame) -> pd.Timedelta:
    """Return the length of a bin."""
    starts = pd.DatetimeIndex(line.index)
    if len(starts) > 1:
        return pd.Timedelta(starts[1] - starts[0])
    return pd.Timedelta(to_offset(line.attrs.get("every", "1min")).nanos, unit="ns")


def _draw_kinds(ax: Axes, line: pd.DataFrame, edges: np.ndarray[Any, Any]) -> None:
    base = np.zeros(len(line))
    counts = line.astype("Float64").fillna(0).to_numpy(dtype=float)
    seen = [str(kind) for kind in line.columns[np.flatnonzero(counts.any(axis=0))]]
    of_data = {kind for kind in seen if CODES.get(kind, ("", ""))[1] == "data"}
    for kind, values in zip(map(str, line.columns), counts.T, strict=True):
        style = STYLES.get(kind, OTHER)
        if kind not in seen:
            continue
        if kind in of_data and len(of_data) < len(seen):
            # What a page shows is no event of a connection: it would hide those.
            label = f"not drawn: {style.label} ({int(values.sum())})"
            ax.plot([], [], " ", label=label)
            continue
        # Steps, not a patch a bar: a thousand bins stay quick. `Axes.stairs` makes the
        # same, and then looks for the limits of every step by itself.
        ax.add_artist(
            StepPatch(
                base + values,
                edges,
                baseline=base,  # type: ignore[arg-type]
                fill=True,
                label=f"{style.label} ({int(values.sum())})",
                facecolor=style.color,
                hatch=style.hatch,
                edgecolor="white" if not style.hatch else "#333333",
                linewidth=0.4,
            )
        )
        base = base + values
    if len(edges):
        ax.update_datalim([(edges[0], 0.0), (edges[-1], float(base.max(initial=0.0)))])
        ax.autoscale_view()


def _draw_gaps(ax: Axes, line: pd.DataFrame, edges: np.ndarray[Any, Any]) -> None:
    silent = line.isna().any(axis=1).to_numpy()
    if not silent.any():
        return
    turns = np.flatnonzero(np.diff(silent, prepend=False, append=False))
    begins, ends = edges[turns[::2]], edges[turns[1::2]]
    ax.broken_barh(
        list(zip(begins, ends - begins, strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        label="no log records",
        zorder=0,
        **GAP,
    )


def _draw_total(ax: Axes, line: pd.DataFrame, edges: np.ndarray[Any, Any]) -> None:
    if "leak" not in line or not line["leak"].fillna(0).any():
        return
    total = line["leak"].fillna(0).cumsum().to_numpy(dtype=float)
    right = ax.twinx()
    right.stairs(
        total,
        edges,
        baseline=None,
        color="black",
        linestyle="--",
        linewidth=1.4,
        label="leaked so far (right)",
    )
    right.set_ylabel("connections leaked so far")
    right.set_ylim(bottom=0)
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.spines["top"].set_visible(False)


def _draw_marks(ax: Axes, marks: pd.DataFrame) -> list[str]:
    times = to_days(pd.DatetimeIndex(marks["timestamp"]))
    for number, at in enumerate(times, start=1):
        ax.axvline(at, color="#444444", linewidth=0.9, linestyle=":")
        ax.annotate(
            str(number),
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 1),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7,
            bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": "#444444"},
        )
    # A legend has no room for long lines: it would be cut off at the picture's edge.
    return [
        fill(f"{n}: {plain(text, 60)}", MARK_WIDTH, subsequent_indent="   ")
        for n, text in enumerate(marks["label"], start=1)
    ]


def _dress(ax: Axes, line: pd.DataFrame, numbered: list[str]) -> None:
    every = line.attrs.get("every", "bin")
    ax.set_ylabel(f"events per {every}")
    ax.set_xlabel("time (UTC)")
    ax.set_title(_conclusion(line), loc="left", fontsize=11, pad=16, y=1.0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    ax.spines[["top", "right"]].set_visible(False)
    if len(line):
        dress_time(ax)
    handles, labels = ax.get_legend_handles_labels()
    for other in ax.figure.axes:
        if other is not ax and other.bbox.bounds == ax.bbox.bounds:
            more = other.get_legend_handles_labels()
            handles, labels = handles + more[0], labels + more[1]
    handles += [Line2D([], [], linestyle="") for _ in numbered]
    labels += numbered
    if handles:
        ax.legend(
            handles,
            labels,
            fontsize=8,
            frameon=False,
            loc="upper left",
            # Beside the axis at the right, where there is one.
            bbox_to_anchor=(1.08 if len(ax.figure.axes) > 1 else 1.02, 1.0),
        )


def _conclusion(line: pd.DataFrame) -> str:
    where = "in view" if line.attrs.get("part") else "in the log"
    undated = int(line.attrs.get("undated", 0))
    lost = int(line.attrs.get("undated_leaks", 0))
    leaks = line["leak"].fillna(0) if "leak" in line else pd.Series(dtype="int64")
    if leaks.any():
        seen = f" {where}" if line.attrs.get("part") else ""
        untimed = f"; {_count(undated, 'event')} without a time" if undated else ""
        return (
            f"{_count(int(leaks.sum()), 'connection')} leaked{seen}; most "
            f"({int(leaks.max())}) {_say_begin(line, leaks.idxmax())}{untimed}"
        )
    events = int(line.fillna(0).to_numpy().sum()) if len(line) else 0
    others = _count(events + undated - lost, "other event")
    if lost:
        return (
            f"{_count(lost, 'connection')} leaked, at a time that the log does not "
            f"say ({others})"
        )
    if not len(line) and not undated and not line.attrs.get("part"):
        return "No event, and no record of a log with a time"
    return f"No leaked connection {where} ({others})"


def _say_begin(line: pd.DataFrame, at: Any) -> str:
    """Say when a bin begins, as exactly as bins are long."""
    step = _step(line)
    if step >= pd.Timedelta(days=1):
        return f"from {at:%Y-%m-%d} UTC"
    times = pd.DatetimeIndex(line.index)
    day = "%Y-%m-%d " if times[0].date() != times[-1].date() else ""
    text = f"{at:{day}%H:%M}"
    if step < pd.Timedelta(minutes=1):
        text = f"{at:{day}%H:%M:%S}"
    if step < pd.Timedelta(seconds=1):
        text += f".{at.microsecond // 1000:03d}"
    return f"from {text} UTC"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _draw_pool(ax: Axes, pool: pd.DataFrame) -> None:
    styles = ("-", "--", "-.", ":")
    for number, (name, samples) in enumerate(pool.groupby("pool", sort=True)):
        clean = break_gaps(samples)
        out = clean["checked_out"].astype("Float64")
        ax.step(
            to_days(pd.DatetimeIndex(clean["timestamp"])),
            out.to_numpy(dtype=float, na_value=np.nan),
            where="post",
            linewidth=1.2,
            linestyle=styles[number % len(styles)],
            label=f"{plain(name, 24)}: checked out",
        )
        _draw_capacity(ax, str(name), samples)
    ax.set_ylabel("connections")
    ax.set_xlabel("time (UTC)")
    ax.set_ylim(bottom=0)
    ax.margins(y=0.25)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    dress_time(ax)
    ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.08, 1.0))


def _draw_capacity(ax: Axes, name: str, samples: pd.DataFrame) -> None:
    capacity = (samples["size"] + samples["max_overflow"]).dropna()
    if capacity.empty:
        return
    most = float(capacity.max())
    ax.axhline(most, color="#888888", linewidth=0.8, linestyle=":")
    ax.annotate(
        f"{plain(name, 24)}: {most:.0f} at most",
        (1.0, most),
        xycoords=("axes fraction", "data"),
        fontsize=7,
        ha="right",
        va="bottom",
    )
