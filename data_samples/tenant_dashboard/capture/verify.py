"""Compare the ledger of a sample with its logs; standard library only.

``python data_samples/tenant_dashboard/capture/verify.py [FOLDER]``
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import defaultdict, deque
from pathlib import Path

GC = rb"The garbage collector is trying to clean up non-checked-in connection"
ADDRESS = rb".*? at (0x[0-9a-f]+)>"
API_GC = re.compile(
    rb"(?m)^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) \[ERROR +\] sqlalchemy\.pool\.\S+: "
    + GC
    + ADDRESS
)
WARNING_GC = re.compile(rb"(?m)^\S*:\d+: SAWarning: " + GC + ADDRESS)
JSON_GC = re.compile(rb'(?m)^\{"timestamp".*?"ERROR".*?"message": "' + GC + ADDRESS)
# A path of two parts and more, but neither the rest of a word or a URL.
ABSOLUTE = re.compile(r"(?<![\w./:@$}~*>-])/(?:[\w.+@-]+/)+[\w.+@-]*")
ALLOWED = re.compile(
    r"/(?:srv|usr/local|graphql|api|admin|e/\d+|contracts|var/lib/postgresql)\b"
)
TEXT_SUFFIXES = {".log", ".csv", ".toml", ".json", ".yaml", ".md", ".py", ".sql"}


def match_leaks(folder: Path, leaks: list[dict]) -> list[str]:
    """Pair every collected connection with the leak that lost it, by address.

    Addresses come back, so a record takes the oldest leak of its address that is
    not taken yet and is not later than the record.
    """
    open_leaks: dict[str, deque[dict]] = defaultdict(deque)
    for leak in leaks:
        if leak["trace"]:
            open_leaks[leak["connection"]].append(leak)
    problems = []
    for day, clock, address in API_GC.findall((folder / "api.log").read_bytes()):
        second = f"{day.decode()}T{clock.decode()}"
        waiting = open_leaks[address.decode()]
        if not waiting:
            problems.append(f"{second}: {address.decode()} was never injected")
        elif waiting.popleft()["at"][:19] > second:
            problems.append(f"{second}: {address.decode()} found before its leak")
    missing = [leak for waiting in open_leaks.values() for leak in waiting]
    problems += [f"{x['at']}: {x['connection']} left no record" for x in missing]
    return problems


def count_all(folder: Path, facts: dict) -> list[tuple[str, int, int]]:
    """Return rows of what, expected, found."""
    api = (folder / "api.log").read_bytes()
    console = (folder / "console.log").read_bytes()
    counted = facts["log_counts"]
    traced = sum(leak["trace"] for leak in facts["leaks"])
    found = [match[-1] for match in API_GC.findall(api)]
    after_end = console.rpartition(b"Application shutdown complete")[2]
    abandoned = facts["websocket_contexts_abandoned"]
    deleted = api.count(b"GraphQL context deleted without __aexit__")
    return [
        ("traced leaks = ERROR records in api.log", traced, len(found)),
        ("traced leaks = SAWarnings", traced, len(WARNING_GC.findall(console))),
        ("traced leaks = JSON records", traced, len(JSON_GC.findall(console))),
        ("abandoned contexts = warnings", abandoned, deleted),
        (
            "same addresses, same order in both logs",
            len(found),
            sum(a == b for a, b in zip(found, WARNING_GC.findall(console), strict=0)),
        ),
        ("leaks found at interpreter shutdown", 0, after_end.count(GC)),
        ("newlines api.log", counted["api.log"]["newlines"], api.count(b"\n")),
        (
            "newlines console.log",
            counted["console.log"]["newlines"],
            console.count(b"\n"),
        ),
    ]


def find_machine_paths(folder: Path) -> list[str]:
    """Return absolute paths that a reader elsewhere could not have."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".gz":
            text = gzip.decompress(path.read_bytes()).decode()
        elif path.suffix == ".sqlite":
            text = path.read_bytes().decode(errors="replace")
        elif path.suffix in TEXT_SUFFIXES:
            text = path.read_text(encoding="utf-8")
        else:
            continue
        found += [
            f"{path.relative_to(folder)}: {match[0]}"
            for match in ABSOLUTE.finditer(text)
            if not ALLOWED.match(match[0])
        ]
    return found


def verify(folder: Path) -> int:
    """Print the comparison; return 0 when everything agrees."""
    facts = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    problems = match_leaks(folder, facts["leaks"]) + find_machine_paths(folder)
    for name, expected, found in count_all(folder, facts):
        verdict = "ok" if expected == found else "DIFFERS"
        sys.stdout.write(f"{verdict:8}{name}: {expected}, {found}\n")
        if expected != found:
            problems.append(name)
    sys.stdout.writelines(f"PROBLEM {problem}\n" for problem in problems)
    sys.stdout.write(f"{len(problems)} problems\n")
    return int(bool(problems))


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(verify(Path(given[0]) if given else Path(__file__).parents[1]))
