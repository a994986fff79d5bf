"""Finding and counting leaks, against a loop of ``str.contains`` over the same frame.

    uv run python tests/benchmarks/bench_leaks.py [MEGABYTES] [RUNS]

The peer is what one writes in a notebook: for each signature of the catalogue a look
through the messages for its longest literal, and a count a minute. It looks at no
traceback, and finds neither echoes nor copies nor addresses. Both take turns; every
figure is the median of the runs. The ratio says how many times as long as diagkit the
peer takes.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from bench_logs import FOLDER, LITERALS
from make_log import write_log

import diagkit as dk
from diagkit.analyses.kinds import ROUTINE
from diagkit.signatures.catalogue import load_signatures

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1_000_000


def count(logs: pd.DataFrame) -> int:
    return int(dk.count_leaks(dk.find_leaks(logs)).to_numpy().sum())


def contains(logs: pd.DataFrame) -> int:
    found = pd.Series(index=logs.index, dtype=object)
    for signature in load_signatures():
        if signature.kind in ROUTINE:
            continue
        literal = max(signature.text, key=len)
        held = logs["message"].str.contains(literal, regex=False)
        found[held & found.isna()] = signature.kind
    events = logs.loc[found.notna(), ["timestamp"]].assign(kind=found)
    minute = events["timestamp"].dt.floor("1min")
    return int(events.groupby([minute, "kind"]).size().sum())


def make_mixed(matching: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Two fifths of the rows match, and no two messages are alike."""
    number = np.arange(rows)
    mixed = matching.iloc[number % len(matching)].reset_index(drop=True)
    text = pa.array(mixed["message"], type=pa.large_string())
    other = pa.scalar("Querying project with id: project", text.type)
    text = pc.if_else(pa.array(number % 5 < 2), text, other)
    unlike = pa.array(number).cast(pa.large_string())
    mixed["message"] = pd.Series(
        pc.binary_join_element_wise(text, unlike, pa.scalar(" ", text.type)).to_pandas()
    )
    mixed["traceback"] = mixed["traceback"].where(number % 5 < 2)
    mixed["level"] = mixed["level"].where(number % 5 < 2, "INFO")
    mixed["line"] = number + 1
    return mixed


def measure(name: str, logs: pd.DataFrame, runs: int) -> None:
    jobs: dict[str, Callable[[pd.DataFrame], int]] = {
        "find and count": count,
        "str.contains": contains,
    }
    times: dict[str, list[float]] = {job: [] for job in jobs}
    for _ in range(runs):
        for job, work in jobs.items():
            start = time.perf_counter()
            work(logs)
            times[job].append(time.perf_counter() - start)
    sys.stdout.write(f"{name}: {len(logs):,} records, median (min to max)\n")
    for job, values in times.items():
        middle = statistics.median(values)
        sys.stdout.write(
            f"  {job:14} {middle:8.3f} s ({min(values):.3f} to {max(values):.3f})\n"
        )
    ours, peer = (statistics.median(values) for values in times.values())
    sys.stdout.write(f"  str.contains takes {peer / ours:.1f} times as long\n")


def main(megabytes: int, runs: int) -> None:
    path = FOLDER / f"{megabytes}.log"
    write_log(path, megabytes)
    logs = dk.read_logs(path, tz="UTC", matching=LITERALS, progress=False)
    measure("all match", logs, runs)
    measure("two fifths match", make_mixed(logs, ROWS), runs)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers + [1000, 3][len(numbers) :]))
