"""What is known to be true of the run, from the ledger and from plain bytes."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from portfolio import Project

HEADER = re.compile(rb"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[([A-Z]+) *\] ")
GC_TEXT = b"The garbage collector is trying to clean up non-checked-in connection"
GC_RECORD = re.compile(
    rb"(?m)^(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d \[ERROR +\]"
    rb" sqlalchemy\.pool\.impl\.\w+: " + GC_TEXT
)
TEXTS = {
    "gc_non_checked_in": GC_TEXT,
    "context_deleted_without_aexit": b"GraphQL context deleted without __aexit__",
    "queuepool_timeout": b"QueuePool limit of size",
    "pending_rollback": b"Can't reconnect until invalid transaction is rolled back",
    "aborted_transaction": b"current transaction is aborted",
    "admin_shutdown": b"terminating connection due to administrator command",
    "undefined_column": b"does not exist",
    "completion_percentage": b"'completion_percentage':",
    "check_violation": b"violates check constraint",
}


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return the ledger's events in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def count_logs(folder: Path) -> dict[str, Any]:
    """Count lines and texts of both logs, byte by byte, with no parser."""
    api = (folder / "api.log").read_bytes()
    console = (folder / "console.log").read_bytes()
    records = _records(api)
    lines = console.split(b"\n")
    access = [line for line in lines if re.match(rb'INFO: +\S+ - "', line)]
    return {
        "api.log": {
            "newlines": api.count(b"\n"),
            "records": len(records),
            "levels": _tally(found.decode() for found in HEADER.findall(api)),
            "gc_error_records": len(GC_RECORD.findall(api)),
            "gc_error_records_by_minute": _tally(
                minute.decode() for minute in GC_RECORD.findall(api)
            ),
            "records_containing": {
                name: sum(text in record for record in records)
                for name, text in TEXTS.items()
            },
            "header_lines_containing": {
                name: sum(text in record.split(b"\n")[0] for record in records)
                for name, text in TEXTS.items()
            },
        },
        "console.log": {
            "newlines": console.count(b"\n"),
            "json_records": sum(line.startswith(b'{"') for line in lines),
            "sawarning_lines": sum(b": SAWarning: " in line for line in lines),
            "access_lines": len(access),
            "access_lines_by_status": _tally(
                line.split(b'" ')[-1].split()[0].decode()
                for line in access
                if b'" ' in line and b"HTTP/" in line
            ),
            "asgi_exceptions": console.count(b"Exception in ASGI application"),
            "lines_containing": {
                name: sum(text in line for line in lines)
                for name, text in TEXTS.items()
            },
        },
    }


def _records(content: bytes) -> list[bytes]:
    starts = [match.start() for match in HEADER.finditer(content)]
    ends = [*starts[1:], len(content)]
    return [content[a:b] for a, b in zip(starts, ends, strict=True)]


def summarise_ledger(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the injected leaks one by one and added up, and the other counts."""
    leaks = [
        {
            "at": event["at"],
            "minute": event["at"][:16].replace("T", " "),
            "place": event["place"],
            "connection": event["connection"],
            "trace": event["trace"],
            "pid": event["pid"],
        }
        for event in events
        if event["event"] == "leak"
    ]
    kinds = Counter(event["event"] for event in events)
    timeouts = [event for event in events if event["event"] == "pool_timeout"]
    contexts = [e for e in events if e["event"] == "websocket_context_abandoned"]
    return {
        "leaks_traced": sum(leak["trace"] for leak in leaks),
        "leaks_untraced": sum(not leak["trace"] for leak in leaks),
        "leaks_by_minute": _split(leaks, "minute"),
        "leaks_by_place": _split(leaks, "place"),
        "websocket_contexts_abandoned": len(contexts),
        "websocket_contexts_abandoned_with_connection": sum(
            event["with_connection"] for event in contexts
        ),
        "pool_timeouts": len(timeouts),
        "pool_timeouts_by_pool": _tally(event["pool"] for event in timeouts),
        "pool_timeouts_by_minute": _tally(
            event["at"][:16].replace("T", " ") for event in timeouts
        ),
        "pending_rollbacks": kinds["pending_rollback"],
        "aborted_transactions": kinds["aborted_transaction"],
        "leaks": leaks,
    }


def describe_projects(projects: list[Project]) -> dict[str, dict[str, Any]]:
    """Return what was planted in each project, and when its run truly began."""
    described = {}
    for project in projects:
        start = project.true_start
        run = [t["status"] for t in project.tasks if start and t["created_at"] >= start]
        described[str(project.columns["project_id"])] = {
            "kind": project.kind.name,
            "status": project.kind.status,
            "runs": len(project.kind.runs),
            "tasks": len(project.tasks),
            "true_run_tasks": len(run),
            "true_run_completed": run.count("completed"),
            "true_start": start and start.strftime("%Y-%m-%d %H:%M:%S.%f"),
        }
    return described


def _tally(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _split(leaks: list[dict[str, Any]], key: str) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for leak in sorted(leaks, key=lambda leak: leak[key]):
        cell = table.setdefault(leak[key], {"traced": 0, "untraced": 0})
        cell["traced" if leak["trace"] else "untraced"] += 1
    return table
