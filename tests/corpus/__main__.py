"""Play all incidents, and print where triage puts the right cause of each.

``uv run python -m tests.corpus``; with words, those whose names have one of them.
"""

# ruff: noqa: T201
from __future__ import annotations

import sys

from tests.corpus.cases import CASES, PARTS, name_part
from tests.corpus.judging import PLACES, count_places, running_corpus

ROW = "{:24}" + 4 * " {:>9}"


def main(words: list[str]) -> None:
    """Print a table for each part of the corpus, and each case that is not right."""
    wanted = [c for c in CASES if not words or any(word in c.name for word in words)]
    with running_corpus() as corpus:
        corpus.play(wanted)
        verdicts = [corpus.judge(case) for case in wanted]
    for part in PARTS:
        of_part = [one for one in verdicts if name_part(one.case) == part]
        if not of_part:
            continue
        print("\n" + ROW.format(part, *PLACES, "misleads"))
        for code, counts in count_places(of_part).items():
            bad = sum(one.misleads for one in of_part if one.case.code == code)
            print(ROW.format(code, *(counts[place] for place in PLACES), bad))
        totals = [sum(one.place == place for one in of_part) for place in PLACES]
        print(ROW.format("all", *totals, sum(one.misleads for one in of_part)))
        for one in of_part:
            if one.place != PLACES[0]:
                print(f"  {one.case.name}: {one.case.code}, {one.first} came first")


if __name__ == "__main__":
    main(sys.argv[1:])
