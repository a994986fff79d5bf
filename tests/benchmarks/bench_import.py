"""CPU time of ``import diagkit``, against an interpreter that does nothing.

    uv run python tests/benchmarks/bench_import.py

Each command runs as a process of its own, in turn, and the CPU time (user and system)
is what the operating system accounts for it. The figure to quote is the median of the
differences, pair by pair.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 21
COMMANDS = {"pass": "pass", "import": "import diagkit"}


def cpu_seconds(code: str) -> float:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main() -> None:
    for code in COMMANDS.values():
        cpu_seconds(code)  # warm up
    pairs = []
    for _ in range(RUNS):
        pairs.append({name: cpu_seconds(code) for name, code in COMMANDS.items()})
        time.sleep(0.01)
    nothing, ours = ([p[name] for p in pairs] for name in COMMANDS)
    added = [b - a for a, b in zip(nothing, ours, strict=True)]
    ratio = [b / a for a, b in zip(nothing, ours, strict=True)]
    for name, values, unit in (
        ("python -c pass", nothing, "s"),
        ("import diagkit", ours, "s"),
        ("added by diagkit", added, "s"),
        ("ratio", ratio, "x"),
    ):
        least, middle, most = min(values), statistics.median(values), max(values)
        sys.stdout.write(
            f"{name:18} median {middle:.3f} {unit} (min {least:.3f}, max {most:.3f})\n"
        )


if __name__ == "__main__":
    main()
