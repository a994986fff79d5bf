"""Leaks and what follows from them as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.analyses.echoes import find_shifts
from diagkit.analyses.kinds import CODES, count_words
from diagkit.frames.findings import Finding, build_findings
from diagkit.frames.leaks import LEAKS
from diagkit.signatures.catalogue import load_signatures

if TYPE_CHECKING:
    import pandas as pd

    from diagkit.analyses.echoes import Shift
    from diagkit.signatures.catalogue import Signature

SILENT = ("pool_event", "resolution")
UNLEAKED = {"hikaricp.leak_detected": "hikaricp.unleaked"}


def check_leaks(leaks: pd.DataFrame) -> pd.DataFrame:
    """Report leaks and what follows from them as findings, one a signature.

    Routine events are no findings. Where two files tell the same events some hours
    apart, a finding ``zone_differs`` says that they are counted twice.

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
    names = [leaks["kind"].astype("str"), leaks["signature"].astype("str")]
    counts = leaks["signature"].astype("str").value_counts().to_dict()
    findings = [_report_shift(shift) for shift in find_shifts(leaks)]
    for (kind, name), events in leaks.groupby(names, sort=True):
        if kind in SILENT:
            continue
        signature = catalogue.get(str(name))
        code, area = CODES.get(str(kind), (str(kind), "logs"))
        evidence = _evidence(str(kind), str(name), events, signature)
        back = counts.get(UNLEAKED.get(str(name), ""), 0)
        if back:
            evidence += f"; {back} came back later"
        findings.append(
            Finding(
                code=code,
                subject=str(name),
                area=area,
                severity=str(events["severity"].iloc[0]),
                summary=count_words(str(kind), len(events)),
                evidence=evidence,
                remedy=_remedy(str(kind), signature),
            )
        )
    order = {code: rank for rank, (code, _) in enumerate(CODES.values())}
    return build_findings(sorted(findings, key=lambda f: order.get(f.code, 99)))


def _report_shift(shift: Shift) -> Finding:
    apart = f"{shift.hours:g} h"
    return Finding(
        code="zone_differs",
        subject=f"{shift.source}|{shift.other}",
        area="logs",
        severity="high",
        summary=(
            f"the same events stand in {shift.source} and {shift.other}, {apart} "
            "apart, and are counted twice"
        ),
        evidence=(
            f"{shift.events} of {shift.of} records of {shift.source} stand in "
            f"{shift.other} {apart} earlier"
        ),
        remedy="Tell tz= for the file whose times are written in another zone.",
    )


def _remedy(kind: str, signature: Signature | None) -> str:
    if kind == "near":
        return (
            "Read the messages; if it is the known failure in other words, add the "
            "wording to the catalogue."
        )
    return signature.remedy if signature else ""


def _evidence(
    kind: str, name: str, events: pd.DataFrame, signature: Signature | None
) -> str:
    first = events.iloc[0]
    parts = [
        f"near {name}" if kind == "near" else name,
        f"first at {first['source']}:{first['line']}",
    ]
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
    versions = sorted(set(events["library_version"].dropna().astype("str")))
    if versions:
        parts.append(f"SQLAlchemy {', '.join(versions)}")
    if ended := int(events["shutdown"].sum()):
        parts.append(f"{ended} of them when the interpreter shut down")
    if signature is not None and signature.close:
        parts.append("wording near a known one")
    return "; ".join(parts)
