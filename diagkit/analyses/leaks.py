"""Leaks and what follows from them: found in logs, counted over time, reported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from diagkit.errors import SettingError
from diagkit.frames.findings import SEVERITIES, Finding, build_findings
from diagkit.frames.leaks import LEAKS
from diagkit.frames.logs import LOGS
from diagkit.signatures.catalogue import Signature, load_signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = (
    "leak",
    "poisoned_transaction",
    "exhaustion",
    "dropped_connection",
    "unfinished_transaction",
    "unclosed_context",
    "misuse",
)
# FINDINGS: a code a kind, and the area in which one looks for its cause.
CODES = {
    "leak": ("connection_leak", "code"),
    "poisoned_transaction": ("poisoned_transaction", "code"),
    "exhaustion": ("pool_exhausted", "service"),
    "dropped_connection": ("dropped_connection", "service"),
    "unfinished_transaction": ("unfinished_transaction", "code"),
    "unclosed_context": ("unclosed_context", "code"),
    "misuse": ("driver_misuse", "code"),
}
MAX_BINS = 2_000_000
STEPS = ("1s", "5s", "15s", "1min", "5min", "15min", "1h", "6h", "1D", "7D")
READABLE_BINS = 80
ADDRESS = re.compile(r"\bat (0x[0-9a-fA-F]+)|<Connection\((Thread-\d+)")
STATE = re.compile(r"\[(IDLE|ACTIVE|INTRANS|INERROR|BAD)\]")
WARNINGS_LOGGER = "py.warnings"


def find_leaks(
    logs: pd.DataFrame, signatures: Sequence[Signature] | None = None
) -> pd.DataFrame:
    """Find the events of the catalogue in logs: leaks, and what follows from them.

    One leak is one event. SQLAlchemy reports a leaked async connection twice, by an
    ERROR of the pool's logger and by an ``SAWarning``: the warning is its echo. A
    record that two handlers wrote to two files is one event too, if both are read.

    Parameters
    ----------
    logs
        LOGS.
    signatures
        What to look for; by default the whole catalogue. The first that fits a
        record's message is taken, then the first that fits its traceback.

    Returns
    -------
    pandas.DataFrame
        LEAKS, in the order of the logs.

    Raises
    ------
    ContractError
        If `logs` is no LOGS frame.

    Examples
    --------
    >>> from diagkit.frames.logs import LOGS
    >>> text = "QueuePool limit of size 5 overflow 10 reached, connection timed out, "
    >>> logs = LOGS.build({"message": [text + "timeout 30.00"], "source": ["a.log"],
    ...                    "line": [1], "lines": [1]})
    >>> find_leaks(logs)["kind"].tolist()
    ['exhaustion']
    """
    LOGS.check(logs)
    known = load_signatures() if signatures is None else tuple(signatures)
    rows = _match_records(logs, known)
    events = logs.loc[[index for index, _ in rows]]
    found = [signature for _, signature in rows]
    text = events["message"] + "\n" + events["traceback"].fillna("")
    parts = [(ADDRESS.search(t), STATE.search(t)) for t in text]
    leaks = pd.DataFrame(
        {
            "timestamp": events["timestamp"],
            "signature": [s.id for s in found],
            "kind": [s.kind for s in found],
            "severity": [s.severity for s in found],
            "logger": events["logger"],
            "connection": [(a[1] or a[2]) if a else None for a, _ in parts],
            "state": [s[1] if s else None for _, s in parts],
            "source": events["source"],
            "line": events["line"],
            "message": events["message"],
        }
    ).reset_index(drop=True)
    return _order(_fold_echoes(_fold_copies(leaks)))


def count_leaks(
    leaks: pd.DataFrame, every: str = "1min", logs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Count events over time.

    Parameters
    ----------
    leaks
        LEAKS.
    every
        Length of a bin, as pandas writes it: ``"15s"``, ``"1min"``, ``"1h"``, ``"1D"``.
    logs
        LOGS, those in which the leaks were found. With them the table reaches over
        the whole log, and a bin in which the log has no record at all is missing
        (``<NA>``): nobody knows what happened in it.

    Returns
    -------
    pandas.DataFrame
        Index ``timestamp`` (beginning of a bin, UTC, without holes), a column a kind
        that occurs (``leak`` always), values ``Int64``. Events without a time are in
        no bin: ``attrs["undated"]`` counts them.

    Raises
    ------
    SettingError
        If `every` is no length of time, or makes more than two million bins.

    Examples
    --------
    >>> from diagkit.frames.leaks import LEAKS
    >>> times = pd.to_datetime(["2025-11-24 10:00:30", "2025-11-24 10:02:10"], utc=True)
    >>> leaks = LEAKS.build({"timestamp": times, "signature": "x", "kind": "leak",
    ...     "severity": "high", "source": "a.log", "line": [1, 2], "message": "m"})
    >>> count_leaks(leaks)["leak"].tolist()
    [1, 0, 1]
    """
    LEAKS.check(leaks)
    dated = leaks[leaks["timestamp"].notna()]
    covered = dated["timestamp"]
    if logs is not None:
        covered = pd.concat([covered, LOGS.check(logs)["timestamp"].dropna()])
    bins = _bins(covered, every)
    seen = set(leaks["kind"].astype("str"))
    kinds = ["leak", *(k for k in _kinds(seen) if k != "leak")]
    place = bins.searchsorted(dated["timestamp"], side="right") - 1
    column = dated["kind"].astype("str").map(kinds.index).to_numpy(dtype=int)
    counts = np.zeros((len(bins), len(kinds)), dtype=int)
    np.add.at(counts, (place, column), 1)
    table = pd.DataFrame(counts, index=bins, columns=kinds).astype("Int64")
    if logs is not None:
        filled = bins.searchsorted(covered, side="right") - 1
        table.iloc[np.setdiff1d(np.arange(len(bins)), filled)] = pd.NA
    table.attrs = {"undated": len(leaks) - len(dated), "every": every}
    return table


def count_signatures(leaks: pd.DataFrame) -> pd.DataFrame:
    """Count events by signature, with where and what the first of each is.

    Parameters
    ----------
    leaks
        LEAKS.

    Returns
    -------
    pandas.DataFrame
        A row a signature: ``kind``, ``signature``, ``events``, ``first`` and ``last``
        (UTC; missing where no event has a time), and ``source``, ``line`` and
        ``message`` of the first event. In the order of the kinds, the most events
        first.

    Examples
    --------
    >>> from diagkit.frames.leaks import LEAKS
    >>> len(count_signatures(LEAKS.empty()))
    0
    """
    table = (
        LEAKS.check(leaks)
        .groupby(["kind", "signature"], observed=True)
        .agg(
            events=("line", "size"),
            first=("timestamp", "min"),
            last=("timestamp", "max"),
            source=("source", "first"),
            line=("line", "first"),
            message=("message", "first"),
        )
        .reset_index()
    )
    order = pd.DataFrame({"kind": table["kind"].cat.codes, "few": -table["events"]})
    ordered = order.sort_values(["kind", "few"], kind="stable").index
    return table.loc[ordered].reset_index(drop=True)


def choose_bin(logs: pd.DataFrame) -> str:
    """Choose a length of bins with which a log makes a readable chart.

    Parameters
    ----------
    logs
        LOGS.

    Returns
    -------
    str
        The shortest of `STEPS` that makes at most `READABLE_BINS` bins.

    Examples
    --------
    >>> from diagkit.frames.logs import LOGS
    >>> choose_bin(LOGS.empty())
    '1s'
    """
    times = LOGS.check(logs)["timestamp"].dropna()
    span = times.max() - times.min() if len(times) else pd.Timedelta(0)
    fits = (step for step in STEPS if span <= READABLE_BINS * pd.Timedelta(step))
    return next(fits, STEPS[-1])


def check_leaks(leaks: pd.DataFrame) -> pd.DataFrame:
    """Report leaks and what follows from them as findings, one a signature.

    Parameters
    ----------
    leaks
        LEAKS.

    Returns
    -------
    pandas.DataFrame
        FINDINGS, the most severe first.

    Examples
    --------
    >>> from diagkit.frames.leaks import LEAKS
    >>> len(check_leaks(LEAKS.empty()))
    0
    """
    LEAKS.check(leaks)
    catalogue = {signature.id: signature for signature in load_signatures()}
    findings = []
    for name, events in leaks.groupby(leaks["signature"].astype("str"), sort=True):
        signature = catalogue.get(str(name))
        kind = str(events["kind"].iloc[0])
        code, area = CODES.get(kind, (kind, "logs"))
        first = events.iloc[0]
        findings.append(
            Finding(
                code=code,
                subject=str(name),
                area=area,
                severity=str(first["severity"]),
                summary=_summary(kind, events),
                evidence=_evidence(events),
                remedy=signature.remedy if signature else "",
            )
        )
    order = {code: rank for rank, (code, _) in enumerate(CODES.values())}
    return build_findings(sorted(findings, key=lambda f: order.get(f.code, 99)))


def _match_records(
    logs: pd.DataFrame, known: Sequence[Signature]
) -> list[tuple[int, Signature]]:
    if logs.empty or not known:
        return []
    # One look with all first literals finds the few records that are worth a close one.
    anchors = sorted({max(s.text, key=len) for s in known})
    shape = "|".join(map(re.escape, anchors))
    hit = logs["message"].str.contains(shape, regex=True)
    hit |= logs["traceback"].str.contains(shape, regex=True).fillna(False).astype(bool)
    candidates = logs[hit]
    rows = []
    for index, message, traceback, exception in zip(
        candidates.index,
        candidates["message"],
        candidates["traceback"],
        candidates["exception"],
        strict=True,
    ):
        trace = traceback if isinstance(traceback, str) else ""
        last = exception if isinstance(exception, str) else None
        for text in (message, f"{message}\n{trace}"):
            found = next((s for s in known if s.fits(text, last)), None)
            if found:
                rows.append((index, found))
                break
    return rows


def _fold_copies(leaks: pd.DataFrame) -> pd.DataFrame:
    """Keep one of the records that several handlers wrote to several files."""
    dated = leaks["timestamp"].notna()
    # Text handlers cut times to the second, others do not.
    same = [
        leaks["timestamp"].dt.floor("s"),
        leaks["logger"].fillna(""),
        leaks["message"],
    ]
    turn = leaks.groupby([*same, leaks["source"]], dropna=False).cumcount()
    key = pd.DataFrame(dict(enumerate([*same, turn])))
    return leaks[~(dated & key.duplicated())]


def _fold_echoes(leaks: pd.DataFrame) -> pd.DataFrame:
    """Leave out the warnings that repeat an ERROR of the same connection."""
    leak = leaks["kind"] == "leak"
    warned = leaks["logger"] == WARNINGS_LOGGER
    by_connection = leaks["connection"].fillna("")
    # Addresses come back: each ERROR accounts for one warning, not for all of them.
    errors = by_connection[leak & ~warned].value_counts()
    echoes = leaks[leak & warned]
    turn = echoes.groupby(by_connection[echoes.index]).cumcount()
    allowed = errors.reindex(by_connection[echoes.index], fill_value=0)
    return leaks.drop(echoes.index[turn.to_numpy() < allowed.to_numpy()])


def _order(leaks: pd.DataFrame) -> pd.DataFrame:
    leaks = LEAKS.conform(leaks.reset_index(drop=True))
    for name, values in (("kind", KINDS), ("severity", SEVERITIES)):
        extra = sorted(set(leaks[name].astype("str")) - set(values))
        leaks[name] = leaks[name].astype(
            pd.CategoricalDtype([*values, *extra], ordered=name == "severity")
        )
    return leaks


def _kinds(seen: set[str]) -> list[str]:
    return [k for k in KINDS if k in seen] + sorted(seen - set(KINDS))


def _bins(times: pd.Series, every: str) -> pd.DatetimeIndex:
    try:
        step = pd.Timedelta(to_offset(every).nanos, unit="ns")
    except (ValueError, TypeError):
        msg = f"every={every!r} is no length of time: use '15s', '1min', '1h', '1D'"
        raise SettingError(msg) from None
    if step <= pd.Timedelta(0):
        msg = f"every={every!r}: a bin must be longer than nothing"
        raise SettingError(msg)
    if times.empty:
        return pd.DatetimeIndex([], dtype="datetime64[us, UTC]", name="timestamp")
    first, last = times.min().floor(step), times.max().floor(step)
    count = (last - first) // step + 1
    if count > MAX_BINS:
        msg = f"every={every!r} makes {count:,} bins; choose a longer one"
        raise SettingError(msg)
    bins = pd.date_range(first, last, freq=step, name="timestamp", unit="us")
    return bins.as_unit("us")


def _summary(kind: str, events: pd.DataFrame) -> str:
    count = len(events)
    words = {
        "leak": "connection{s} leaked: collected as garbage, never returned",
        "poisoned_transaction": "use{s} of a transaction that had to be rolled back",
        "exhaustion": "time{s} no connection was to be had",
        "dropped_connection": "connection{s} ended by the server or the network",
        "unfinished_transaction": "connection{s} given back inside a transaction",
        "unclosed_context": "context{s} dropped without being left",
        "misuse": "call{s} that the driver cannot serve",
    }
    text = words.get(kind, f"event{{s}} of kind {kind}")
    return f"{count} {text.format(s='' if count == 1 else 's')}"


def _evidence(events: pd.DataFrame) -> str:
    signature = str(events["signature"].iloc[0])
    first = events.iloc[0]
    parts = [f"{signature}", f"first at {first['source']}:{first['line']}"]
    times = events["timestamp"].dropna()
    if len(times):
        span = f"{times.min():%Y-%m-%d %H:%M:%S}"
        if len(times) > 1:
            span += f" to {times.max():%Y-%m-%d %H:%M:%S}"
        parts.append(f"{span} UTC")
        worst = times.dt.floor("min").value_counts()
        if len(times) > 1:
            at = worst[worst == worst.max()].index.min()
            parts.append(f"most in a minute: {worst.max()} at {at:%H:%M}")
    states = events["state"].dropna().astype("str").value_counts()
    parts += [f"{count} in state {state}" for state, count in states.items()]
    close = [s.id for s in load_signatures() if s.close]
    if signature in close:
        parts.append("wording near a known one")
    return "; ".join(parts)
