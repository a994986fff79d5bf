"""Reading logs, against ripgrep, DuckDB, lnav and a plain ``re`` loop, in one run.

    uv run --with duckdb python tests/benchmarks/bench_logs.py [MB [LARGE [RUNS]]]

The first log is searched and read whole by all. The larger one (0: none) is the first
several times over, and is searched only, by diagkit and ripgrep. ripgrep, DuckDB and
lnav are used where they are installed. Every job runs in a process of its own, as often
as asked and all in turns; its time does not count the start of Python. A figure is the
median, and the lowest and highest stand beside it; the memory is the highest that any
run had resident.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from make_log import write_log

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path("build/bench")
LITERALS = [
    "non-checked-in connection",
    "QueuePool limit of size",
    "deleted without __aexit__",
    "Can't reconnect until invalid",
]
# lnav takes a minute for what the others do in a second: it gets a tenth of the log.
LNAV_SHARE = 10
HEADER = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \[(\w+) *\] ([\w.]+): (.*)")
TABLE = (
    "read_csv('{path}', columns={{'line': 'VARCHAR'}}, delim='\\x01', quote='', "
    "escape='', header=false, auto_detect=false, max_line_size=10000000)"
)
# name of the ratio, who, what it is held against, and what is asked
ASKED = (
    ("search and count / ripgrep", "count", "ripgrep", "at most 4", 1),
    ("DuckDB's count / search and count", "count", "duckdb", "at least 1.5", -1),
    ("lnav / search and count", "count", "lnav", "at least 30", -1),
    ("re loop / whole", "whole", "loop", "at least 12", -1),
    ("DuckDB into pandas / whole", "whole", "duckdb_pandas", "at least 4", -1),
)


def search(path: Path) -> int:
    import diagkit as dk

    return len(dk.read_logs(path, tz="UTC", matching=LITERALS, progress=False))


def count(path: Path) -> int:
    import diagkit as dk

    logs = dk.read_logs(path, tz="UTC", matching=LITERALS, progress=False)
    return int(dk.count_leaks(dk.find_leaks(logs))["leak"].sum())


def whole(path: Path) -> int:
    import diagkit as dk

    return len(dk.read_logs(path, tz="UTC", progress=False))


def loop(path: Path) -> int:
    import pandas as pd

    rows: list[list[str]] = []
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            match = HEADER.match(line)
            if match:
                rows.append(list(match.groups()))
            elif rows:
                rows[-1][3] += "\n" + line
    return len(pd.DataFrame(rows, columns=["timestamp", "level", "logger", "message"]))


def ripgrep(path: Path) -> int:
    argv = ["rg", "-c", "-F", *(a for text in LITERALS for a in ("-e", text)), path]
    return int(subprocess.run(argv, capture_output=True, check=True).stdout)


def duckdb(path: Path) -> int:
    import duckdb

    where = " or ".join(
        "contains(line, '{}')".format(text.replace("'", "''")) for text in LITERALS
    )
    table = TABLE.format(path=path)
    query = f"select line[1:16], count(*) from {table} where {where} group by 1"
    return sum(row[1] for row in duckdb.sql(query).fetchall())


def duckdb_pandas(path: Path) -> int:
    import duckdb

    # Headers only: lines that follow are not put together with theirs.
    fields = ", ".join(f"'{name}'" for name in ("timestamp", "level", "logger", "text"))
    query = (
        f"select unnest(regexp_extract(line, '{HEADER.pattern}', [{fields}])) "
        f"from {TABLE.format(path=path)}"
    )
    return len(duckdb.sql(query).df())


def lnav(path: Path) -> int:
    query = ";select count(*) from log where log_body like '%QueuePool limit of size%'"
    argv = ["lnav", "-n", "-c", query, path]
    subprocess.run(argv, capture_output=True, check=True, timeout=900)
    return 0


JOBS: dict[str, Callable[[Path], int]] = {
    job.__name__: job
    for job in (search, count, whole, loop, ripgrep, duckdb, duckdb_pandas, lnav)
}


def run_here(name: str, path: Path) -> None:
    """Do one job in this process, and print its time and memory."""
    if name in ("search", "count", "whole", "loop"):
        import pandas as pd

        import diagkit as dk

        # What is used later is imported before the clock starts.
        _ = pd.DataFrame, dk.read_logs, dk.find_leaks, dk.count_leaks
    start = time.perf_counter()
    result = JOBS[name](path)
    spent = time.perf_counter() - start
    who = max(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    )
    sys.stdout.write(json.dumps({"s": spent, "mb": who / 1024, "result": result}))


def run(name: str, path: Path) -> dict[str, Any]:
    argv = [sys.executable, __file__, "--job", name, path]
    done = subprocess.run(argv, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def available() -> list[str]:
    names = list(JOBS)
    for name, program in (("ripgrep", "rg"), ("lnav", "lnav")):
        if shutil.which(program) is None:
            names.remove(name)
    try:
        import duckdb  # noqa: F401
    except ImportError:
        names = [name for name in names if not name.startswith("duckdb")]
    return names


def main(megabytes: int, large: int, runs: int) -> None:
    path = FOLDER / f"{megabytes}.log"
    small = FOLDER / f"{megabytes // LNAV_SHARE}.log"
    write_log(path, megabytes)
    write_log(small, megabytes // LNAV_SHARE)
    jobs = [(name, small if name == "lnav" else path) for name in available()]
    if large:
        repeat(path, FOLDER / f"{large}.log", large // megabytes)
        jobs += [
            (name, FOLDER / f"{large}.log")
            for name in ("count", "ripgrep")
            if name in available()
        ]
    found: dict[tuple[str, Path], list[dict[str, Any]]] = {job: [] for job in jobs}
    for _ in range(runs):
        for job in jobs:
            warm(job[1])
            found[job].append(run(*job))
    report(found, path, small)


def repeat(path: Path, large: Path, times: int) -> None:
    """Write a log several times over, if that is not there already."""
    if not large.exists() or large.stat().st_size != times * path.stat().st_size:
        with large.open("wb") as out:
            for _ in range(times):
                with path.open("rb") as stream:
                    shutil.copyfileobj(stream, out, 1 << 24)


def warm(path: Path) -> None:
    """Have a log in the page cache."""
    buffer = bytearray(1 << 22)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def report(
    found: dict[tuple[str, Path], list[dict[str, Any]]], path: Path, small: Path
) -> None:
    sys.stdout.write(f"{os.cpu_count()} cores; median (lowest to highest)\n")
    middle = {}
    for (name, log), runs in found.items():
        size = log.stat().st_size
        times = [run["s"] for run in runs]
        middle[name, log] = statistics.median(times)
        sys.stdout.write(
            f"{name:14} {size / 1e6:6.0f} MB {middle[name, log]:8.2f} s "
            f"({min(times):.2f} to {max(times):.2f}) "
            f"{size / 1e6 / middle[name, log]:7.0f} MB/s "
            f"{max(run['mb'] for run in runs):7.0f} MB resident; "
            f"result {runs[0]['result']}\n"
        )
    for what, ours, peer, asked, sense in ASKED:
        log = small if peer == "lnav" else path
        if (peer, log) not in middle:
            continue
        scale = path.stat().st_size / log.stat().st_size
        ratio = middle[peer, log] * scale / middle[ours, path]
        sys.stdout.write(f"{what}: {ratio**-sense:.2f} ({asked})\n")
    for (name, log), spent in middle.items():
        if name == "count" and log != path:
            sys.stdout.write(
                f"search and count, {log.stat().st_size / 1e6:.0f} MB / "
                f"{path.stat().st_size / 1e6:.0f} MB: "
                f"{spent / middle[name, path]:.2f} (at most 11)\n"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        run_here(sys.argv[2], Path(sys.argv[3]))
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        main(*(numbers + [1000, 10_000, 3][len(numbers) :]))
