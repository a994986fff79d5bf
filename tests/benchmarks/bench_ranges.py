"""What a log costs on a cluster: CPU of the workers, bytes sent, work of the client.

    uv run python tests/benchmarks/bench_ranges.py [MEGABYTES] [WORKERS]

The table is the one of docs/clusters.md. CPU is that of all threads, so that it does
not matter how many cores read one range; figures are per GB of log, the page cache
warm. The last lines are of a real cluster of processes on this machine.
"""

from __future__ import annotations

import pickle
import resource
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client, LocalCluster
from make_log import write_log

import diagkit as dk
from diagkit.sources.literals import find_literals
from diagkit.sources.logs import read_log_file
from diagkit.sources.parts import Reading
from diagkit.sources.paths import SourceFile
from diagkit.sources.ranges import RANGE_BYTES, cut_file

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path("build/bench")
JOBS: dict[str, Any] = {
    "matching": ["sqlalchemy.queuepool_timeout", "non-checked-in connection"],
    "everything": None,
}


def measure(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, the seconds, and the seconds of CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - began, time.process_time() - cpu


def cost(path: Path, matching: Any) -> dict[str, float]:
    """Read the ranges of a log here, one by one, and put them together."""
    literals = find_literals(matching)
    whole = partial(read_log_file, tz="UTC", literals=literals)
    reading = Reading(whole, "UTC", literals, None)
    parts = cut_file(SourceFile(path, path.name))
    gigabytes = path.stat().st_size / 1e9
    reading.read(parts[0], reading.first)
    pieces, _, cpu = measure(
        lambda: [reading.read(part, reading.first) for part in parts]
    )
    sent = sum(len(pickle.dumps(piece)) for piece in pieces)
    logs, _, joining = measure(lambda: reading.join(pieces, path.name, reading.first))
    return {
        "worker, CPU s a GB": cpu / gigabytes,
        "worker, MB a CPU s": gigabytes * 1000 / cpu,
        "records a GB": len(logs) / gigabytes,
        "sent to the client, MB a GB": sent / 1e6 / gigabytes,
        "client, CPU s a GB": joining / gigabytes,
        "client, memory of the answer, MB a GB": logs.memory_usage(deep=True).sum()
        / 1e6
        / gigabytes,
    }


def spread(path: Path, matching: Any, client: Client) -> dict[str, float]:
    """Read a log here and on a cluster."""
    read = partial(dk.read_logs, path, tz="UTC", matching=matching, progress=False)
    read(engine=client)
    megabytes = path.stat().st_size / 1e6
    _, here, _ = measure(read)
    _, there, _ = measure(lambda: read(engine=client))
    peaks = client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "here, MB/s": megabytes / here,
        "on the cluster, MB/s": megabytes / there,
        "a worker at its most, MB": max(peaks.values()) * unit / 1e6,
    }


def main(megabytes: int, workers: int) -> None:
    path = FOLDER / f"{megabytes}.log"
    write_log(path, megabytes)
    columns: dict[str, dict[str, float]] = {}
    # Before anything large is in memory: a process counts it for those it starts.
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        for name, matching in JOBS.items():
            columns[name] = spread(path, matching, client)
    for name, matching in JOBS.items():
        columns[name] = cost(path, matching) | columns[name]
    lines = [
        f"{megabytes} MB in ranges of {RANGE_BYTES / 1e6:g} MB, {workers} workers\n",
        "| | " + " | ".join(columns) + " |",
        "|---" + "|---:" * len(columns) + "|",
    ]
    for row in next(iter(columns.values())):
        cells = " | ".join(f"{column[row]:,.3g}" for column in columns.values())
        lines.append(f"| {row} | {cells} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*(given + [200, 2][len(given) :]))
