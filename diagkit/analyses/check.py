"""The checks to run after a fix, as a table: each says passed, failed or not done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from diagkit.analyses.comparison import compare_diagnoses
from diagkit.analyses.findings import analyse_incident
from diagkit.analyses.percentages import count_policies, find_percentages
from diagkit.analyses.start_facts import name_some
from diagkit.frames.check import CHECKS as CONTRACT
from diagkit.frames.triage import RESULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diagkit.analyses.findings import Diagnosis
    from diagkit.frames.incidents import Incident

# Findings that say that connections were lost.
LEAKS = ("connection_leak", "recorded_leak", "connections_held", "pool_running_dry")
# Findings that say that more was asked of a pool than it has.
BOUNDS = ("pool_saturated", "pool_exhausted", "pool_running_dry")
# Findings that say that a start is there and picks the wrong tasks.
FILTERS = (
    "started_in_future",
    "started_after_tasks",
    "started_before_project",
    "start_off_by_hours",
    "zone_shift",
    "undated_tasks",
)
# What with a baseline fails: that which was there before, and is not worse, does not.
WORSE = ("new", "worse")
# Words by which a record is one of a subscription (RE2: linear in the text).
SUBSCRIPTION = r"(?i)subscri(?:be|ption)|websocket|graphql-transport-ws|graphql-ws"
# Severities of records that are errors.
ERRORS = ("ERROR", "CRITICAL", "FATAL")


class Answer(NamedTuple):
    """What a check says.

    Attributes
    ----------
    result
        As in CHECKS.
    summary
        One sentence.
    evidence
        Places, or what is missing.
    """

    result: str
    summary: str
    evidence: str = ""


@dataclass(frozen=True)
class Sides:
    """What a check looks at.

    Attributes
    ----------
    after
        The incident, analysed.
    changes
        COMPARISON with an incident from before; None where there is none.
    """

    after: Diagnosis
    changes: pd.DataFrame | None


@dataclass(frozen=True)
class Check:
    """One thing that has to hold after a fix.

    Attributes
    ----------
    name
        Its name.
    ask
        Gives the answer.
    """

    name: str
    ask: Callable[[Sides], Answer]


def check_incident(incident: Incident, before: Incident | None = None) -> pd.DataFrame:
    """Check whether what an incident was about is over.

    Parameters
    ----------
    incident
        What was recorded after the fix.
    before
        What was recorded before it. With it, leaks and a pool that runs full fail only
        where they are new or worse: for a CI that starts from a system with faults.

    Returns
    -------
    pandas.DataFrame
        CHECKS, a row a check: no new leaks, whole percentages, subscriptions without
        errors, old projects right, filtering right, pool in bounds. ``not done`` where
        the incident holds nothing that could tell.

    Examples
    --------
    >>> import diagkit as dk
    >>> rows = check_incident(dk.open_sample())
    >>> rows.loc[rows["check"] == "no_new_leaks", "result"].tolist()
    ['failed']
    """
    after = analyse_incident(incident)
    changes = None
    if before is not None:
        changes = compare_diagnoses(analyse_incident(before), after)
    sides = Sides(after, changes)
    rows = [(check.name, *check.ask(sides)) for check in CHECKS]
    columns = zip(*rows, strict=True)
    frame = CONTRACT.build(dict(zip(CONTRACT.names, columns, strict=True)))
    return CONTRACT.order(frame, result=RESULTS)


def _leaks(sides: Sides) -> Answer:
    incident = sides.after.incident
    seen = len(incident.pool) or len(incident.checkouts)
    if not seen and not sides.after.has_log:
        return Answer(
            "not done",
            "nothing here would show a leak",
            "Add the application's log, samples of the pool, or a recording of it.",
        )
    return _judge(sides, LEAKS, "no connection was lost")


def _bounds(sides: Sides) -> Answer:
    incident = sides.after.incident
    if incident.pool.empty and not sides.after.has_log:
        return Answer(
            "not done",
            "nothing here shows how full the pool was",
            "Add samples of the pool: diagkit pool record, or dk.PoolRecorder.",
        )
    answer = _judge(sides, BOUNDS, "")
    if answer.result == "failed" or incident.pool.empty:
        words = "the log tells of no time without a connection"
        return answer if answer.summary else answer._replace(summary=words)
    return answer._replace(summary=_fullest(incident.pool))


def _fullest(pool: pd.DataFrame) -> str:
    known = pool[pool["checked_out"].notna()]
    if known.empty:
        return "no sample was full"
    most = known.iloc[int(known["checked_out"].argmax())]
    limit = most["size"] + most["max_overflow"]
    of = "" if pd.isna(limit) else f" of {limit}"
    return f"at most {most['checked_out']}{of} connections were out"


def _judge(sides: Sides, codes: Sequence[str], well: str) -> Answer:
    """Fail by findings of these codes; with a baseline, by those new or worse."""
    found = sides.after.findings
    rows = found[found["code"].isin(codes)]
    if sides.changes is not None:
        changed = sides.changes
        bad = changed[changed["code"].isin(codes) & changed["verdict"].isin(WORSE)]
        if bad.empty:
            known = f"{len(rows)} of before, none worse" if len(rows) else well
            return Answer("passed", known)
        return Answer("failed", "; ".join(bad["summary"]))
    if rows.empty:
        return Answer("passed", well)
    return Answer("failed", "; ".join(rows["summary"]), rows["evidence"].iloc[0])


def _whole(sides: Sides) -> Answer:
    shown = find_percentages(sides.after.incident.logs)
    if shown.empty:
        return Answer(
            "not done",
            "no percentage is in the logs",
            "Add the log of what computes the percentages.",
        )
    raw = shown[shown["unrounded"]]
    if raw.empty:
        return Answer("passed", f"none of {len(shown)} logged percentages is unrounded")
    first = raw.iloc[0]
    summary = f"{len(raw)} of {len(shown)} logged percentages are not rounded"
    place = f"first {first['written']} at {first['source']}:{first['line']}"
    return Answer("failed", summary, place)


def _subscriptions(sides: Sides) -> Answer:
    logs = sides.after.incident.logs
    # A pattern over all columns at once would copy the log.
    told = pd.Series(False, index=logs.index)
    for name in ("message", "logger", "traceback"):
        told |= logs[name].str.contains(SUBSCRIPTION, regex=True).fillna(False)
    if not told.any():
        return Answer(
            "not done",
            "no record is of a subscription",
            "Add the log of a time in which somebody was subscribed.",
        )
    failed = told & (logs["level"].isin(ERRORS) | logs["exception"].notna())
    if not failed.any():
        many = int(told.sum())
        return Answer("passed", f"none of {many} records of subscriptions is an error")
    first = logs[failed].iloc[0]
    what = first["exception"] if pd.notna(first["exception"]) else first["level"]
    summary = f"{int(failed.sum())} of {int(told.sum())} records of subscriptions fail"
    return Answer(
        "failed", summary, f"first {what} at {first['source']}:{first['line']}"
    )


def _old_projects(sides: Sides) -> Answer:
    audit, cohorts = sides.after.audit, sides.after.cohorts
    if audit is None or cohorts is None:
        return _no_progress()
    table = audit.projects
    bad = table["null"] & ~table["legal"].fillna(True).astype(bool)
    if not bad.any():
        many = len(table)
        return Answer("passed", f"none of {many} projects lacks a start that it had")
    summary = f"{int(bad.sum())} of {len(table)} projects ran and have no start"
    since = f": {cohorts.conclusion}" if cohorts.change is not None else ""
    return Answer(
        "failed", summary + since, name_some(table.loc[bad, "project_id"].tolist())
    )


def _filtering(sides: Sides) -> Answer:
    audit = sides.after.audit
    if audit is None:
        return _no_progress()
    rows = sides.after.findings
    wrong = rows[rows["code"].isin(FILTERS)]
    if len(wrong):
        return Answer("failed", "; ".join(wrong["summary"]), wrong["evidence"].iloc[0])
    unfiltered = _unfiltered(sides)
    if unfiltered:
        return Answer("failed", unfiltered, "dk.count_policies has each place's rules")
    return Answer("passed", "every start that is there picks the tasks of its run")


def _unfiltered(sides: Sides) -> str:
    """Name the places whose numbers a rule shows that does not look at the run."""
    audit, matches = sides.after.audit, sides.after.matches
    if audit is None or matches is None:
        return ""
    counts = count_policies(matches)
    counts = counts[counts["measure"] == "progress"]
    by_run = {rule.name for rule in audit.policies if rule.population == "run"}
    said = []
    for logger, rows in counts.groupby("logger"):
        shown = rows["shown"] == rows["shown"].max()
        best = rows.loc[shown, "policy"].tolist()
        if by_run.isdisjoint(best):
            said.append(f"{str(logger) or 'a place'} shows all runs ({best[0]})")
    return "; ".join(said)


def _no_progress() -> Answer:
    return Answer(
        "not done",
        "there are no progress tables",
        "Add the tables as CSV or Parquet, or name a database in incident.toml.",
    )


CHECKS = (
    Check("no_new_leaks", _leaks),
    Check("whole_percentages", _whole),
    Check("subscriptions_without_errors", _subscriptions),
    Check("old_projects_right", _old_projects),
    Check("filtering_right", _filtering),
    Check("pool_in_bounds", _bounds),
)
