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
from diagkit.analyses.matching import Texts, match_texts, read_texts
from diagkit.analyses.nearness import find_near
from diagkit.analyses.shapes import NONE, holds, spread, take
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
NEAR, NEAR_SEVERITY = "near", "low"
ADDRESS = r"\bat (?P<a>0x[0-9a-fA-F]+)|<Connection\((?P<b>Thread-\d+)"
# The same where numbers are folded.
FOLDED_ADDRESS = r"\bat (?:0x|\x1a)|<Connection\(Thread-"
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
    texts = read_texts(logs, known)
    found = match_texts(texts, known)
    near = np.zeros(len(logs), dtype=bool)
    if signatures is None:
        rows = np.flatnonzero(found == NONE)
        found[rows] = find_near(logs, rows, known)
        near[rows] = found[rows] != NONE
    rows = np.flatnonzero(found != NONE)
    events = _describe(logs, rows, texts)
    said = _judge(known, found[rows], near[rows])
    for name, values in said.items():
        events[name] = values
    events = fold_echoes(fold_copies(events, logs["message"]))
    events["message"] = logs["message"].array.take(events.index)
    return LEAKS.conform(events.reset_index(drop=True))


def _describe(
    logs: pd.DataFrame, rows: np.ndarray[Any, Any], texts: Texts
) -> pd.DataFrame:
    """Say what stands in the texts of events; messages are long, and come later."""
    columns: dict[str, Any] = {
        name: logs[name].array.take(rows)
        for name in ("timestamp", "logger", "source", "line")
    }
    shape, trace = texts.messages.look_up(rows), texts.trace_of[rows]
    shapes = pa.array(texts.messages.known, type=pa.large_string())
    # An address is folded, and looked for in the messages; nothing else is.
    address = np.full(len(rows), NONE)
    held = np.flatnonzero(holds(shapes, FOLDED_ADDRESS)[shape])
    address[held] = np.arange(len(held))
    with_address = take(texts.messages.texts, rows[held])
    # Where the message does not say it, the traceback may.
    traced = np.flatnonzero(trace != NONE)
    own = np.full(len(rows), NONE)
    own[traced], distinct = pd.factorize(trace[traced])
    traces = take(texts.traces.texts, distinct)
    for name, said, place, pattern, joiner in (
        ("connection", with_address, address, ADDRESS, ""),
        ("state", shapes, shape, STATE, ""),
        ("library_version", shapes, shape, LINK, "."),
    ):
        found = take(_extract(said, pattern, joiner), place)
        more = take(_extract(traces, pattern, joiner), own)
        columns[name] = pd.array(pc.coalesce(found, more), dtype="str")
    columns["shutdown"] = holds(shapes, AT_SHUTDOWN)[shape]
    return pd.DataFrame(columns, index=rows)


def _extract(texts: Any, pattern: str, joiner: str) -> Any:
    """Return what the groups of a pattern take, put together; else a missing text."""
    groups = spread(lambda some: pc.extract_regex(some, pattern), texts)
    parts = [pc.struct_field(groups, field.name) for field in groups.type]
    return pc.binary_join_element_wise(*parts, pa.scalar(joiner, parts[0].type))


def _judge(
    known: Sequence[Signature],
    found: np.ndarray[Any, Any],
    near: np.ndarray[Any, Any],
) -> dict[str, pd.Categorical]:
    """Say what the signatures say of the events that they explain."""
    of_kind = np.where(near, len(known), found)
    kinds = [*(s.kind for s in known), NEAR]
    severities = [*(s.severity for s in known), NEAR_SEVERITY]
    return {
        "signature": _label([s.id for s in known], found),
        "kind": _label(kinds, of_kind, KINDS),
        "severity": _label(severities, of_kind, SEVERITIES, ordered=True),
    }


def _label(
    values: Sequence[str],
    places: np.ndarray[Any, Any],
    usual: Sequence[str] = (),
    *,
    ordered: bool = False,
) -> pd.Categorical:
    seen = {values[i] for i in np.flatnonzero(np.bincount(places)).tolist()}
    names = [*usual, *sorted(seen.difference(usual))]
    index = {name: code for code, name in enumerate(names)}
    codes = np.array([index.get(value, NONE) for value in values], dtype=np.int64)
    dtype = pd.CategoricalDtype(pd.Index(names, dtype="str"), ordered=ordered)
    return pd.Categorical.from_codes(codes[places], dtype=dtype)


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
        no bin: ``attrs["undated"]`` counts them, ``attrs["undated_leaks"]`` the leaks
        among them.

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
    dated = leaks["timestamp"].notna().to_numpy()
    times = leaks.loc[dated, "timestamp"] if not dated.all() else leaks["timestamp"]
    covered = times
    if logs is not None:
        covered = pd.concat([covered, LOGS.check(logs)["timestamp"].dropna()])
    bins = _bins(covered, every)
    found = pd.Categorical(leaks["kind"].astype("category")).remove_unused_categories()
    kinds = ["leak", *(k for k in _kinds(set(found.categories)) if k != "leak")]
    column = np.array([kinds.index(k) for k in found.categories], dtype=int)
    place = bins.searchsorted(times, side="right") - 1
    cells = place * len(kinds) + column[found.codes[dated]]
    counts = np.bincount(cells, minlength=len(bins) * len(kinds))
    table = pd.DataFrame(
        counts.reshape(len(bins), len(kinds)), index=bins, columns=kinds
    ).astype("Int64")
    if logs is not None:
        filled = bins.searchsorted(covered, side="right") - 1
        table.iloc[np.setdiff1d(np.arange(len(bins)), filled)] = pd.NA
    lost = int(((leaks["kind"] == "leak").to_numpy(dtype=bool) & ~dated).sum())
    table.attrs = {
        "undated": int((~dated).sum()),
        "undated_leaks": lost,
        "every": every,
    }
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
