"""Plays incidents side by side, and asks triage of each what its cause is."""

from __future__ import annotations

import queue
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import diagkit as dk
from tests.corpus.processes import Nursery
from tests.corpus.servers import running_postgres
from tests.corpus.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from diagkit.frames.triage import Triage
    from tests.corpus.servers import Postgres
    from tests.corpus.stage import Case

# So many incidents are played at a time, each with a PostgreSQL of its own: most of
# what happens in one is waiting.
LANES = 3
# A wrong cause of which triage is surer than this misleads.
SURELY = 0.5
UNKNOWN = "undetermined"
# What becomes of a right cause: it is first, one of the first three, or neither.
PLACES = ("first", "in three", "wrong")


class Verdict(NamedTuple):
    """What triage says of an incident whose cause is known.

    `place` is one of `PLACES`; `misleads` says that another cause is first, and surely.
    """

    case: Case
    place: str
    first: str
    misleads: bool


class Corpus:
    """The incidents, each played when it is first asked for."""

    def __init__(self, folder: Path, nursery: Nursery, lanes: list[Postgres]) -> None:
        self._folder, self._nursery = folder, nursery
        self._lanes: queue.SimpleQueue[Postgres] = queue.SimpleQueue()
        for lane in lanes:
            self._lanes.put(lane)
        self._pool = ThreadPoolExecutor(len(lanes))
        self._played: dict[str, Future[Path]] = {}
        self._found: dict[str, Triage] = {}

    def play(self, cases: Iterable[Case]) -> None:
        """Play what was not played yet, and wait until all is."""
        for case in cases:
            if case.name not in self._played:
                self._played[case.name] = self._pool.submit(self._play, case)
        # Triage is not asked meanwhile: clients measure how long an answer takes.
        wait(self._played.values())

    def triage(self, case: Case) -> Triage:
        """Say what triage says of a case."""
        if case.name not in self._found:
            self.play([case])
            folder = self._played[case.name].result()
            self._found[case.name] = dk.triage(dk.open_incident(folder))
        return self._found[case.name]

    def judge(self, case: Case) -> Verdict:
        """Hold what triage says of a case against its cause."""
        rows = self.triage(case).hypotheses
        codes = rows["code"].astype("str").tolist()
        rank = codes.index(case.code) if case.code in codes else len(codes)
        place = PLACES[0] if not rank else PLACES[1] if rank < 3 else PLACES[2]
        sure = rows["confidence"].iloc[0] > SURELY and codes[0] != UNKNOWN
        return Verdict(case, place, codes[0], bool(rank) and bool(sure))

    def close(self) -> None:
        """Wait for what is played; play nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def _play(self, case: Case) -> Path:
        folder = self._folder / "incidents" / case.name
        scratch = self._folder / "scratch" / case.name
        scratch.mkdir(parents=True)
        lane = self._lanes.get()
        try:
            Stage(case, folder, scratch, self._nursery, lane).play()
        finally:
            self._lanes.put(lane)
        return folder


@contextmanager
def running_corpus(folder: Path | None = None, lanes: int = LANES) -> Iterator[Corpus]:
    """Start what incidents are played with, and end it."""
    with ExitStack() as ends:
        if folder is None:
            made = tempfile.TemporaryDirectory(prefix="corpus-")
            folder = Path(ends.enter_context(made))
        servers = [ends.enter_context(running_postgres()) for _ in range(lanes)]
        nursery = Nursery()
        ends.callback(nursery.close)
        corpus = Corpus(folder, nursery, servers)
        ends.callback(corpus.close)
        yield corpus


def count_places(verdicts: Iterable[Verdict]) -> dict[str, Counter[str]]:
    """Count, for each cause in the order of the cases, where it was put."""
    counts: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        counts.setdefault(verdict.case.code, Counter())[verdict.place] += 1
    return counts
