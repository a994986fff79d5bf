"""When what happened: the moments of an incident that the analyses know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.hold_findings import group_lost, name_lost
from diagkit.analyses.kinds import CODES, count_words
from diagkit.analyses.leak_findings import SILENT
from diagkit.analyses.pool import is_full
from diagkit.frames.findings import name_finding
from diagkit.frames.moments import MOMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.analyses.findings import Diagnosis

Moment = tuple[pd.Timestamp, str, str]


def list_moments(diagnosis: Diagnosis) -> pd.DataFrame:
    """List what is known to have happened, and when.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.

    Returns
    -------
    pandas.DataFrame
        MOMENTS, in order of time: the marks; the first and the last event of each known
        failure, request that failed by an observer, connection that a holder lost, and
        sample of a pool that had none left.

    Examples
    --------
    >>> import diagkit as dk
    >>> from diagkit.analyses.findings import analyse_incident
    >>> found = list_moments(analyse_incident(dk.open_sample("two_stacks")))
    >>> found.loc[0, "event"]
    'first of 46 requests that failed (client)'
    """
    parts = (_marks, _failures, _requests, _losses, _full_pools)
    found = [moment for part in parts for moment in part(diagnosis)]
    columns = {
        name: [row[i] for row in found]
        for i, name in enumerate(("timestamp", "event", "finding"))
    }
    frame = MOMENTS.build(columns)
    return frame.sort_values("timestamp", kind="stable", ignore_index=True)


def _marks(diagnosis: Diagnosis) -> Iterator[Moment]:
    marks = diagnosis.incident.marks
    for at, label in zip(marks["timestamp"], marks["label"], strict=True):
        yield at, label, ""


def _failures(diagnosis: Diagnosis) -> Iterator[Moment]:
    leaks = diagnosis.leaks
    leaks = leaks[~leaks["kind"].isin(list(SILENT))]
    by = ["kind", "signature"]
    known = diagnosis.findings.set_index("id")["code"]
    times = leaks.astype(dict.fromkeys(by, "str")).groupby(by)["timestamp"]
    for key, part in times:
        kind, signature = map(str, key)
        code = CODES.get(kind, (kind, ""))[0]
        words = count_words(kind, len(part)).partition(" ")[2]
        name = name_finding(code, signature)
        if name not in known:
            # Told by another analysis, which knows more of it than the log alone.
            same = known.index[known == code]
            name = same[0] if len(same) == 1 else ""
        yield from _ends(part, f"{words} ({signature})", name)


def _requests(diagnosis: Diagnosis) -> Iterator[Moment]:
    http = diagnosis.incident.http
    failed = http[~(http["status"] < 500).fillna(False).astype(bool)]
    subjects = {
        "client": name_finding("errors_unseen_by_backend", "clients"),
        "proxy": name_finding("upstream_unreachable", "proxy"),
        "backend": name_finding("server_errors", "backend"),
    }
    known = set(diagnosis.findings["id"])
    times = failed.astype({"observer": "str"}).groupby("observer")["timestamp"]
    for observer, part in times:
        finding = subjects[str(observer)]
        words = f"request{'' if len(part) == 1 else 's'} that failed ({observer})"
        yield from _ends(part, words, finding if finding in known else "")


def _losses(diagnosis: Diagnosis) -> Iterator[Moment]:
    for holder, rows in group_lost(diagnosis.incident.checkouts):
        one = f"connection{'' if len(rows) == 1 else 's'}"
        words = f"{one} that {holder} took and lost"
        name = name_finding("recorded_leak", name_lost(holder))
        yield from _ends(rows["checked_out_at"], words, name)


def _full_pools(diagnosis: Diagnosis) -> Iterator[Moment]:
    pool = diagnosis.incident.pool
    full = pool[is_full(pool)]
    for name, rows in full.groupby(full["pool"].astype("str")):
        words = f"sample{'' if len(rows) == 1 else 's'} of pool {name!r} with none left"
        finding = name_finding("pool_saturated", f"pool {name}")
        yield from _ends(rows["timestamp"], words, finding)


def _ends(times: pd.Series, words: str, finding: str) -> Iterator[Moment]:
    """Tell the first and the last of some events, and how many have no time."""
    known = times.dropna()
    undated = len(times) - len(known)
    more = f"; {undated} without a time" if undated else ""
    if known.empty:
        return
    if len(times) == 1:
        yield known.iloc[0], words, finding
        return
    yield known.min(), f"first of {len(times)} {words}{more}", finding
    yield known.max(), f"last of {len(times)} {words}{more}", finding
