"""Two incidents compared, finding by finding: whether a fix worked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from diagkit.analyses.findings import analyse_incident
from diagkit.analyses.rates import compare_rates
from diagkit.analyses.tallies import (
    Tally,
    could_show,
    count_hours,
    count_requests,
    count_tallies,
)
from diagkit.errors import SettingError, suggest
from diagkit.frames.comparison import COMPARISON, VERDICTS
from diagkit.frames.findings import severity_rank

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    import pandas as pd

    from diagkit.analyses.findings import Diagnosis
    from diagkit.frames.incidents import Incident

# What events of logs are counted against: how many of these an incident has.
EXPOSURES = {"request": count_requests, "hour": count_hours}
# A change is told from chance so often wrongly at most.
ALPHA = 0.05
# Rates whose ratio is surely within these are called the same.
SAME = (0.5, 2.0)


def compare_incidents(
    before: Incident, after: Incident, per: str | None = None
) -> pd.DataFrame:
    """Say finding by finding whether a fix worked.

    What logs and recordings count is compared as rates, per request or per hour, with
    an exact interval of their ratio and an exact test. A finding is ``gone``, ``less``,
    ``worse`` or ``new`` where chance alone would seldom (1 of 20) make such a change,
    ``same`` where the ratio is surely between a half and 2, and ``too_little_data``
    otherwise: a night without a leak proves little where there was one a week. What is
    there or is not (a port conflict, a pool that was used up) is not tested.

    Events that come in bursts are less certain than they seem here, and of twenty
    findings that did not change one is said to have.

    Parameters
    ----------
    before, after
        As `open_incident` gives them.
    per
        ``request`` or ``hour``; None: per request where both incidents have requests.

    Returns
    -------
    pandas.DataFrame
        COMPARISON, a row a finding of either; new ones first.

    Raises
    ------
    SettingError
        If `per` is neither.

    Examples
    --------
    >>> import diagkit as dk
    >>> sample = dk.open_sample()
    >>> rows = compare_incidents(sample, sample)
    >>> rows.loc[rows["code"] == "connection_leak", "verdict"].tolist()
    ['same']
    """
    if per is not None and per not in EXPOSURES:
        msg = f"per is {' or '.join(EXPOSURES)}; {per!r} came{suggest(per, EXPOSURES)}"
        raise SettingError(msg)
    return compare_diagnoses(analyse_incident(before), analyse_incident(after), per)


def compare_diagnoses(
    before: Diagnosis, after: Diagnosis, per: str | None = None
) -> pd.DataFrame:
    """Compare two incidents that are analysed already.

    Parameters
    ----------
    before, after
        As `analyse_incident` gives them.
    per
        As for `compare_incidents`.

    Returns
    -------
    pandas.DataFrame
        COMPARISON.
    """
    sides = (before, after)
    rows = [*_tested(sides, per), *_states(sides)]
    rows.sort(key=lambda row: VERDICTS.index(row["verdict"]))
    frame = COMPARISON.build(
        {name: [row.get(name) for row in rows] for name in COMPARISON.names}
    )
    return COMPARISON.order(frame, verdict=VERDICTS)


def _tested(
    sides: tuple[Diagnosis, Diagnosis], per: str | None
) -> Iterator[dict[str, Any]]:
    for choice in EXPOSURES if per is None else (per,):
        exposures = [EXPOSURES[choice](side) for side in sides]
        if all(exposures):
            break
    old, new = (
        count_tallies(side, choice, exposure)
        for side, exposure in zip(sides, exposures, strict=True)
    )
    for name in dict.fromkeys([*old, *new]):
        known = old.get(name) or new[name]
        # A finding that is not there: none in all the requests, hours, checkouts.
        none = {"checkout": (0.0, 0.0)}.get(known.per, exposures)
        was = old.get(name) or _none(known, none[0])
        now = new.get(name) or _none(known, none[1])
        if was.events or now.events:
            yield {"id": name, **_test(was, now)}


def _none(known: Tally, exposure: float) -> Tally:
    return Tally(known.code, known.words, 0, known.per, exposure)


def _test(was: Tally, now: Tally) -> dict[str, Any]:
    ratio = low = high = p_value = math.nan
    if was.exposure and now.exposure:
        ratio, low, high, p_value = compare_rates(
            was.events, was.exposure, now.events, now.exposure
        )
    verdict = judge_change(was.events, now.events, ratio, low, high, p_value)
    row = {
        "code": was.code,
        "before": was.events,
        "after": now.events,
        "per": was.per,
        "before_rate": was.events / was.exposure if was.exposure else math.nan,
        "after_rate": now.events / now.exposure if now.exposure else math.nan,
        "rate_ratio": ratio,
        "low": low,
        "high": high,
        "p_value": p_value,
        "verdict": verdict,
    }
    return row | {"summary": _say(was, now, row)}


def judge_change(
    before: int, after: int, ratio: float, low: float, high: float, p_value: float
) -> str:
    """Say in one word what became of events.

    Parameters
    ----------
    before, after
        How many there were.
    ratio, low, high, p_value
        As `compare_rates` gives them; NaN where nothing can be said.

    Returns
    -------
    str
        A verdict of COMPARISON.

    Examples
    --------
    >>> judge_change(40, 0, 0.0, 0.0, 0.1, 0.0001)
    'gone'
    >>> judge_change(3, 0, 0.0, 0.0, 2.4, 0.25)
    'too_little_data'
    """
    if p_value < ALPHA:
        if ratio < 1:
            return "less" if after else "gone"
        return "worse" if before else "new"
    return "same" if low >= SAME[0] and high <= SAME[1] else "too_little_data"


def _say(was: Tally, now: Tally, row: dict[str, Any]) -> str:
    unit = f"{was.per}s"
    said = (
        f"{was.words}: {was.events} in {_figure(was.exposure)} {unit} before, "
        f"{now.events} in {_figure(now.exposure)} after"
    )
    if math.isnan(row["p_value"]):
        return f"{said}: nothing to compare"
    if math.isinf(row["rate_ratio"]):
        return f"{said}: at least {row['low']:.2g} times as often"
    interval = f"{row['rate_ratio']:.2g} times as often ({row['low']:.2g} to "
    return f"{said}: {interval}{row['high']:.2g})"


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def _states(sides: tuple[Diagnosis, Diagnosis]) -> Iterator[dict[str, Any]]:
    """Compare the findings that are there or not, by their severity."""
    counted = {name for side in sides for name in count_tallies(side, "hour", 1.0)}
    old, new = (
        {str(row["id"]): row for row in side.findings.to_dict("records")}
        for side in sides
    )
    for name in dict.fromkeys([*old, *new]):
        if name in counted:
            continue
        row = new.get(name) or old[name]
        was, now = (_severity(part.get(name)) for part in (old, new))
        seen = all(could_show(side, row["code"]) for side in sides)
        yield {
            "id": name,
            "code": row["code"],
            "before": int(name in old),
            "after": int(name in new),
            "per": "",
            "verdict": _judge_state(was, now) if seen else "too_little_data",
            "summary": row["summary"],
        }


def _severity(finding: Mapping[Hashable, Any] | None) -> int | None:
    return None if finding is None else severity_rank(finding["severity"])


def _judge_state(was: int | None, now: int | None) -> str:
    if was is None or now is None:
        return "new" if was is None else "gone"
    return "same" if was == now else "worse" if now > was else "less"
