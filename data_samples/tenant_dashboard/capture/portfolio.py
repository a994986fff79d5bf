"""The projects and tasks of the sample: seeded, and independent of the clock.

Every kind of project is listed in `KINDS` with what it plants. Times are relative
to `BASE`; migration 008 reached this system at `MIGRATED_AT`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

BASE = datetime(2025, 11, 25, 16, 0, tzinfo=UTC)
MIGRATED_AT = datetime(2025, 11, 19, 14, 0, tzinfo=UTC)
JAMAICA_BEHIND_UTC = timedelta(hours=5)
CLIENTS = ("Harbour Foods", "Blue Ridge", "Montego Air", "Palm Clinic", "Reef Tours")
AGENTS = ("coder", "qa", "frontend", "integration", "mobile", "security")
SUBJECTS = ("Orders API", "Login page", "Invoice sync", "Booking form", "Audit log")


@dataclass(frozen=True)
class Kind:
    """How many projects of one sort, and how to make them."""

    name: str
    count: int
    status: str
    runs: tuple[int, ...]
    done: float = 1.0
    start: str = "run"
    before_migration: bool = False


# `start`: NULL, the last run's true start, or one of the wrong ones.
KINDS = (
    Kind("completed_null", 4, "completed", (41,), start="null", before_migration=True),
    Kind("running_null", 4, "running", (45,), 0.55, "null", before_migration=True),
    Kind("running_null_two_runs", 3, "running", (30, 29), 0.4, "null", True),
    Kind("failed_null", 2, "failed", (33,), 0.3, "null", before_migration=True),
    Kind("paused_null", 1, "paused", (41,), 0.5, "null", before_migration=True),
    Kind("pending_never_started", 4, "pending", (), start="null"),
    Kind("pending_null_with_tasks", 2, "pending", (27,), 0.2, "null", True),
    Kind("completed_clean", 4, "completed", (37,)),
    Kind("running_clean", 4, "running", (38,), 0.6),
    Kind("restarted", 3, "running", (20, 18, 25), 0.45),
    Kind("restart_left_null", 1, "running", (22, 20), 0.5, "null"),
    Kind("future_start", 1, "running", (38,), 0.7, "future"),
    Kind("start_after_all_tasks", 1, "running", (35,), 0.6, "after"),
    Kind("start_before_project", 1, "completed", (36,), start="before_project"),
    Kind("local_time_as_utc", 2, "running", (30, 34), 0.35, "local"),
    Kind("completed_before_started", 1, "completed", (39,), start="swapped"),
    Kind("main_and_backup_agents", 2, "running", (44,), 0.5),
    Kind("no_tasks", 1, "running", ()),
    Kind("exact_half_percent", 1, "running", (8,), 0.125),
)


@dataclass
class Project:
    """One project: its columns, its tasks and the truth about its run."""

    kind: Kind
    columns: dict[str, object]
    true_start: datetime | None
    tasks: list[dict[str, object]] = field(default_factory=list)


def build_portfolio(seed: int) -> list[Project]:
    """Return the projects with their tasks, the same ones for the same seed."""
    rng = random.Random(seed)
    projects: list[Project] = []
    for kind in KINDS:
        for _ in range(kind.count):
            projects.append(_build_project(kind, len(projects) + 1, rng))
    for number, task in enumerate((t for p in projects for t in p.tasks), start=1):
        task["id"] = number
        task["task_id"] = f"task-{task['project_id']}-{number:05d}"
    return projects


def _build_project(kind: Kind, number: int, rng: random.Random) -> Project:
    client = CLIENTS[number % len(CLIENTS)]
    project_id = f"{client.lower().replace(' ', '-')}-{number:03d}"
    latest = (MIGRATED_AT if kind.before_migration else BASE) - timedelta(hours=3)
    gap = timedelta(hours=3) if kind.start == "local" else timedelta(hours=20)
    # The last run begins late enough before `latest` for its tasks to fit.
    last_run = latest - timedelta(hours=2) - _some(rng, 20.0)
    starts = [last_run - gap * back for back in range(len(kind.runs))][::-1]
    first = starts[0] if starts else last_run
    created_at = first - timedelta(hours=1) - _some(rng, 30.0)
    true_start = None if kind.name == "pending_never_started" else last_run
    project = Project(kind, {}, true_start)
    for index, (start, count) in enumerate(zip(starts, kind.runs, strict=True)):
        is_last = index == len(starts) - 1
        done = kind.done if is_last else 0.9
        if kind.name != "exact_half_percent":
            varied = _vary(count, done, rng)
        else:
            varied = (count, done)
        project.tasks += _build_run(project_id, start, *varied, kind, rng)
    moments = [t["created_at"] for t in project.tasks]
    updated_at = max(moments, default=created_at) + timedelta(minutes=20)
    project.columns = {
        "id": number,
        "project_id": project_id,
        "client_name": client,
        "is_active": kind.status != "failed",
        "created_at": created_at,
        "updated_at": updated_at,
        "execution_status": kind.status,
        **_execution(kind, last_run, updated_at, created_at),
        "execution_error": "agent stopped" if kind.status == "failed" else None,
        "output_folder_path": f"/srv/projects/{project_id}" if kind.runs else None,
    }
    return project


def _vary(count: int, done: float, rng: random.Random) -> tuple[int, float]:
    """Make two projects of a kind differ; the count stays even where it was."""
    share = done if done == 1.0 else done * rng.uniform(0.8, 1.1)
    return count + 2 * rng.randint(-3, 3), share


def _execution(
    kind: Kind, run: datetime, updated_at: datetime, created_at: datetime
) -> dict[str, datetime | None]:
    """Return what the two execution columns hold, naive as they are stored."""
    wrong: dict[str, datetime | None] = {
        "null": None,
        "run": run,
        "future": run.replace(year=2052),
        "after": updated_at + timedelta(hours=1),
        "before_project": created_at - timedelta(days=2),
        "local": run - JAMAICA_BEHIND_UTC,
        "swapped": run,
    }
    start = wrong[kind.start]
    end = updated_at if kind.status == "completed" else None
    if kind.start == "swapped":
        end = run - timedelta(minutes=45)
    return {
        "execution_started_at": start and start.replace(tzinfo=None),
        "execution_completed_at": end and end.replace(tzinfo=None),
    }


def _build_run(
    project_id: str,
    start: datetime,
    count: int,
    done: float,
    kind: Kind,
    rng: random.Random,
) -> list[dict[str, object]]:
    """Return `count` rows of one run, the share `done` of them completed."""
    finished = round(count * done)
    statuses = ["completed"] * finished + _unfinished(count - finished, rng, kind)
    has_backup = kind.name == "main_and_backup_agents"
    rows = []
    created_at = start
    for index, status in enumerate(statuses):
        is_backup = has_backup and index % 2 == 1
        agent = AGENTS[(index // 2 if has_backup else index) % len(AGENTS)]
        logical = index // 2 if has_backup else index
        created_at += _some(rng, 0.02)
        rows.append(
            {
                "project_id": project_id,
                "agent_type": agent,
                "agent_id": f"{agent}_{'backup' if is_backup else 'main'}",
                "task_name": f"{SUBJECTS[logical % len(SUBJECTS)]}, part {logical + 1}",
                "status": status,
                "created_at": created_at,
                **_moments(status, created_at, rng),
                "tenant_id": len(project_id) % 5 + 1,
            }
        )
    if has_backup:
        _spread_statuses(rows, statuses, rng)
    return rows


def _unfinished(count: int, rng: random.Random, kind: Kind) -> list[str]:
    if kind.status == "failed":
        return ["failed"] * count
    states = ("pending", "started", "running", "failed", "cancelled")
    return rng.choices(states, weights=(5, 2, 2, 2, 1), k=count)


def _spread_statuses(
    rows: list[dict[str, object]], statuses: list[str], rng: random.Random
) -> None:
    """Let main and backup of one task end differently."""
    shuffled = rng.sample(statuses, k=len(statuses))
    for row, status in zip(rows, shuffled, strict=True):
        created_at = row["created_at"]
        assert isinstance(created_at, datetime)
        row |= {"status": status, **_moments(status, created_at, rng)}


def _moments(
    status: str, created_at: datetime, rng: random.Random
) -> dict[str, datetime | float | None]:
    """Return the times and the progress that fit a status."""
    begun = created_at + timedelta(seconds=rng.uniform(0.5, 6))
    ended = begun + timedelta(seconds=rng.uniform(5, 900))
    started_at = None if status in {"pending", "cancelled"} else begun
    partial = 0.0 if started_at is None else round(rng.uniform(1, 95), 1)
    return {
        "started_at": started_at,
        "completed_at": ended if status == "completed" else None,
        "failed_at": ended if status == "failed" else None,
        "progress_percentage": 100.0 if status == "completed" else partial,
    }


def _some(rng: random.Random, hours: float) -> timedelta:
    return timedelta(seconds=rng.uniform(0.001, hours * 3600))
