"""`diagkit review` on two notebooks of 16 MB, against nbdime's `nbdiff`.

    uv run python tests/benchmarks/bench_review.py

The notebooks were run: they hold pictures and the findings that a cell showed, and
every output of the one differs from that of the other. Each command runs as a process
of its own, in turn; the figures are medians of wall-clock seconds. ``nbdiff`` is asked
to leave outputs out, as the settings that diagkit writes ask it to.
"""

from __future__ import annotations

import base64
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from diagkit.frames.findings import Finding, build_findings
from diagkit.report.runs import MIME, show_findings

RUNS = 7
MEGABYTES = 16
PICTURES = 64
SCRIPTS = Path(sys.executable).parent
OPTIONS = ("--ignore-outputs", "--ignore-metadata", "--ignore-details", "--no-color")


def make(path: Path, seed: int) -> None:
    draw = random.Random(seed)
    rows = build_findings(
        Finding(
            "leak", f"pool {n}", "code", "high", f"{draw.randint(1, 9)} lost", "", ""
        )
        for n in range(500)
    )
    book = nbformat.v4.new_notebook()
    found = nbformat.v4.new_output("display_data", {MIME: show_findings(rows)})
    book.cells.append(
        nbformat.v4.new_code_cell("findings", outputs=[found], id="found")
    )
    size = MEGABYTES * 1_000_000 * 3 // 4 // PICTURES  # base64 is a third more
    for n in range(PICTURES):
        png = base64.b64encode(draw.randbytes(size)).decode()
        output = nbformat.v4.new_output("display_data", {"image/png": png})
        cell = nbformat.v4.new_code_cell(f"plot({n})", outputs=[output], id=f"plot-{n}")
        book.cells.append(cell)
    path.write_text(json.dumps(book, indent=1))


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "base.ipynb", Path(folder) / "head.ipynb"]
        for seed, path in enumerate(files):
            make(path, seed)
        names = [str(path) for path in files]
        commands = {
            "diagkit review": [str(SCRIPTS / "diagkit"), "review", *names],
            "nbdiff": [str(SCRIPTS / "nbdiff"), *OPTIONS, *names],
        }
        took: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                took[name].append(seconds(command))
        size = sum(path.stat().st_size for path in files) / 1e6
    ours, theirs = (statistics.median(took[name]) for name in commands)
    sys.stdout.write(
        f"two notebooks, {size:.0f} MB: diagkit review {ours:.2f} s "
        f"(worst {max(took['diagkit review']):.2f}), nbdiff {theirs:.2f} s: "
        f"{ours / theirs:.2f} times its time\n"
    )


if __name__ == "__main__":
    main()
