"""What differs between the findings of two runs, and whether people agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.frames.findings import FINDINGS, rows_by_id, severity_rank
from diagkit.frames.reviews import CHANGES, DIFFERENCES, REVIEWS, STATES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import pandas as pd

    Row = Mapping[str, str]
DECIDED = {"accept": "accepted", "dispute": "disputed", "comment": "said"}


def compare_findings(
    base: pd.DataFrame, head: pd.DataFrame, reviews: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Compare the findings of two runs, by their ids.

    Parameters
    ----------
    base, head
        FINDINGS before and now.
    reviews
        REVIEWS: what people decided.

    Returns
    -------
    pandas.DataFrame
        CHANGES: one row a finding of either, what is new or worse first. A finding is
        the same where severity and summary are. It is ``disputed`` where somebody
        disputes what it says now, ``outdated`` where somebody decided on what it does
        not say any more (or on another severity), and ``accepted`` where somebody
        accepts what it says now; of one person the last decision counts, and of two
        that were made on two branches a dispute.

    Raises
    ------
    ContractError
        If a frame is none of its contract.

    Examples
    --------
    >>> from diagkit.frames.findings import Finding, build_findings
    >>> one = Finding("connection_leak", "api", "code", "high", "3 lost", "", "")
    >>> two = Finding("connection_leak", "api", "code", "high", "9 lost", "", "")
    >>> rows = compare_findings(build_findings([one]), build_findings([two]))
    >>> rows[["change", "before", "now", "state"]].values.tolist()
    [['changed', '3 lost', '9 lost', 'open']]
    """
    was, now = rows_by_id(FINDINGS.check(base)), rows_by_id(FINDINGS.check(head))
    said = REVIEWS.check(REVIEWS.empty() if reviews is None else reviews)
    decisions: dict[str, list[Row]] = {}
    for values in said.astype("str").itertuples(index=False, name=None):
        review = dict(zip(said.columns, values, strict=True))
        decisions.setdefault(review["finding"], []).append(review)
    rows = [
        _compare(key, was.get(key, {}), now.get(key, {}), decisions.get(key, []))
        for key in dict.fromkeys([*now, *was])
    ]
    rows.sort(key=_weight)
    frame = CHANGES.build({name: [row[name] for row in rows] for name in CHANGES.names})
    return CHANGES.order(frame, change=DIFFERENCES, state=STATES)


def decide(reviews: Iterable[Row], now: Row) -> str:
    """Return what people think of a finding.

    Parameters
    ----------
    reviews
        Rows of REVIEWS on this finding; their order is of no matter, since it is lost
        when branches are merged.
    now
        The finding, as a row of FINDINGS; empty for one that is gone.

    Returns
    -------
    str
        One of `STATES`.
    """
    standing: dict[str, Row] = {}
    for review in reviews:
        before = standing.get(review["by"])
        if review["decision"] != "comment" and (
            before is None or _order(review) > _order(before)
        ):
            standing[review["by"]] = review
    return _judge(standing.values(), now)


def _order(review: Row) -> tuple[int, bool]:
    return int(review["turn"]), review["decision"] == "dispute"


def _holds(review: Row, now: Row) -> bool:
    """Tell whether a finding says what somebody decided on."""
    level = review["severity"] or now.get("severity", "")
    return (review["said"], level) == (now.get("summary", ""), now.get("severity", ""))


def _judge(standing: Collection[Row], now: Row) -> str:
    if any(r["decision"] == "dispute" and _holds(r, now) for r in standing):
        return "disputed"
    if not all(_holds(r, now) for r in standing):
        return "outdated"
    return "accepted" if standing else "open"


def _compare(key: str, was: Row, now: Row, reviews: list[Row]) -> dict[str, str]:
    before, after = was.get("summary", ""), now.get("summary", "")
    return {
        "finding": key,
        "change": _tell(was, now),
        "severity_before": was.get("severity", ""),
        "severity_now": now.get("severity", ""),
        "before": before,
        "now": after,
        "state": decide(reviews, now),
        "reviews": "; ".join(dict.fromkeys(map(_say, reviews))),
    }


def _tell(was: Row, now: Row) -> str:
    if not was or not now:
        return "new" if now else "gone"
    step = severity_rank(now["severity"]) - severity_rank(was["severity"])
    if step:
        return "worse" if step > 0 else "better"
    return "same" if was["summary"] == now["summary"] else "changed"


def _say(review: Row) -> str:
    why = f": {review['text']}" if review["text"] else ""
    return f"{review['by']} {DECIDED[review['decision']]}{why}"


def _weight(row: dict[str, str]) -> tuple[int, int]:
    severity = row["severity_now"] or row["severity_before"]
    return DIFFERENCES.index(row["change"]), -severity_rank(severity)
