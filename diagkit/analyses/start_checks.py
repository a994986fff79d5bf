"""What can be wrong with a start, as a table of checks; each gives findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.policies import QUALITY_DECIMALS, round_percent
from diagkit.analyses.start_facts import name_some
from diagkit.analyses.start_zones import (
    check_hours,
    check_zone,
    commonest,
    find_shifts,
    say_hours,
)
from diagkit.frames.findings import Finding, build_findings
from diagkit.frames.progress import PROJECT_STATUSES, TASK_STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from diagkit.analyses.start_facts import StartFacts
    from diagkit.analyses.tasks import Bools, Floats

__all__ = ["CHECKS", "check_starts"]


def check_starts(facts: StartFacts) -> pd.DataFrame:
    """Run every check of `CHECKS`.

    Parameters
    ----------
    facts
        What they look at.

    Returns
    -------
    pandas.DataFrame
        FINDINGS, the most severe first.
    """
    return build_findings(found for check in CHECKS for found in check(facts))


def _illegal(facts: StartFacts) -> Iterator[Finding]:
    table = facts.table
    bad = table["null"] & ~table["legal"].fillna(True).astype(bool)
    if not bad.any():
        return
    status = table.loc[bad, "execution_status"].astype("object").fillna("no status")
    kinds = [f"{n} {name}" for name, n in sorted(status.value_counts().items())]
    first = facts.started.min()
    created = facts.projects["created_at"].reset_index(drop=True)
    old = int((bad & (created < first)).sum())
    age = f"; {old} of them set up before the first recorded start" if old else ""
    yield Finding(
        "null_started_at",
        "illegal",
        "data",
        "high",
        f"{_many(bad, 'project')} that ran {_verb(bad, 'has', 'have')} no "
        f"execution_started_at ({', '.join(kinds)}){_effect(facts, bad)}",
        f"{facts.name(bad)}{age}",
        "Backfill from the evidence in the audit's inferred_start, then forbid NULL "
        "for every state but one that has not started.",
    )


def _legal(facts: StartFacts) -> Iterator[Finding]:
    legal = facts.table["legal"].fillna(False).astype(bool)
    if legal.any():
        yield Finding(
            "null_started_at",
            "legal",
            "data",
            "info",
            f"{_many(legal, 'project')} without execution_started_at "
            f"{_verb(legal, 'has', 'have')} not started: that is right",
            facts.name(legal),
            "Nothing to do; a backfill leaves them alone.",
        )


def _in_future(facts: StartFacts) -> Iterator[Finding]:
    if facts.future.any():
        than = "every other time in the data" if facts.limit_from_data else "now"
        moment = facts.latest if facts.limit_from_data else facts.limit
        yield Finding(
            "started_in_future",
            "execution_started_at",
            "data",
            "high",
            f"{_many(facts.future, 'project')} with a start later than {than} "
            f"({moment:%Y-%m-%d %H:%M:%S}Z): a rule that counts the current run "
            "shows 0 %",
            facts.name(facts.future),
            "Correct the start; find what writes a planned time into it.",
        )


def _after_tasks(facts: StartFacts) -> Iterator[Finding]:
    late = facts.late & ~facts.future
    if not late.any():
        return
    hint = ""
    steps = find_shifts(facts.lag)[late.to_numpy()].dropna()
    steps = steps[steps != 0]
    if len(steps):
        offset, count = commonest(steps)
        hint = f"; {count} of them {say_hours(offset)}, as a local time would be"
    yield Finding(
        "started_after_tasks",
        "execution_started_at",
        "data",
        "medium",
        f"{_many(late, 'project')} with a start later than every task: a rule that "
        "counts the current run shows 0 %",
        f"{facts.name(late)}{hint}",
        "Look whether the run made no tasks, a restart was cut short, or the start "
        "was written in another zone.",
    )


def _before_project(facts: StartFacts) -> Iterator[Finding]:
    created = facts.projects["created_at"].reset_index(drop=True)
    early = facts.started < created
    if early.any():
        yield Finding(
            "started_before_project",
            "execution_started_at",
            "data",
            "medium",
            f"{_many(early, 'project')} with a start before the project was set up",
            facts.name(early),
            "Look whether the start was copied from elsewhere or written in another "
            "zone.",
        )


def _completed_first(facts: StartFacts) -> Iterator[Finding]:
    done = facts.projects["execution_completed_at"].reset_index(drop=True)
    wrong = done < facts.started
    if wrong.any():
        yield Finding(
            "completed_before_started",
            "execution_completed_at",
            "data",
            "medium",
            f"{_many(wrong, 'project')} with an end before the start",
            facts.name(wrong),
            "Look whether a restart set the start and kept the old end.",
        )


def _tasks_backwards(facts: StartFacts) -> Iterator[Finding]:
    wrong = facts.tasks.backwards
    if len(wrong):
        yield Finding(
            "completed_before_started",
            "tasks",
            "data",
            "medium",
            f"{_many(wrong, 'task')} with an end before the start",
            f"of {_name_owners(wrong) or 'no project'}",
            "Look whether two machines' clocks differ, or a retry kept the old end.",
        )


def _orphans(facts: StartFacts) -> Iterator[Finding]:
    orphans = facts.tasks.orphans
    if len(orphans):
        yield Finding(
            "orphan_tasks",
            "tasks",
            "data",
            "low",
            f"{_many(orphans, 'task')} of no project that is there: no percentage "
            "counts them",
            _name_owners(orphans) or "they have no project_id",
            "Add the foreign key that is missing, or delete them with their project",
        )


def _rounding(facts: StartFacts) -> Iterator[Finding]:
    chosen, rules = pd.Series(False, index=facts.table.index), []
    for rule in facts.policies:
        if rule.rounding is None:
            continue
        other = "half_up" if rule.rounding == "half_even" else "half_even"
        differs = _differs(facts.shown[rule.name].raw, rule.rounding, other)
        if differs.any():
            chosen |= differs
            rules.append(rule.name)
    if chosen.any():
        yield Finding(
            "rounding_differs",
            "half",
            "code",
            "low",
            f"{_many(chosen, 'project')} with a percentage on a half: Python rounds it "
            "to even, JavaScript up, so two displays of one number differ by 1",
            f"{facts.name(chosen)}; under {name_some(rules)}",
            "Round in one place only, and send the page the rounded number",
        )


def _quality_rounding(facts: StartFacts) -> Iterator[Finding]:
    chosen, rules = pd.Series(False, index=facts.table.index), []
    for rule in facts.policies:
        raw = facts.shown[rule.name].raw_quality
        differs = _differs(raw, "half_even", "half_up", QUALITY_DECIMALS)
        if rule.quality and differs.any():
            chosen |= differs
            rules.append(rule.name)
    if chosen.any():
        yield Finding(
            "rounding_differs",
            "quality",
            "code",
            "low",
            f"{_many(chosen, 'project')} with a quality half way between two decimals: "
            "Python's round and JavaScript's Math.round differ by 0.01",
            f"{facts.name(chosen)}; under {name_some(rules)}",
            "Round in one place only, and send the page the rounded number",
        )


def _statuses(facts: StartFacts) -> Iterator[Finding]:
    for subject, counts, known in (
        (
            "projects",
            facts.projects["execution_status"].value_counts(),
            PROJECT_STATUSES,
        ),
        ("tasks", facts.tasks.statuses, TASK_STATUSES),
    ):
        odd = counts[(counts > 0) & ~counts.index.isin(known)]
        if len(odd):
            yield Finding(
                "unknown_status",
                subject,
                "data",
                "low",
                f"{int(odd.sum())} of the {subject} with a status that no rule knows",
                name_some([repr(name) for name in sorted(map(str, odd.index))]),
                "map it with ProgressSchema(statuses={…}) to one of "
                f"{', '.join(known)}",
            )


def _undated(facts: StartFacts) -> Iterator[Finding]:
    undated = facts.tasks.undated
    if undated:
        yield Finding(
            "undated_tasks",
            "tasks",
            "data",
            "low",
            f"{len(undated)} task{'' if len(undated) == 1 else 's'} without "
            "created_at: no run that has a start counts them",
            name_some(list(undated)),
            "make created_at NOT NULL, and backfill it from started_at",
        )


CHECKS: tuple[Callable[[StartFacts], Iterator[Finding]], ...] = (
    _illegal,
    check_zone,
    check_hours,
    _in_future,
    _after_tasks,
    _before_project,
    _completed_first,
    _tasks_backwards,
    _rounding,
    _quality_rounding,
    _orphans,
    _undated,
    _statuses,
    _legal,
)


def _differs(raw: Floats, one: str, other: str, decimals: int = 0) -> Bools:
    differs: Bools = ~np.isnan(raw) & (
        round_percent(raw, one, decimals) != round_percent(raw, other, decimals)
    )
    return differs


def _effect(facts: StartFacts, bad: pd.Series) -> str:
    """Say what the newest rule that was in use shows for projects with NULL."""
    used = [rule for rule in facts.policies if rule.since] or list(facts.policies)
    if not used:
        return ""
    name = max(used, key=lambda rule: rule.since).name
    shown = facts.table.loc[bad, f"percent_{name}"].mean()
    truth = facts.table.loc[bad, "percent_inferred"].mean()
    if pd.isna(shown) or pd.isna(truth):
        return ""
    return (
        f"; {name} shows {shown:.1f} % for them in the mean, the evidence says "
        f"{truth:.1f} %"
    )


def _name_owners(counts: pd.Series) -> str:
    return name_some(sorted(map(str, counts.index.dropna())))


def _many(chosen: pd.Series, noun: str) -> str:
    count = int(chosen.sum())
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _verb(chosen: pd.Series, one: str, many: str) -> str:
    return one if int(chosen.sum()) == 1 else many
