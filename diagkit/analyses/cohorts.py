"""NULL starts by the age of projects, and the date at which they stop or begin.

A migration without a backfill leaves NULL in the rows that were there before it; a
deploy that forgets a column begins a series of NULLs. Either is a step in the share of
projects that ran without a start, along their ``created_at``. Where no date is given,
the step is fitted: the two segments, each with a share of its own, that make the data
most likely.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.steps import fit_step
from diagkit.errors import SettingError
from diagkit.frames.cohorts import COHORTS
from diagkit.frames.incidents import MARKS

if TYPE_CHECKING:
    from diagkit.analyses.progress import StartedAtAudit
    from diagkit.analyses.tasks import Bools, Ints

__all__ = ["Change", "Cohorts", "count_cohorts"]

WORDS = {"day": "1D", "week": "7D"}
DAY = pd.Timedelta(days=1)
# So many days in days, more in weeks: about as many bars as a chart can show.
READABLE_BINS = 60
MAX_BINS = 10_000
# The last Monday before 1970: where weeks begin.
MONDAY = pd.Timestamp("1969-12-29", tz="UTC")


@dataclass(frozen=True)
class Change:
    """When NULL starts stop, or begin.

    Attributes
    ----------
    at
        The date: as given, or when the first project after the step was set up.
    low, high
        The step lies after `low` and not after `high`; both are `at` where the date was
        given.
    before, after
        Share of the projects without a start among those that ran, in %.
    origin
        ``given``, ``fitted``, or the label of the mark that names the date.
    """

    at: pd.Timestamp
    low: pd.Timestamp
    high: pd.Timestamp
    before: float
    after: float
    origin: str


@dataclass(frozen=True, repr=False, eq=False)
class Cohorts:
    """Projects by when they were set up.

    Attributes
    ----------
    table
        COHORTS, without holes. Where there is a change, one cohort begins with it.
    change
        The step in the share of NULL; None where none can be told.
    every
        Length of a cohort.
    undated
        How many projects have no ``created_at``, and are in no cohort.
    reason
        Why there is no change: ``too little data`` or ``no step``; empty where there
        is one.
    """

    table: pd.DataFrame
    change: Change | None
    every: pd.Timedelta
    undated: int
    reason: str

    @property
    def conclusion(self) -> str:
        """What the cohorts say, in one sentence."""
        ran = int((self.table["projects"] - self.table["legal"]).sum())
        bad = int(self.table["illegal"].sum())
        change = self.change
        if change is None:
            why = {"no step": "; no date parts those that do from those that do not"}
            said = why.get(self.reason, ", too few to tell since when")
            many = "project" if ran == 1 else "projects"
            return f"{bad} of {ran} {many} that ran lack a start{said if bad else ''}"
        shares = _percent(change.before), _percent(change.after)
        if change.low == change.high:
            named = "" if change.origin == "given" else f" ({change.origin})"
            return (
                f"Of the projects that ran, {shares[0]} of those set up before "
                f"{change.at:%Y-%m-%d}{named} lack a start, {shares[1]} of those after"
            )
        way = "stop" if change.before > change.after else "begin"
        named = "" if change.origin == "fitted" else f" ({change.origin})"
        return (
            f"NULL starts {way} with projects set up between "
            f"{change.low:%Y-%m-%d %H:%M} and {change.high:%Y-%m-%d %H:%M} UTC{named}: "
            f"{shares[0]} of those that ran lack one before, {shares[1]} after"
        )

    def __repr__(self) -> str:
        return f"Cohorts({self.conclusion})"


def count_cohorts(
    audit: StartedAtAudit,
    every: str | None = None,
    migration: str | pd.Timestamp | None = None,
    marks: pd.DataFrame | None = None,
) -> Cohorts:
    """Count projects by when they were set up, and date the change in NULL starts.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    every
        Length of a cohort: ``day``, ``week`` or a duration such as ``12h``. None: days,
        or weeks where the projects reach over more than two months.
    migration
        The date of the change, where it is known; without a zone it is UTC. None: it is
        fitted, as a step in the share of projects that ran without a start.
    marks
        MARKS, such as those of an incident. One that lies within the interval of the
        fitted step gives it its name; where no step can be told, the only one with
        ``migration`` in its label gives the date, if projects lie on both sides of it.

    Returns
    -------
    Cohorts
        The counts, and the change.

    Raises
    ------
    SettingError
        If `every` or `migration` cannot be read, or `every` makes more than 10,000
        cohorts.
    ContractError
        If `marks` is no MARKS frame.

    Examples
    --------
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> days = pd.date_range("2025-11-10", periods=20, tz="UTC")
    >>> projects = PROJECTS.build({
    ...     "project_id": [f"p{i}" for i in range(20)],
    ...     "execution_status": ["completed"] * 20,
    ...     "created_at": days,
    ...     "execution_started_at": [None] * 9 + list(days[9:]),
    ... })
    >>> audit = audit_started_at(Progress(projects, TASKS.empty()))
    >>> cohorts = count_cohorts(audit, every="week")
    >>> print(cohorts.conclusion[:50])
    NULL starts stop with projects set up between 2025
    >>> cohorts.change.low.day, cohorts.change.high.day
    (17, 20)
    >>> cohorts.table["illegal"].tolist()
    [2, 7, 0, 0]
    """
    table = audit.projects
    dated = table[table["created_at"].notna()].sort_values("created_at", kind="stable")
    legal = dated["legal"].fillna(False).to_numpy(dtype=bool)
    illegal = dated["null"].to_numpy(dtype=bool) & ~legal
    created = dated["created_at"].reset_index(drop=True)
    ran = ~legal
    change, reason = _date_change(
        created[ran].reset_index(drop=True), illegal[ran], migration, marks
    )
    width = _width(every, created)
    begins, place = _place(created, width, change.at if change else MONDAY)
    counts = {
        name: np.bincount(place[chosen], minlength=len(begins))
        for name, chosen in (
            ("projects", ran | True),
            ("null", legal | illegal),
            ("legal", legal),
            ("illegal", illegal),
        )
    }
    done = counts["projects"] - counts["legal"]
    share = np.where(done > 0, counts["illegal"] / np.maximum(done, 1) * 100, np.nan)
    age = (begins - change.at) / DAY if change else pd.Series(np.nan, begins.index)
    frame = COHORTS.build({"cohort": begins, "age_d": age, **counts, "share": share})
    return Cohorts(frame, change, width, len(table) - len(dated), reason)


def _date_change(
    created: pd.Series,
    null: Bools,
    migration: str | pd.Timestamp | None,
    marks: pd.DataFrame | None,
) -> tuple[Change | None, str]:
    if migration is not None:
        return _split_at(created, null, _moment(migration), "given"), ""
    known = MARKS.empty() if marks is None else MARKS.check(marks)
    change, reason = _fit(created, null)
    if change is not None:
        within = known[known["timestamp"].between(change.low, change.high)]
        if len(within) == 1:
            return replace(change, origin=str(within["label"].iloc[0])), ""
        return change, ""
    named = known[known["label"].str.contains("migration", case=False, regex=False)]
    if len(named) == 1:
        at = named["timestamp"].iloc[0]
        if (created < at).any() and (created >= at).any():
            return _split_at(created, null, at, str(named["label"].iloc[0])), ""
    return None, reason


def _split_at(created: pd.Series, null: Bools, at: pd.Timestamp, origin: str) -> Change:
    before = (created < at).to_numpy()
    return Change(at, at, at, _share(null[before]), _share(null[~before]), origin)


def _fit(created: pd.Series, null: Bools) -> tuple[Change | None, str]:
    # A step lies between two projects that were not set up at one moment.
    moved = (created.diff() > pd.Timedelta(0)).to_numpy()
    step, reason = fit_step(null, moved)
    if step is None:
        return None, reason
    at, low, high = (created[place] for place in (step.best, step.low, step.high))
    shares = _share(null[: step.best]), _share(null[step.best :])
    return Change(at, low, high, *shares, "fitted"), ""


def _share(null: Bools) -> float:
    return float(null.mean() * 100) if len(null) else float("nan")


def _width(every: str | None, created: pd.Series) -> pd.Timedelta:
    if every is None:
        span = created.max() - created.min() if len(created) else pd.Timedelta(0)
        return DAY if span <= READABLE_BINS * DAY else 7 * DAY
    try:
        width = pd.Timedelta(WORDS.get(every, every))
    except ValueError:
        width = pd.Timedelta(0)
    if not width > pd.Timedelta(0):
        msg = f"every={every!r} is no length of time; write 'day', 'week' or '12h'"
        raise SettingError(msg)
    return width


def _place(
    created: pd.Series, width: pd.Timedelta, zero: pd.Timestamp
) -> tuple[pd.Series, Ints]:
    """Return where cohorts begin, one of them at `zero`, and which each time is in."""
    at: Any = ((created - zero) // width).to_numpy(dtype=np.int64)
    first, last = (int(at.min()), int(at.max())) if len(at) else (0, -1)
    if last - first >= MAX_BINS:
        msg = f"every={width} makes {last - first + 1:,} cohorts; choose a longer one"
        raise SettingError(msg)
    begins: Any = zero + pd.Series(np.arange(first, last + 1)) * width
    return begins, at - first


def _moment(when: str | pd.Timestamp) -> pd.Timestamp:
    found = pd.to_datetime(pd.Series([when]), utc=True, errors="coerce")
    if found.isna().any():
        msg = f"migration={when!r} is no time; write '2025-11-19 12:00Z'"
        raise SettingError(msg)
    return pd.Timestamp(found.iloc[0])


def _percent(share: float) -> str:
    return "none" if np.isnan(share) else f"{share:.0f} %"
