"""Inferred starts against histories whose truth is known, for they were made up.

A history is what a system did: 1 to 4 runs of a project, with restarts, pauses,
retries, backup agents, late starts, clocks that disagree, rows and times that got lost.
What is left in the two tables is audited; the label of the run on each row is not among
it.

The true percentage is what the newest rule shows for the rows that the last run made
and the table still holds, with or without `created_at`; 0 where it has made none.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

import pandas as pd
import pytest

import diagkit as dk

BASE = pd.Timestamp("2025-11-01", tz="UTC")
MINUTE, HOUR = 60.0, 3600.0
CASES = 1_500
SEEDS = (1, 2, 3, 4)
# What happens to histories, and how many of 6,000 at least.
KINDS = {
    "cleared": 100,
    "late retries": 200,
    "old runs deleted": 60,
    "paused": 600,
    "restarted at once": 100,
    "rows deleted": 600,
    "undated": 200,
}


@dataclass
class Row:
    run: int
    name: str
    agent: str
    created: float | None
    status: str = "pending"
    started: float | None = None
    ended: float | None = None


@dataclass
class History:
    """One project: its row, its tasks, and the truth."""

    status: str = "running"
    created: float | None = None
    updated: float | None = None
    start: float | None = None
    rows: list[Row] = field(default_factory=list)
    runs: int = 1
    kinds: list[str] = field(default_factory=list)
    recorded: float | None = None
    logged: float | None = None


class Author:
    """Makes histories up."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def write(self) -> History:
        story = History()
        choose = self.random
        story.runs = choose.choices((1, 2, 3, 4), (50, 25, 15, 10))[0]
        # A plan that is always the same, or made anew by a model for each run.
        self.fixed = self.chance(0.5)
        self.size = choose.randint(5, 60)
        self.agents = ["web", "qa", "infra"][: choose.randint(1, 3)]
        self.backup = self.chance(0.3)
        self.pace = choose.choice((5.0, 20.0, 60.0))
        self.jitter = 30.0 if self.chance(0.1) else 1.0
        now = choose.uniform(0, 20 * 24 * HOUR)
        story.created = now - choose.uniform(MINUTE, 48 * HOUR)
        for run in range(story.runs):
            last = run == story.runs - 1
            story.start = now
            cut = not last and self.fixed and self.chance(0.08)
            rows, end = self.make_run(story, run, now, cut=cut, last=last)
            story.rows += rows
            if not last:
                self.stop(rows, end)
                quick = choose.uniform(20, 10 * MINUTE)
                pause = HOUR * choose.lognormvariate(2.2, 1.0) + 45 * MINUTE
                now = end + (quick if cut else pause)
                if cut:
                    story.kinds.append("restarted at once")
        self.finish(story, end)
        self.lose(story)
        return story

    def make_run(self, story, run, now, *, cut, last):
        choose = self.random
        names = [f"task {i}" for i in range(self.size)]
        if not self.fixed:
            names = [
                n if self.chance(0.1) else f"{n} of run {run}, {choose.random()}"
                for n in names
            ]
        if cut or (last and self.chance(0.4)):
            names = names[: choose.randint(min(5, len(names)), len(names))]
        held = choose.randrange(len(names)) if self.chance(0.1) else -1
        if held >= 0 and not cut:
            story.kinds.append("paused")
        at = now + choose.uniform(0.2, 45)
        rows, waiting = [], []
        for i, name in enumerate(names):
            if i and i == held and not cut:
                resumed = at + 45 * MINUTE + HOUR * choose.lognormvariate(1.0, 1.0)
                # What waited is taken up after the pause, and all that was made before.
                for row in waiting or rows[-1:]:
                    row.started = resumed + choose.uniform(1, 10 * MINUTE)
                    self.end_task(row)
                at, waiting = resumed + choose.uniform(0.5, 60), []
            rows.append(self.make_task(run, name, at))
            if self.backup:
                twin = Row(run, name, rows[-1].agent, at + choose.uniform(0.01, 40))
                rows.append(self.work(twin))
            soon = held >= 0 and i >= held - 3
            if i < held and soon:
                rows[-1].started = rows[-1].ended = None
                rows[-1].status = "pending"
                waiting.append(rows[-1])
            at += min(choose.expovariate(1 / self.pace), 20 * MINUTE)
        again = [] if cut else self.repair(story, run, rows, at)
        return rows + again, max([at, *(row.created for row in again)])

    def make_task(self, run: int, name: str, at: float) -> Row:
        agent = self.agents[hash_of(name) % len(self.agents)]
        return self.work(Row(run, name, agent, at))

    def work(self, row: Row) -> Row:
        delay = self.random.lognormvariate(1.5, 1.0)
        if self.chance(0.05):
            delay += self.random.uniform(HOUR / 2, 3 * HOUR)  # a late start
        row.started = row.created + delay
        self.end_task(row)
        return row

    def end_task(self, row: Row) -> None:
        row.ended = row.started + self.random.lognormvariate(4.0, 1.0)
        row.status = self.random.choices(("completed", "failed"), (80, 20))[0]

    def repair(self, story, run, rows, at):
        sound = {row.name for row in rows if row.status != "failed"}
        failed = {row.name: row for row in rows if row.name not in sound}.values()
        again, late = [], self.chance(0.06)
        for row in failed:
            if not self.chance(0.3) or len(again) >= len(rows) // 4:
                continue
            wait = self.random.uniform(40 * MINUTE, 3 * HOUR) if late else 30.0
            when = max(row.ended, at) + wait
            again.append(self.work(Row(run, row.name, row.agent, when)))
        if late and again:
            story.kinds.append("late retries")
        return again

    def stop(self, rows: list[Row], end: float) -> None:
        """A restart: what is open is cancelled, or left lying about."""
        left = self.chance(0.15)
        for row in rows:
            if row.ended is not None and row.ended <= end:
                continue
            row.ended = None
            if row.started is not None and row.started > end:
                row.started = None
            row.status = "pending" if row.started is None else "running"
            if not left:
                row.status = "cancelled"

    def finish(self, story: History, end: float) -> None:
        """What the snapshot sees of the last run, and the project's own row."""
        last = [row for row in story.rows if row.run == story.runs - 1]
        story.status = self.random.choices(
            ("running", "completed", "failed", "paused", "pending"), (40, 35, 10, 8, 7)
        )[0]
        seen = end + 4 * HOUR
        if story.status in ("running", "paused"):
            seen = self.random.uniform(last[0].created, end)
            seen = max(seen, last[0].created)
        for row in list(last):
            if row.created > seen:
                story.rows.remove(row)
            elif row.started is None or row.started > seen:
                row.started = row.ended = None
                row.status = "pending"
            elif row.ended > seen:
                row.ended, row.status = None, "running"
        active = max(
            t for r in story.rows for t in (r.created, r.started, r.ended) if t
        )
        story.updated = self.random.choice((None, story.start, active, active + 30))
        if story.status in ("completed", "failed") and self.chance(0.2):
            story.updated = active + self.random.uniform(HOUR, 99 * HOUR)  # an edit
        if self.chance(0.025):
            # A restart has cleared the start, and was cut short.
            story.kinds.append("cleared")
            story.status = "pending" if self.chance(0.8) else "running"
            story.updated = story.start = active + self.random.uniform(
                2 * HOUR, 99 * HOUR
            )
            story.runs += 1
        if self.chance(0.2):
            story.logged = story.start + self.random.uniform(0, 2)

    def lose(self, story: History) -> None:
        """What clocks, deletions and other accidents do to the tables."""
        choose, rows = self.random, story.rows
        for row in rows:
            row.created += choose.uniform(-self.jitter, self.jitter)
        if self.chance(0.05) and story.runs > 1:
            rows[:] = [row for row in rows if row.run]
            story.kinds.append("old runs deleted")
        # That a run began within minutes of another is told by what both have made.
        once = "restarted at once" in story.kinds
        if self.chance(0.15) and not once:
            share = choose.uniform(0.02, 0.3)
            kept = [row for row in rows if not self.chance(share)]
            # Of a run that has vanished nothing can be told.
            if any(row.run == story.runs - 1 for row in kept):
                rows[:] = kept
            story.kinds.append("rows deleted")
        if self.chance(0.05) and not once:
            # Of a run none of whose rows has a time nothing can be told either.
            others = rows[:-1]
            for row in choose.sample(others, min(len(others), 3)):
                row.created = None
                if self.chance(0.5):
                    row.started = None
            story.kinds.append("undated")
        if self.chance(0.1):
            story.created = None


def hash_of(name: str) -> int:
    return sum(name.encode())


def percent_of(rows: list[Row]) -> float:
    """The newest rule in plain words: logical tasks, done or failed, rounded."""
    statuses = defaultdict(list)
    for row in rows:
        statuses[row.name, row.agent].append(row.status)
    done = sum("completed" in s or "failed" in s for s in statuses.values())
    return float(round(done / len(statuses) * 100)) if statuses else 0.0


def moments(values):
    seconds = pd.Series(list(values), dtype="float64")
    return (BASE + pd.to_timedelta(seconds, unit="s")).dt.as_unit("us")


def tabulate(stories: list[History]) -> dk.Progress:
    projects = dk.PROJECTS.build(
        {
            "project_id": [f"p{i}" for i in range(len(stories))],
            "execution_status": [s.status for s in stories],
            "created_at": moments(s.created for s in stories),
            "updated_at": moments(s.updated for s in stories),
            "execution_started_at": moments(s.recorded for s in stories),
        }
    )
    held = [(i, row) for i, s in enumerate(stories) for row in s.rows]
    # Nobody promises that rows come in order.
    random.Random(1).shuffle(held)
    ended = {
        status: moments(r.ended if r.status == status else None for _, r in held)
        for status in ("completed", "failed")
    }
    tasks = dk.TASKS.build(
        {
            "task_id": [str(n) for n in range(len(held))],
            "project_id": [f"p{i}" for i, _ in held],
            "task_name": [row.name for _, row in held],
            "agent_type": [row.agent for _, row in held],
            "status": [row.status for _, row in held],
            "created_at": moments(row.created for _, row in held),
            "started_at": moments(row.started for _, row in held),
            "completed_at": ended["completed"],
            "failed_at": ended["failed"],
        }
    )
    return dk.Progress(projects, tasks)


def judge(stories: list[History]) -> pd.DataFrame:
    """Audit histories; a row each: the truth, the inferred, the bounds."""
    known = [(f"p{i}", s.logged) for i, s in enumerate(stories) if s.logged is not None]
    logged = pd.DataFrame(
        {
            "project_id": [name for name, _ in known],
            "started_at": moments(at for _, at in known),
        }
    )
    audit = dk.audit_started_at(tabulate(stories), now="2030-01-01", logged=logged)
    table = audit.projects[["evidence", "percent_low", "percent_high"]].copy()
    table["best"] = audit.projects["percent_inferred"]
    table["truth"] = [
        percent_of([r for r in s.rows if r.run == s.runs - 1]) for s in stories
    ]
    table["kinds"] = [", ".join(s.kinds) for s in stories]
    return table


def write_all(seed: int, count: int = CASES) -> list[History]:
    author = Author(seed)
    return [author.write() for _ in range(count)]


# Thousands of histories are made and judged.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return pd.concat([judge(write_all(seed)) for seed in SEEDS], ignore_index=True)


def test_the_histories_hold_what_they_should(judged):
    assert len(judged) == 6_000
    for kind, least in KINDS.items():
        assert judged["kinds"].str.contains(kind).sum() >= least, kind
    assert (judged["kinds"] == "").sum() > 3_000
    assert judged["truth"].nunique() > 60


def test_the_bounds_hold_the_truth_in_every_history(judged):
    inside = judged["truth"].between(judged["percent_low"], judged["percent_high"])
    assert judged[~inside].to_dict("records") == []


def test_the_best_candidate_is_right_in_19_of_20(judged):
    right = judged["best"] == judged["truth"]
    assert int(right.sum()) >= 5_750
    # Where nothing odd happened it is right but for a handful.
    plain = judged["kinds"] == ""
    assert int((~right & plain).sum()) <= 10
    # Where it is wrong the row says that the data cannot decide.
    assert judged["evidence"][~right].str.contains("cannot decide").all()
    assert judged["best"].notna().all()


def test_the_bounds_are_worth_something(judged):
    width = judged["percent_high"] - judged["percent_low"]
    assert (width == 0).mean() > 0.45
    assert width.median() <= 1
    open_ = judged["evidence"].str.contains("cannot decide")
    assert (open_ == (width > 0)).all()


@pytest.mark.parametrize("shift", [-5.75 * HOUR, HOUR, 5 * HOUR, 9_000 * HOUR])
def test_a_start_recorded_wrong_leaves_the_truth_within_the_bounds(shift):
    stories = [s for s in write_all(5, 500) if "cleared" not in s.kinds]
    for story in stories:
        story.recorded = story.start + shift
    table = judge(stories)
    inside = table["truth"].between(table["percent_low"], table["percent_high"])
    assert table[~inside].to_dict("records") == []
    # It stands as it is, and is seen to be wrong wherever that makes a difference.
    wrong = table["best"] != table["truth"]
    assert wrong.sum() > 10
    assert (table.loc[wrong, "evidence"] != "recorded").all()


def test_candidates_are_ranked_and_make_the_bounds():
    audit = dk.audit_started_at(tabulate(write_all(6, 500)), now="2030-01-01")
    table = audit.projects.set_index("project_id")
    found = audit.candidates
    best = found[found["rank"] == 1].set_index("project_id")
    known = table["inferred_start"].dropna()
    assert best["started_at"].to_dict() == known.to_dict()
    assert (
        best["percent"].to_dict()
        == table.loc[known.index, "percent_inferred"].to_dict()
    )
    ranks = found.groupby("project_id")["rank"].agg(list)
    assert all(r == list(range(1, len(r) + 1)) for r in ranks)
    assert not found.duplicated(["project_id", "started_at"]).any()
    some = table.index[(table["tasks"] > 0) & table["inferred_start"].notna()]
    by = found.groupby("project_id")
    low, high = by["percent_low"].min()[some], by["percent_high"].max()[some]
    assert low.to_dict() == table.loc[some, "percent_low"].to_dict()
    assert high.to_dict() == table.loc[some, "percent_high"].to_dict()
    inner = found["percent"].between(found["percent_low"], found["percent_high"])
    assert inner.all()
