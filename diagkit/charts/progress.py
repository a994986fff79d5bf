"""What every rule shows for every project, and how far NULL takes it from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np

from diagkit.analyses.policies import INFERRED
from diagkit.charts.text import plain
from diagkit.errors import SettingError, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from diagkit.analyses.progress import StartedAtAudit

__all__ = ["choose_policies", "draw_ranked", "plot_started_at", "rank_projects"]


@dataclass(frozen=True)
class Mark:
    """How a policy is drawn: by shape, size and colour, so that all three tell it."""

    shape: str
    size: float
    color: str


# The first are large and hollow, the later small: where several show one value, all of
# them are seen. Okabe and Ito's colours, that the colour-blind tell apart.
MARKS = (
    Mark("o", 11, "#D55E00"),
    Mark("s", 8, "#0072B2"),
    Mark("^", 7, "#009E73"),
    Mark("v", 7, "#CC79A7"),
    Mark("P", 7, "#E69F00"),
    Mark("X", 7, "#56B4E9"),
    Mark("*", 8, "#666666"),
)
TRUTH = Mark("D", 4.5, "#000000")
BAND = "#FBEADF"
# The newest rule and the one that it replaced: more in one row is a riddle, for which
# the caller may ask.
SHOWN = 2
LEGEND_COLUMNS = 4
# Smaller effects are the rounding of a percentage.
LEAST_PP = 0.5


def plot_started_at(
    audit: StartedAtAudit,
    ax: Axes | None = None,
    policies: Sequence[str] | None = None,
    limit: int = 40,
) -> Axes:
    """Draw what the policies show for each project that they do not agree about.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    ax
        Where to draw; by default a new figure, as high as its rows need.
    policies
        Names of the policies to show, besides `inferred`. None: the latest two that
        were in use and do not show the same as a later one.
    limit
        How many projects to draw at most.

    Returns
    -------
    matplotlib.axes.Axes
        A row a project; those with a NULL start first, on a tinted band, then by the
        size of the effect. A grey bar is what the evidence allows. At the right stands
        the largest effect in percentage points against the inferred percentage. A line
        below counts the projects that are left out.

    Raises
    ------
    SettingError
        If a policy is not in the audit, or the limit is not positive.

    Examples
    --------
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> audit = audit_started_at(Progress(PROJECTS.empty(), TASKS.empty()))
    >>> plot_started_at(audit).get_xlabel()
    'shown progress (%)'
    """
    if limit < 1:
        msg = f"limit={limit} draws nothing; use 1 or more"
        raise SettingError(msg)
    names = choose_policies(audit, policies)
    ranked = rank_projects(audit, policies)
    if ax is None:
        height = 1.9 + 0.25 * max(min(len(ranked), limit), 4)
        _, ax = plt.subplots(figsize=(9.5, height), layout="constrained")
    draw_ranked(audit, ranked, names, ax, limit)
    return ax


def draw_ranked(
    audit: StartedAtAudit, ranked: pd.DataFrame, names: list[str], ax: Axes, limit: int
) -> None:
    """Draw projects that are ranked, as `plot_started_at` does.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    ranked
        What `rank_projects` returns.
    names
        What `choose_policies` returns.
    ax
        Where.
    limit
        How many projects at most.
    """
    rows = ranked.head(limit)
    _draw_bounds(ax, rows)
    _draw_marks(ax, rows, names)
    _write_effects(ax, rows)
    _dress(ax, audit, rows, names, left=len(ranked) - len(rows))


def choose_policies(
    audit: StartedAtAudit, policies: Sequence[str] | None = None
) -> list[str]:
    """Choose the policies that `plot_started_at` draws.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    policies
        As there.

    Returns
    -------
    list of str
        Their names, without `inferred`.

    Raises
    ------
    SettingError
        If a policy is not in the audit.
    """
    return _check(audit, policies) if policies else _choose(audit)


def rank_projects(
    audit: StartedAtAudit, policies: Sequence[str] | None = None
) -> pd.DataFrame:
    """Choose the projects that `plot_started_at` draws, if there is room for all.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    policies
        As there.

    Returns
    -------
    pandas.DataFrame
        Their rows of AUDIT, in the order in which they are drawn.
    """
    return _rank(audit.projects, choose_policies(audit, policies))


def _check(audit: StartedAtAudit, policies: Sequence[str]) -> list[str]:
    known = [c.removeprefix("percent_") for c in audit.projects.columns]
    known = [n for n in known if f"effect_pp_{n}" in audit.projects.columns]
    for name in [policies] if isinstance(policies, str) else policies:
        if name not in known:
            msg = (
                f"no policy {name!r} in this audit{suggest(name, known)}; it has "
                f"{', '.join(known)}"
            )
            raise SettingError(msg)
    asked = [policies] if isinstance(policies, str) else list(policies)
    return [name for name in dict.fromkeys(asked) if name != INFERRED.name]


def _choose(audit: StartedAtAudit) -> list[str]:
    rules = [rule for rule in audit.policies if rule.name != INFERRED.name]
    used = [rule for rule in rules if rule.since] or rules
    chosen: list[str] = []
    for rule in sorted(used, key=lambda r: r.since, reverse=True):
        shown = audit.projects[f"percent_{rule.name}"]
        if not any(shown.equals(audit.projects[f"percent_{n}"]) for n in chosen):
            chosen.append(rule.name)
    return chosen[:SHOWN]


def _rank(projects: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the rows to draw, in order, with the effect that is largest in each."""
    effects = projects[[f"effect_pp_{name}" for name in names]].to_numpy(na_value=0.0)
    effect = np.zeros(len(projects))
    if names and len(projects):
        largest = np.abs(effects).argmax(axis=1)
        effect = effects[np.arange(len(projects)), largest]
    size = np.abs(effect)
    illegal = (projects["null"] & ~projects["legal"].fillna(True)).to_numpy(dtype=bool)
    ids = projects["project_id"].rank(method="dense").to_numpy()
    order = np.lexsort((ids, -size, ~illegal))
    order = order[(illegal | (size >= LEAST_PP))[order]]
    rows = projects.iloc[order].reset_index(drop=True)
    return rows.assign(effect=effect[order], illegal=illegal[order], size=size[order])


def _draw_bounds(ax: Axes, rows: pd.DataFrame) -> None:
    at = np.arange(len(rows))
    illegal = int(rows["illegal"].sum())
    if illegal:
        # They are the first rows.
        ax.axhspan(-0.5, illegal - 0.5, color=BAND, linewidth=0, zorder=0)
    wide = (rows["percent_high"] > rows["percent_low"]).to_numpy()
    if wide.any():
        width = (rows["percent_high"] - rows["percent_low"])[wide]
        ax.barh(
            at[wide],
            width,
            left=rows["percent_low"][wide],
            height=0.5,
            color="#BBBBBB",
            alpha=0.55,
            zorder=1,
            label="evidence allows",
        )


def _draw_marks(ax: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    at = np.arange(len(rows))
    shown = rows[[f"percent_{name}" for name in [*names, INFERRED.name]]]
    ax.hlines(
        at, shown.min(axis=1), shown.max(axis=1), color="#777777", linewidth=1, zorder=2
    )
    for i, name in enumerate(names):
        mark = MARKS[i % len(MARKS)]
        ax.plot(
            rows[f"percent_{name}"],
            at,
            linestyle="none",
            marker=mark.shape,
            markersize=mark.size,
            markerfacecolor="none",
            markeredgecolor=mark.color,
            markeredgewidth=1.7,
            label=plain(name),
            zorder=3,
            clip_on=False,
        )
    ax.plot(
        rows[f"percent_{INFERRED.name}"],
        at,
        linestyle="none",
        marker=TRUTH.shape,
        markersize=TRUTH.size,
        color=TRUTH.color,
        label="inferred (best evidence)",
        zorder=4,
        clip_on=False,
    )


def _write_effects(ax: Axes, rows: pd.DataFrame) -> None:
    for y, effect in enumerate(rows["effect"]):
        ax.annotate(
            f"{effect:+.0f} pp".replace("-", "\N{MINUS SIGN}"),
            (1.0, y),
            xycoords=("axes fraction", "data"),
            # Marks at 100 % reach over the end of the axis.
            xytext=(44, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8,
        )


def _dress(
    ax: Axes, audit: StartedAtAudit, rows: pd.DataFrame, names: list[str], left: int
) -> None:
    labels = [
        f"{plain(name, 34)}   {'NULL' if null else ''}".rstrip()
        for name, null in zip(rows["project_id"], rows["illegal"], strict=True)
    ]
    ticks = ax.set_yticks(np.arange(len(rows)), labels, fontsize=8)
    for tick, null in zip(ticks, rows["illegal"], strict=True):
        tick.label1.set_fontweight("bold" if null else "normal")
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    ax.set_xlim(-3, 103)
    ax.set_xlabel("shown progress (%)")
    _head(ax, _conclude(audit, names))
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    if not len(rows):
        ax.text(50, 0, "the policies agree about every project", ha="center")
    alike = len(audit.projects) - len(rows) - left
    many = "project" if alike == 1 else "projects"
    notes = [f"{alike} {many} that the policies show alike"] if alike else []
    notes += [f"{left} more with no larger effect"] if left else []
    if notes:
        ax.annotate(
            f"left out: {'; '.join(notes)}",
            (0, 0),
            (0, -34),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8,
            va="top",
        )


def _head(ax: Axes, title: str) -> None:
    """Write the conclusion, and the legend between it and the rows."""
    handles, labels = ax.get_legend_handles_labels()
    lines = -(-len(handles) // LEGEND_COLUMNS) if len(ax.get_yticks()) else 0
    pad = 8 + 14 * lines
    ax.set_title(fill(title, 84), loc="left", fontsize=11, pad=pad, y=1.0)
    if lines:
        ax.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=LEGEND_COLUMNS,
            fontsize=8,
            frameon=False,
            borderaxespad=0.2,
            handletextpad=0.4,
        )


def _conclude(audit: StartedAtAudit, names: list[str]) -> str:
    table = audit.projects
    illegal = table["null"] & ~table["legal"].fillna(True).astype(bool)
    count = int(illegal.sum())
    if not names:
        return f"{count} projects ran without a recorded start"
    newest = names[0]
    if not count:
        worst = table[[f"effect_pp_{name}" for name in names]].abs().max().max()
        worst = 0.0 if np.isnan(worst) else worst
        return (
            f"Every project that ran has its start; the rules differ by {worst:.0f} pp"
        )
    effect = table.loc[illegal, f"effect_pp_{newest}"].mean()
    shown = plain(newest)
    ran = f"{count} project{'s' if count > 1 else ''} ran without a recorded start"
    if np.isnan(effect):
        return f"{ran}; {shown} shows no percentage for them"
    if abs(effect) < LEAST_PP:
        return f"{ran}; {shown} shows them right"
    way = "low" if effect < 0 else "high"
    return f"{ran}: {shown} shows them {abs(effect):.0f} pp too {way} on average"
