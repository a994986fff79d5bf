"""Audit a dashboard's percentages: what every rule shows, and what NULL does to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.counting import count_tasks
from diagkit.analyses.merging import see_rest
from diagkit.analyses.nulls import judge_nulls, null_rule
from diagkit.analyses.policies import (
    INFERRED,
    POLICIES,
    ProgressPolicy,
    Shown,
    TaskBook,
    apply_policy,
    round_percent,
)
from diagkit.analyses.start_checks import check_starts
from diagkit.analyses.start_facts import StartFacts
from diagkit.analyses.starts import Starts, infer_starts
from diagkit.analyses.task_facts import TaskFacts
from diagkit.errors import SettingError
from diagkit.frames.progress import (
    PROJECTS,
    TASKS,
    Progress,
    ProgressSchema,
    audit_contract,
)
from diagkit.frames.starts import CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from diagkit.analyses.tasks import Book

__all__ = ["StartedAtAudit", "audit_started_at"]

EPOCH = pd.Timestamp(0, tz="UTC")
# Without a `now` of the caller's the latest time in the data stands for it. A run that
# started after the last thing that was written down is no run in the future.
SLACK = pd.Timedelta(days=1)
PROJECT_TIMES = ("updated_at", "execution_completed_at")


@dataclass(frozen=True, repr=False, eq=False)
class StartedAtAudit:
    """What an audit of ``execution_started_at`` found.

    Attributes
    ----------
    projects
        AUDIT, a row a project in the order of PROJECTS, with ``percent_<policy>`` (%),
        ``effect_pp_<policy>`` (percentage points against ``percent_inferred``) and
        ``quality_<policy>`` (%) for the policies.
    portfolio
        A row a policy: ``policy``, ``since``, ``projects`` (with a percentage),
        ``mean_percent``, ``mean_effect_pp``, ``max_effect_pp`` (largest absolute one),
        ``changed`` (displays that differ from the inferred, as a page rounds them),
        ``tasks_out`` and ``tasks_in`` (rows that drop out of the inferred run, or come
        in).
    findings
        FINDINGS.
    policies
        The rules that were applied.
    now
        The moment that is now for the audit.
    schema
        The names of the tables and columns that were read.
    source
        What was read.
    candidates
        CANDIDATES: for every project the moments at which its run may have started,
        with the evidence for each and what the policy `inferred` shows from then.
    null_rule
        Which NULL starts are legal; see `diagkit.analyses.nulls.null_rule`.
    apply
        Computes what a further policy shows for the same projects, in their order.
    """

    projects: pd.DataFrame
    portfolio: pd.DataFrame
    findings: pd.DataFrame
    policies: tuple[ProgressPolicy, ...]
    now: pd.Timestamp | None
    schema: ProgressSchema = field(default_factory=ProgressSchema)
    source: str = ""
    candidates: pd.DataFrame = field(default_factory=CANDIDATES.empty)
    null_rule: Mapping[str | None, str] = field(default_factory=dict)
    apply: Callable[[ProgressPolicy], Shown] | None = None

    def __repr__(self) -> str:
        null = self.projects["null"]
        illegal = int((null & ~self.projects["legal"].fillna(True)).sum())
        return (
            f"StartedAtAudit({len(null)} projects, {int(null.sum())} with a NULL start "
            f"({illegal} illegal), {len(self.findings)} findings)"
        )


def audit_started_at(
    progress: Progress,
    policies: Iterable[ProgressPolicy] = POLICIES,
    now: object = None,
    *,
    gap: str | pd.Timedelta = "30min",
    logged: pd.DataFrame | None = None,
    never_started: Sequence[str] | Mapping[str | None, str] = ("pending",),
) -> StartedAtAudit:
    """Compute what every rule shows for every project, and judge the starts.

    Parameters
    ----------
    progress
        Projects and tasks, from `read_progress`.
    policies
        The rules, in order. The baseline `inferred` is always computed.
    now
        The moment of the audit: a start after it is in the future. None: the latest
        time of a task, of a change to a project or of its end, and a day of slack. A
        time without a zone is UTC.
    gap
        Tasks created more than this apart are of different runs; see `find_bursts`.
    logged
        Starts that log records tell: columns ``project_id`` and ``started_at``.
    never_started
        Project statuses in which a NULL is legal, as long as there is no task. Or the
        whole rule: a status (None: no status) to ``without_tasks`` or ``always``, such
        as ``{"pending": "without_tasks", "paused": "always"}``.

    Returns
    -------
    StartedAtAudit
        A row a project, a row a policy, and findings.

    Raises
    ------
    ContractError
        If the frames lack a column.
    SettingError
        If two policies have one name, or ``gap`` or ``now`` cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> projects = PROJECTS.build(
    ...     {"project_id": ["a"], "execution_status": ["completed"]}
    ... )
    >>> tasks = TASKS.build({
    ...     "project_id": ["a", "a"],
    ...     "task_name": ["build", "test"],
    ...     "status": ["completed", "pending"],
    ...     "created_at": ["2025-11-24 10:00Z", "2025-11-24 10:01Z"],
    ... })
    >>> audit = audit_started_at(Progress(projects, tasks))
    >>> audit
    StartedAtAudit(1 projects, 1 with a NULL start (1 illegal), 1 findings)
    >>> shown = audit.projects.loc[0]
    >>> float(shown["percent_current_run_or_zero"]), float(shown["percent_inferred"])
    (0.0, 50.0)
    """
    rules = _distinct(policies)
    projects = PROJECTS.check(progress.projects)
    baseline = next((rule for rule in rules if rule.name == INFERRED.name), INFERRED)
    asked = tuple(dict.fromkeys((*rules, baseline)))
    counts = count_tasks(progress.counter, projects, asked, gap)
    told = (
        TaskFacts.of_frames(projects, TASKS.check(progress.tasks))
        if counts is None
        else TaskFacts.of_tally(projects, counts.counted.tally)
    )
    latest = _latest(projects, told.latest)
    moment = latest if now is None else _moment(now)
    limit = moment + SLACK if now is None and moment is not None else moment
    infer = partial(
        infer_starts,
        policy=baseline,
        now=_as_us(limit),
        gap=gap,
        logged=logged,
        never_started=never_started,
    )
    if counts is None:
        seen = TaskBook.from_frames(projects, progress.tasks)
        book: Book = seen
        starts = infer(projects, seen)
    else:
        book, starts, told = see_rest(
            counts, projects, told, baseline, infer, _as_us(limit)
        )
    shown = {
        rule.name: apply_policy(rule, book, starts.recorded, starts.inferred)
        for rule in asked
    }
    table = _table(projects, book, starts, shown, rules, never_started)
    facts = StartFacts(
        projects, told, table, starts, shown, rules, limit, now is None, latest
    )
    return StartedAtAudit(
        table,
        _portfolio(rules, shown, baseline),
        check_starts(facts),
        rules,
        moment,
        progress.schema,
        progress.source,
        starts.candidates.to_frame(table["project_id"]),
        null_rule(never_started),
        partial(
            apply_policy, book=book, starts=starts.recorded, inferred=starts.inferred
        ),
    )


def _distinct(policies: Iterable[ProgressPolicy]) -> tuple[ProgressPolicy, ...]:
    rules = (policies,) if isinstance(policies, ProgressPolicy) else tuple(policies)
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"two policies are called {twice[0]!r}; give one of them another name"
        raise SettingError(msg)
    for rule in rules:
        if rule.name == INFERRED.name and rule.null != "inferred":
            msg = (
                "the policy 'inferred' is the baseline of every effect and has "
                f"null='inferred', not {rule.null!r}; give yours another name"
            )
            raise SettingError(msg)
    return rules


def _table(
    projects: pd.DataFrame,
    book: Book,
    starts: Starts,
    shown: dict[str, Shown],
    rules: tuple[ProgressPolicy, ...],
    never_started: Sequence[str] | Mapping[str | None, str],
) -> pd.DataFrame:
    null = projects["execution_started_at"].isna()
    count = book.rows
    status = projects["execution_status"]
    allowed = judge_nulls(status, count, never_started)
    legal = pd.Series(allowed, index=null.index).astype("boolean").where(null)
    base = shown[INFERRED.name].percent
    named = dict.fromkeys((*(rule.name for rule in rules), INFERRED.name))
    quality = [rule.name for rule in rules if rule.quality]
    data: dict[str, object] = {
        "project_id": projects["project_id"],
        "execution_status": status,
        "created_at": projects["created_at"],
        "started_at": projects["execution_started_at"],
        "null": null,
        "legal": legal,
        "tasks": count,
        "inferred_start": _as_times(starts.inferred),
        "percent_low": starts.low,
        "percent_high": starts.high,
        "evidence": list(starts.evidence),
    }
    data |= {f"percent_{name}": shown[name].percent for name in named}
    data |= {f"effect_pp_{name}": shown[name].percent - base for name in named}
    data |= {f"quality_{name}": shown[name].quality for name in quality}
    frame = pd.DataFrame(data, index=projects.index).reset_index(drop=True)
    return audit_contract(named, quality).conform(frame)


def _portfolio(
    rules: tuple[ProgressPolicy, ...],
    shown: dict[str, Shown],
    baseline: ProgressPolicy,
) -> pd.DataFrame:
    base = shown[baseline.name]
    page = round_percent(base.percent, "half_up")
    rows = []
    for rule in rules:
        part = shown[rule.name]
        effect = pd.Series(part.percent - base.percent)
        displayed = round_percent(part.percent, "half_up")
        # A percentage that is not shown at all is a display that changes as well.
        same = (displayed == page) | (np.isnan(displayed) & np.isnan(page))
        rows.append(
            {
                "policy": rule.name,
                "since": rule.since,
                "projects": int(np.isfinite(part.percent).sum()),
                "mean_percent": pd.Series(part.percent).mean(),
                "mean_effect_pp": effect.mean(),
                "max_effect_pp": effect.abs().max(),
                "changed": int((~same).sum()),
                # Of two populations of a project one always holds the other.
                "tasks_out": int(np.maximum(base.tasks - part.tasks, 0).sum()),
                "tasks_in": int(np.maximum(part.tasks - base.tasks, 0).sum()),
            }
        )
    names = (
        "policy since projects mean_percent mean_effect_pp max_effect_pp changed "
        "tasks_out tasks_in"
    )
    return pd.DataFrame(rows, columns=names.split())


def _latest(projects: pd.DataFrame, told: pd.Timestamp | None) -> pd.Timestamp | None:
    # The starts are what is judged, and whoever writes a planned one plans the
    # project's created_at as well: neither is a witness while there is another.
    times = [projects[name].max() for name in PROJECT_TIMES]
    known = [time for time in (*times, told) if not pd.isna(time)]
    known = known or list(projects["created_at"].dropna())
    return max(known) if known else None


def _moment(now: object) -> pd.Timestamp:
    try:
        index = pd.DatetimeIndex([now])
    except (TypeError, ValueError):
        index = pd.DatetimeIndex([None])
    if index.isna().any():
        msg = f"now={now!r} is no time; write '2025-11-28 12:00Z'"
        raise SettingError(msg)
    return (index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC"))[
        0
    ]


def _as_us(moment: pd.Timestamp | None) -> int:
    if moment is None:
        return int(np.iinfo(np.int64).max)
    return (moment - EPOCH) // pd.Timedelta(microseconds=1)


def _as_times(us: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pd.Series:
    # numpy's NaT is the same number.
    return pd.Series(us.astype("datetime64[us]")).dt.tz_localize("UTC")
