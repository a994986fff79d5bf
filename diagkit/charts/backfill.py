"""Every percentage before and after a backfill, the largest changes first."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.transforms import blended_transform_factory

from diagkit.charts.text import plain
from diagkit.errors import SettingError, suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from diagkit.analyses.backfill import BackfillPlan

__all__ = ["plot_backfill"]

# Okabe and Ito's colours, that the colour-blind tell apart; shapes tell it without.
BEFORE, AFTER, ALLOWED = "#D55E00", "#0072B2", "#BBBBBB"
MINUS = "\N{MINUS SIGN}"
# Sizes of changes that the projects beyond the limit are put together by.
BANDS_PP = (25.0, 50.0, 75.0, 100.5)
BAND_NAMES = (
    "less than 25 pp",
    "25 to 50 pp",
    "50 to 75 pp",
    "75 to 100 pp",
    "not shown before",
)


def plot_backfill(
    plan: BackfillPlan,
    ax: Axes | None = None,
    policy: str | None = None,
    limit: int = 20,
) -> Axes:
    """Draw what a policy shows before and after a backfill.

    Parameters
    ----------
    plan
        What `plan_backfill` returns.
    ax
        Where to draw; by default a new figure, as high as its rows need.
    policy
        The policy. None: the latest that was in use; where the backfill changes nothing
        that it shows, the latest of which it does.
    limit
        How many projects to draw. The others are a row for each band of changes, with
        the mean of its projects.

    Returns
    -------
    matplotlib.axes.Axes
        A row a project whose percentage changes, the largest change first, with the
        change in percentage points at the right. A grey bar is what the evidence
        allows. The title says what follows; lines below count what is not drawn.

    Raises
    ------
    SettingError
        If the policy is not in the plan, or the limit is not positive.

    Examples
    --------
    >>> from diagkit.analyses.backfill import plan_backfill
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> audit = audit_started_at(Progress(PROJECTS.empty(), TASKS.empty()))
    >>> plot_backfill(plan_backfill(audit)).get_title(loc="left")
    'No start is missing that has to be there: a backfill changes nothing'
    """
    if limit < 1:
        msg = f"limit={limit} draws nothing; use 1 or more"
        raise SettingError(msg)
    name = _choose(plan) if policy is None else _check(plan, policy)
    changed = _changed(plan.preview, name)
    rows = _fold(changed, limit)
    if ax is None:
        height = 2.1 + 0.25 * max(len(rows), 3)
        _, ax = plt.subplots(figsize=(9.5, height), layout="constrained")
    _draw(ax, rows)
    _write_changes(ax, rows)
    _dress(ax, plan, name, rows, len(changed))
    return ax


def _check(plan: BackfillPlan, policy: str) -> str:
    known = [rule.name for rule in plan.policies]
    if policy not in known:
        msg = (
            f"no policy {policy!r} in this plan{suggest(policy, known)}; it has "
            f"{', '.join(known)}"
        )
        raise SettingError(msg)
    return policy


def _choose(plan: BackfillPlan) -> str:
    # The sort is stable: of rules of one date, and of those never in use, the first.
    latest = sorted(plan.policies, key=lambda rule: rule.since, reverse=True)
    for rule in latest:
        if len(_changed(plan.preview, rule.name)):
            return rule.name
    return latest[0].name


def _changed(preview: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the projects that the policy shows otherwise, the largest change first."""
    rows = pd.DataFrame(
        {
            "label": [plain(project, 34) for project in preview["project_id"]],
            "before": preview[f"before_{name}"].to_numpy(),
            "after": preview[f"after_{name}"].to_numpy(),
            "low": preview["percent_low"].to_numpy(),
            "high": preview["percent_high"].to_numpy(),
        }
    )
    shown = rows["after"].notna() & (rows["before"] != rows["after"])
    rows = rows[shown]
    # One that was not shown at all changes most.
    size = (rows["after"] - rows["before"]).abs().fillna(np.inf)
    return rows.assign(size=size).sort_values(
        ["size", "label"], ascending=[False, True], ignore_index=True
    )


def _fold(changed: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Put those beyond the limit into a row for each band of changes, in the mean."""
    if len(changed) <= limit:
        return changed.assign(folded=False)
    rest = changed.iloc[limit:]
    # What was not shown at all has no size: a band of its own.
    band = np.searchsorted(BANDS_PP, rest["size"], side="right")
    rows = []
    for number in np.unique(band)[::-1]:
        part = rest[band == number]
        label = f"{len(part):,} more, {BAND_NAMES[number]}"
        mean = part[["before", "after"]].mean()
        rows.append({"label": label, **mean})
    folded = pd.DataFrame(rows).assign(folded=True)
    return pd.concat(
        [changed.head(limit).assign(folded=False), folded], ignore_index=True
    )


def _draw(ax: Axes, rows: pd.DataFrame) -> None:
    at = np.arange(len(rows))
    wide = (rows["high"] > rows["low"]).to_numpy()
    if wide.any():
        ax.barh(
            at[wide],
            (rows["high"] - rows["low"])[wide],
            left=rows["low"][wide],
            height=0.5,
            color=ALLOWED,
            alpha=0.55,
            zorder=1,
            label="evidence allows",
        )
    ax.hlines(at, rows["before"], rows["after"], color="#777777", linewidth=1, zorder=2)
    for name, shape, color, face in (
        ("before", "o", BEFORE, "none"),
        ("after", "D", AFTER, AFTER),
    ):
        ax.plot(
            rows[name],
            at,
            linestyle="none",
            marker=shape,
            markersize=8 if face == "none" else 5,
            markerfacecolor=face,
            markeredgecolor=color,
            markeredgewidth=1.7 if face == "none" else 1,
            label=f"{name} the backfill",
            zorder=3,
            clip_on=False,
        )


def _write_changes(ax: Axes, rows: pd.DataFrame) -> None:
    beside = blended_transform_factory(ax.transAxes, ax.transData)
    for y, change in enumerate(rows["after"] - rows["before"]):
        text = "not shown before" if np.isnan(change) else f"{change:+.3g} pp"
        ax.text(
            1.02,
            y,
            text.replace("-", MINUS),
            transform=beside,
            ha="left",
            va="center",
            fontsize=8,
        )


def _dress(
    ax: Axes, plan: BackfillPlan, name: str, rows: pd.DataFrame, changed: int
) -> None:
    ax.set_yticks(np.arange(len(rows)), list(rows["label"]), fontsize=8)
    folded = int(rows["folded"].sum())
    if folded:
        for label in ax.get_yticklabels()[-folded:]:
            label.set_fontstyle("italic")
        above = len(rows) - folded - 0.5
        ax.axhline(above, color="#999999", linewidth=0.8, linestyle=":")
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    ax.set_xlim(-3, 103)
    # A label that the caller has set stays.
    ax.set_xlabel(ax.get_xlabel() or f"progress shown by {plain(name)} (%)")
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    title = ax.get_title(loc="left") or fill(_conclude(plan, name), 84)
    ax.set_title(title, loc="left", fontsize=11, pad=22 * bool(changed))
    if changed:
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=3,
            fontsize=8,
            frameon=False,
            borderaxespad=0.2,
            handletextpad=0.4,
        )
    else:
        said = f"{plain(name)} shows the same before and after"
        ax.text(50, 0, said, ha="center")
    ax.annotate(
        "\n".join(_notes(plan, name, changed)),
        (0, 0),
        (0, -34),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        va="top",
    )


def _notes(plan: BackfillPlan, name: str, changed: int) -> list[str]:
    preview = plan.preview
    before, after = preview[f"before_{name}"].mean(), preview[f"after_{name}"].mean()
    notes = []
    if changed:
        notes.append(
            f"mean of all {len(preview):,} projects: {before:.1f} % before, "
            f"{after:.1f} % after; {len(preview) - changed:,} are shown as before"
        )
    left = int((preview["action"] == "undecided").sum())
    if left:
        notes.append(
            f"left NULL: {_many(left, 'project')} whose evidence is none, or more than "
            f"{plan.within_pp:g} pp apart"
        )
    return notes


def _conclude(plan: BackfillPlan, name: str) -> str:
    preview = plan.preview
    set_ = preview[preview["action"] == "set"]
    left = int((preview["action"] == "undecided").sum())
    if not len(set_):
        if not left:
            return (
                "No start is missing that has to be there: a backfill changes nothing"
            )
        return f"{_many(left, 'start')} missing, and the data can decide none of them"
    shown = plain(name)
    of = f"{len(set_):,} of {_many(len(set_) + left, 'missing start')}"
    before, after = set_[f"before_{name}"].mean(), set_[f"after_{name}"].mean()
    if set_[f"before_{name}"].equals(set_[f"after_{name}"]):
        return f"A backfill of {of} changes nothing that {shown} shows"
    was = "nothing" if np.isnan(before) else f"{before:.0f} %"
    return (
        f"A backfill of {of}: {shown} shows {after:.0f} % for them on average, where "
        f"it shows {was} now"
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
