"""Reading logs, against ripgrep, DuckDB, lnav and a plain ``re`` loop, in one run.

    uv run --with duckdb python tests/benchmarks/bench_logs.py [MEGABYTES] [RUNS]

ripgrep and lnav are used where they are installed. Every figure is the median of the
runs, after one that warms the page cache; the runs of all take turns. The ratio says
how many times as long as diagkit's own figure of that job the peer takes.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from make_log import write_log

import diagkit as dk

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


def search(path: Path) -> int:
    return len(dk.read_logs(path, tz="UTC", matching=LITERALS, progress=False))


def count(path: Path) -> int:
    logs = dk.read_logs(path, tz="UTC", matching=LITERALS, progress=False)
    return int(dk.count_leaks(dk.find_leaks(logs))["leak"].sum())


def whole(path: Path) -> int:
    return len(dk.read_logs(path, tz="UTC", progress=False))


def loop(path: Path) -> int:
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


def duckdb_count(path: Path) -> int:
    import duckdb

    table = (
        f"read_csv('{path}', columns={{'line': 'VARCHAR'}}, delim='\\x01', quote='', "
        "escape='', header=false, auto_detect=false, max_line_size=10000000)"
    )
    where = " or ".join(
        "contains(line, '{}')".format(text.replace("'", "''")) for text in LITERALS
    )
    query = f"select line[1:16], count(*) from {table} where {where} group by 1"
    return sum(row[1] for row in duckdb.sql(query).fetchall())


def lnav(path: Path) -> int:
    query = ";select count(*) from log where log_body like '%QueuePool limit of size%'"
    argv = ["lnav", "-n", "-c", query, path]
    subprocess.run(argv, capture_output=True, check=True, timeout=900)
    return 0


def main(megabytes: int, runs: int) -> None:
    path = FOLDER / f"{megabytes}.log"
    small = FOLDER / f"{megabytes // LNAV_SHARE}.log"
    write_log(path, megabytes)
    write_log(small, megabytes // LNAV_SHARE)
    jobs: dict[str, tuple[Callable[[Path], int], Path]] = {
        "search": (search, path),
        "count": (count, path),
        "whole": (whole, path),
        "re loop": (loop, path),
    }
    if shutil.which("rg"):
        jobs["ripgrep -c"] = (ripgrep, path)
    try:
        import duckdb  # noqa: F401

        jobs["duckdb count"] = (duckdb_count, path)
    except ImportError:
        pass
    if shutil.which("lnav"):
        jobs["lnav"] = (lnav, small)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(runs + 1):
        for name, (work, log) in jobs.items():
            start = time.perf_counter()
            work(log)
            spent = time.perf_counter() - start
            if turn:
                times[name].append(spent * (path.stat().st_size / log.stat().st_size))
    report(times, path.stat().st_size / 1e6)


def report(times: dict[str, list[float]], megabytes: float) -> None:
    middle = {name: statistics.median(values) for name, values in times.items()}
    sys.stdout.write(f"{megabytes:.0f} MB, median (min to max)\n")
    for name, values in times.items():
        sys.stdout.write(
            f"{name:14} {middle[name]:8.2f} s ({min(values):.2f} to {max(values):.2f})"
            f" {megabytes / middle[name]:8.0f} MB/s\n"
        )
    peers = {"ripgrep -c": "count", "duckdb count": "count", "lnav": "count"}
    for peer, ours in (peers | {"re loop": "whole"}).items():
        if peer in middle:
            ratio = middle[peer] / middle[ours]
            sys.stdout.write(f"{peer} takes {ratio:.2f} times as long as {ours}\n")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers + [1000, 3][len(numbers) :]))
