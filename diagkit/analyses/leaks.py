"""Leaks and what follows from them: found in logs, counted over time, reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.tseries.frequencies import to_offset

from diagkit.analyses.echoes import AT_SHUTDOWN, fold_copies, fold_echoes
from diagkit.analyses.kinds import CODES as CODES, KINDS as KINDS, ROUTINE
from diagkit.analyses.leak_findings import check_leaks as check_leaks
from diagkit.analyses.matching import match_records
from diagkit.analyses.nearness import find_near
from diagkit.errors import SettingError
from diagkit.frames.findings import SEVERITIES
from diagkit.frames.leaks import LEAKS
from diagkit.frames.logs import LOGS
from diagkit.signatures.catalogue import Signature, load_signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BINS = 2_000_000
STEPS = ("1s", "5s", "15s", "1min", "5min", "15min", "1h", "6h", "1D", "7D")
READABLE_BINS = 80
NONE = -1
NEAR, NEAR_SEVERITY = "near", "low"
ADDRESS = r"\bat (?P<a>0x[0-9a-fA-F]+)|<Connection\((?P<b>Thread-\d+)"
STATE = r"\[(?P<a>IDLE|ACTIVE|INTRANS|INERROR|BAD)\]"
# Every message of SQLAlchemy with a background page links to that of its own version.
LINK = r"sqlalche\.me/e/(?P<a>\d)(?P<b>\d)/"


def find_leaks(
    logs: pd.DataFrame,
    signatures: Sequence[Signature] | None = None,
    routine: bool = False,
) -> pd.DataFrame:
    """Find the events of the catalogue in logs: leaks, and what follows from them.

    One leak is one event. SQLAlchemy reports a leaked async connection twice, by an
    ERROR of the pool's logger and by an ``SAWarning``: the warning is its echo. A
    record that two handlers wrote to two files is one event too, if both are read.
    Warnings that Python wrote while it shut down (``sys:1: SAWarning``) are leaks like
    others, and marked in ``shutdown``, as is the ERROR that they repeat.

    Parameters
    ----------
    logs
        LOGS.
    signatures
        What to look for; by default the whole catalogue. The first that fits a
        record's message is taken, then the first that fits its traceback. What reports
        trouble in words near those of a signature is an event of kind ``near`` (only
        with the whole catalogue).
    routine
        Also find what every healthy pool says (kind ``pool_event``).

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
    if not routine:
        known = tuple(s for s in known if s.kind not in ROUTINE)
    found = match_records(logs, known)
    near = np.zeros(len(logs), dtype=bool)
    if signatures is None:
        rows = np.flatnonzero(found == NONE)
        found[rows] = find_near(logs, rows, known)
        near[rows] = found[rows] != NONE
    rows = np.flatnonzero(found != NONE)
    leaks = _describe(logs, rows, known, found[rows], near[rows])
    return _order(fold_echoes(fold_copies(leaks)))


def _describe(
    logs: pd.DataFrame,
    rows: np.ndarray[Any, Any],
    known: Sequence[Signature],
    found: np.ndarray[Any, Any],
    near: np.ndarray[Any, Any],
) -> pd.DataFrame:
    # Column by column: the tracebacks of all events would be copied with the frame.
    names = ("timestamp", "logger", "source", "line", "message")
    taken = {name: logs[name].array.take(rows) for name in names}
    # Tracebacks are long, and many are the same.
    texts = [_encode(pd.Series(taken["message"])), _encode(logs["traceback"])]
    texts[1] = (texts[1][0], texts[1][1][rows])
    address, state, version = (_extract(texts, p) for p in (ADDRESS, STATE, LINK))
    said = {
        name: np.array([*(getattr(s, name) for s in known), ""], dtype=object)[found]
        for name in ("id", "kind", "severity")
    }
    return pd.DataFrame(
        taken
        | {
            "signature": said["id"],
            "kind": np.where(near, NEAR, said["kind"]),
            "severity": np.where(near, NEAR_SEVERITY, said["severity"]),
            "connection": address["a"].where(address["a"] != "", address["b"]),
            "state": state["a"],
            "library_version": version["a"] + "." + version["b"],
            "shutdown": pd.Series(taken["message"]).str.contains(AT_SHUTDOWN),
        }
    )


def _encode(values: pd.Series) -> tuple[Any, np.ndarray[Any, Any]]:
    texts = pa.array(values, type=pa.large_string(), from_pandas=True)
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    encoded = pc.dictionary_encode(texts)
    codes = encoded.indices.fill_null(NONE).to_numpy(zero_copy_only=False)
    return encoded.dictionary, codes


def _extract(
    texts: Sequence[tuple[Any, np.ndarray[Any, Any]]], pattern: str
) -> pd.DataFrame:
    """Return what a pattern finds in the messages, else in the tracebacks."""
    parts = []
    for distinct, codes in texts:
        groups = pc.extract_regex(distinct, pattern)
        table = pd.DataFrame(
            {
                field.name: pc.struct_field(groups, field.name).to_pandas()
                for field in groups.type
            },
            dtype="str",
        )
        parts.append(table.reindex(codes).reset_index(drop=True))
    return parts[0].where(parts[0].notna().any(axis=1), parts[1])


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
    seen = set(leaks["kind"].astype("str").unique())
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


def _order(leaks: pd.DataFrame) -> pd.DataFrame:
    leaks = LEAKS.conform(leaks.reset_index(drop=True))
    for name, values in (("kind", KINDS), ("severity", SEVERITIES)):
        extra = sorted(set(leaks[name].astype("str").unique()) - set(values))
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
