"""How well and how fast messages are grouped: `uv run python <this file>`.

Grouping accuracy is the measure that log parsers are compared by: the share of records
whose group holds exactly the records that a person gave the same template.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from diagkit.analyses.leaks import find_leaks
from diagkit.analyses.templates import count_templates, fold_messages
from diagkit.sources.logs import read_logs

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
ROWS = 1_000_000


def grouping_accuracy(found: pd.Series, true: pd.Series) -> float:
    frame = pd.DataFrame({"found": found, "true": pd.factorize(true)[0]})
    size = {
        name: frame.groupby(keys)["true"].transform("size")
        for name, keys in (("f", "found"), ("t", "true"), ("b", ["found", "true"]))
    }
    return float(((size["f"] == size["b"]) & (size["t"] == size["b"])).mean())


def measure_accuracy(folder: Path) -> None:
    scores = []
    for path in sorted(folder.glob("*_structured.csv")):
        truth = pd.read_csv(path, dtype=str, keep_default_na=False)
        messages = pa.array(truth["Content"], type=pa.large_string())
        scores.append([])
        for least in (4, None):
            _, codes = fold_messages(messages, least)
            scores[-1].append(grouping_accuracy(pd.Series(codes), truth["EventId"]))
        merged, alone = scores[-1]
        system = path.name.split("_")[0]
        sys.stdout.write(f"{system:12} GA {merged:.3f}  (message alone {alone:.3f})\n")
    merged, alone = np.mean(scores, axis=0)
    sys.stdout.write(f"{'mean':12} GA {merged:.3f}  (message alone {alone:.3f})\n")


def make_big(path: Path) -> pd.DataFrame:
    """A million records of which no two are alike: every number is another one."""
    logs = read_logs(path, tz="UTC", progress=False)
    big = logs.loc[np.arange(ROWS) % len(logs)].reset_index(drop=True)
    number = pd.Series(np.arange(ROWS)).astype("str")
    text = pa.array(big["message"], type=pa.large_string())
    head = pc.replace_substring_regex(text, r"(?s)^([^0-9]*)[0-9].*$", r"\1")
    tail = pc.replace_substring_regex(text, r"(?s)^[^0-9]*[0-9]?", "")
    joined = pc.binary_join_element_wise(
        head, pa.array(number, type=pa.large_string()), tail, pa.scalar(" ", head.type)
    )
    big["message"] = pd.Series(joined.to_pandas(), dtype="str")
    big["line"] = np.arange(1, ROWS + 1)
    return big


def main() -> None:
    samples = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    measure_accuracy(samples / "loghub")
    big = make_big(samples / "case_study" / "runs" / "big" / "api.log")
    sys.stdout.write(
        f"{ROWS:,} records, {big['message'].nunique():,} different messages\n"
    )
    for work in (count_templates, find_leaks):
        start = time.perf_counter()
        table = work(big)
        took = time.perf_counter() - start
        sys.stdout.write(f"{work.__name__:16} {took:6.2f} s, {len(table):,} rows\n")


if __name__ == "__main__":
    main()
