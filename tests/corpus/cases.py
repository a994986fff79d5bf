"""The corpus: which fault, what the person on call had of it, and what is right."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from corpus.clients import write_har
from corpus.faults import STACKS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from corpus.faults import Parts

# Where a part stands in a folder.
PLACES = {
    "backend.log": "backend.log",
    "access.log": "nginx/access.log",
    "error.log": "nginx/error.log",
    "postgresql.log": "postgresql.log",
    "browser.har": "browser.har",
    "recording": "recording",
    "compose": "{}/compose.yaml",
    "stacks": "{}/compose.yaml",
    "progress": "progress/{}",
}


@dataclass(frozen=True)
class Case:
    """One folder of the corpus.

    Attributes
    ----------
    fault
        What was done.
    right
        The hypothesis that has to come first.
    parts
        What of it is in the folder.
    stacks
        Whether compose files that are in order are there, too.
    toml
        Further lines of ``incident.toml``.
    """

    fault: str
    right: str
    parts: tuple[str, ...]
    stacks: bool = False
    toml: str = field(default="")

    @property
    def name(self) -> str:
        """The folder's name."""
        short = [part.partition(".")[0] for part in self.parts]
        more = ["stacks"] * self.stacks + ["toml"] * bool(self.toml)
        return "-".join([self.fault, *short, *more])

    def write(self, folder: Path, left: Mapping[str, Parts]) -> None:
        """Write the folder, from what the faults left."""
        folder.mkdir(parents=True)
        (folder / "incident.toml").write_text(f'zone = "UTC"\n{self.toml}')
        parts = [(name, left[self.fault][name]) for name in self.parts]
        if self.stacks:
            parts.append(("compose", STACKS))
        for name, body in parts:
            _write(folder, PLACES[name], body)


def _write(folder: Path, place: str, body: Any) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(body, str):
        path.write_text(body, encoding="utf-8")
    elif isinstance(body, list):
        write_har(path, body)
    elif isinstance(body, dict):
        for name, text in body.items():
            _write(folder, place.format(name), text)
    else:
        shutil.copytree(body, path)


LOG, ACCESS, ERROR, HAR = "backend.log", "access.log", "error.log", "browser.har"
REC, PG = "recording", "postgresql.log"
TARGET = 'targets = ["http://localhost:8000"]\n'
CASES = (
    Case("healthy", "undetermined", (LOG,)),
    Case("healthy", "undetermined", (LOG, ACCESS, ERROR, HAR), stacks=True),
    Case("healthy", "undetermined", (ACCESS,)),
    Case("healthy", "undetermined", (REC, LOG), stacks=True),
    Case("healthy", "undetermined", ("compose",), toml=TARGET),
    Case("port_taken", "port_conflict", ("compose",)),
    Case("port_taken", "port_conflict", ("stacks",)),
    Case("port_taken", "port_conflict", (LOG,)),
    Case("port_taken", "port_conflict", (LOG, HAR, "compose")),
    Case("workers_without_port", "port_conflict", (LOG,)),
    Case("local_database", "wrong_target", ("compose",)),
    Case("local_database", "wrong_target", ("compose", LOG, HAR)),
    Case("not_published", "not_exposed", ("compose", HAR, LOG)),
    Case("not_published", "not_exposed", ("compose",), toml=TARGET),
    Case("not_published", "not_exposed", ("compose", HAR)),
    Case("wrong_upstream", "wrong_target", (ACCESS, ERROR)),
    Case("wrong_upstream", "wrong_target", (ACCESS, ERROR, LOG, HAR), stacks=True),
    Case("wrong_upstream", "wrong_target", (ERROR,)),
    Case("wrong_database", "wrong_target", (LOG,)),
    Case("wrong_database", "wrong_target", (LOG, HAR), stacks=True),
    Case("proxy_without_name", "name_not_resolved", (ERROR,)),
    Case("proxy_without_name", "name_not_resolved", (ERROR, HAR, LOG)),
    Case("database_without_name", "name_not_resolved", (LOG,)),
    Case("service_without_name", "name_not_resolved", (LOG, HAR), stacks=True),
    Case("killed", "backend_down", (ACCESS, ERROR)),
    Case("killed", "backend_down", (ACCESS, ERROR, LOG, HAR), stacks=True),
    Case("killed", "backend_down", (ACCESS,)),
    Case("restarted", "backend_down", (ACCESS, ERROR, LOG)),
    Case("restarted", "backend_down", (LOG, HAR, ACCESS), stacks=True),
    Case("hanging_worker", "crashed_worker", (LOG,)),
    Case("hanging_worker", "crashed_worker", (LOG, ACCESS, ERROR, HAR)),
    Case("killed_worker", "crashed_worker", (LOG, HAR), stacks=True),
    Case("ended_by_server", "dependency_down", (LOG,)),
    Case("ended_by_server", "dependency_down", (LOG, PG, HAR), stacks=True),
    Case("role_limit", "database_slots", (LOG,)),
    Case("role_limit", "database_slots", (PG,)),
    Case("slots_taken", "database_slots", (LOG, HAR)),
    Case("slots_taken", "database_slots", (PG, LOG), stacks=True),
    Case("small_pool", "pool_exhausted", (LOG,)),
    Case("small_pool", "pool_exhausted", (LOG, REC, ACCESS), stacks=True),
    Case("locked", "lock_wait", (LOG,)),
    Case("locked", "lock_wait", (LOG, PG, HAR), stacks=True),
    Case("slow_upstream", "timeout", (ACCESS, ERROR)),
    Case("slow_upstream", "timeout", (ACCESS, ERROR, LOG, HAR), stacks=True),
    Case("gave_up", "timeout", (ACCESS,)),
    Case("gave_up", "timeout", (ACCESS, ERROR, LOG, HAR), stacks=True),
    Case("deadlock", "lock_wait", (LOG,)),
    Case("deadlock", "lock_wait", (PG, HAR), stacks=True),
    Case("async_leak", "leaked_connections", (LOG,)),
    Case("async_leak", "leaked_connections", (LOG, REC, HAR), stacks=True),
    Case("async_leak", "leaked_connections", (REC,)),
    Case("leak_until_dry", "leaked_connections", (LOG, HAR), stacks=True),
    Case("leak_until_dry", "leaked_connections", (LOG, REC)),
    Case("sync_leak", "leaked_connections", (REC,)),
    Case("sync_leak", "leaked_connections", (REC, LOG, HAR), stacks=True),
    Case("poisoned_session", "poisoned_transactions", (LOG,)),
    Case("poisoned_session", "poisoned_transactions", (LOG, HAR), stacks=True),
    Case("aborted_transaction", "poisoned_transactions", (LOG, ACCESS, ERROR)),
    Case("lazy_load", "missing_greenlet", (LOG,)),
    Case("lazy_load", "missing_greenlet", (LOG, HAR), stacks=True),
    Case("shared_session", "shared_session", (LOG,)),
    Case("shared_session", "shared_session", (LOG, HAR), stacks=True),
    Case("uncaught", "unhandled_exception", (LOG,)),
    Case("uncaught", "unhandled_exception", (LOG, ACCESS, ERROR, HAR), stacks=True),
    Case("broken_stream", "unhandled_exception", (LOG, HAR)),
    Case("missing_column", "migration_half_applied", (LOG,)),
    Case("missing_column", "migration_half_applied", (LOG, PG, HAR), stacks=True),
    Case("missing_table", "migration_half_applied", (LOG, ACCESS)),
    Case("missing_starts", "starts_missing", ("progress",)),
    Case("missing_starts", "starts_missing", ("progress", LOG), stacks=True),
)
