"""What happened, in sentences: each that has a number names the finding it is from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diagkit.analyses.timeline import list_moments
from diagkit.analyses.triage import weigh_diagnosis
from diagkit.frames.findings import severity_rank
from diagkit.frames.triage import UNDETERMINED, UNSETTLED
from diagkit.report.narratives import CITED

if TYPE_CHECKING:
    import pandas as pd

    from diagkit.analyses.findings import Diagnosis

# What is less severe stands in the table of findings alone.
WORTH_A_SENTENCE = "medium"
# What users and data suffered, by the areas of findings, and whatever their area by
# their codes; all others are what led to it.
SUFFERED = ("service", "data")
MET = ("errors_unseen_by_backend", "upstream_unreachable", "stream_crashed")
# So many findings make a summary.
FIRST = 3
WORD = re.compile(r"[a-z]+[ ,:]")


class Account:
    """The results of all analyses as sentences.

    Parameters
    ----------
    diagnosis
        The results.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        self.verdict = weigh_diagnosis(diagnosis)
        self.moments = list_moments(diagnosis)
        findings = diagnosis.findings
        ranks = findings["severity"].astype("str").map(severity_rank)
        least = severity_rank(WORTH_A_SENTENCE)
        self.findings = findings[(ranks >= least).to_numpy(dtype=bool)]

    @property
    def lead(self) -> str:
        """How many findings there are, and from when to when the logs reach."""
        times = self.diagnosis.incident.logs["timestamp"].dropna()
        counts = self.diagnosis.findings["severity"].astype("str").value_counts()
        known = ("critical", "high", "medium", "low")
        said = ", ".join(f"{counts[one]} {one}" for one in known if one in counts)
        found = f"Findings: {said}." if said else "No findings."
        if times.empty:
            return found
        return f"{found} The logs reach from {_say_span(times.min(), times.max())}."

    @property
    def summary(self) -> tuple[str, ...]:
        """The most severe findings, and what is likely behind them."""
        cause, _, unsettled = self._best["summary"].partition(UNSETTLED)
        held = (
            "It is given no more than even odds, since these checks of the "
            f"infrastructure failed or were not made: {unsettled}"
            if unsettled
            else ""
        )
        return tuple(one for one in (self._worst, self._say_cause(cause), held) if one)

    @property
    def impact(self) -> tuple[str, ...]:
        """What users and data suffered, a sentence a finding."""
        said = self._say_findings(suffered=True)
        return said or ("No finding says what users met.",)

    @property
    def detection(self) -> str:
        """What was the first sign that has a time."""
        signs = self.moments[self.moments["finding"] != ""]
        if signs.empty:
            return "No sign of it has a time."
        first = signs.iloc[0]
        return (
            f"The first sign that has a time: {first['event']}, at "
            f"{_say_moment(first['timestamp'])} [{first['finding']}]."
        )

    @property
    def trigger(self) -> tuple[str, ...]:
        """What is known to have happened before the first sign of the likely cause."""
        signs = self.moments[self.moments["finding"] != ""]
        mine = signs[signs["finding"].isin(self._cited)]
        if signs.empty:
            return ()
        first = (mine if len(mine) else signs).iloc[0]
        marks = self.moments[self.moments["finding"] == ""]
        before = marks[marks["timestamp"] <= first["timestamp"]]
        sign = f"{first['event']}, {_say_moment(first['timestamp'])}"
        sign = f"the first sign of it ({sign} [{first['finding']}])"
        if before.empty:
            return (
                f"No deploy, migration or restart before {sign} is known; marks in "
                "incident.toml tell of them.",
            )
        said = (
            f"{event} ({_say_seconds(first['timestamp'] - at)} before)"
            for at, event in zip(before["timestamp"], before["event"], strict=True)
        )
        return (
            f"Known from before {sign}: {', '.join(said)}. That one came before the "
            "other is no proof.",
        )

    @property
    def contributed(self) -> tuple[str, ...]:
        """Findings of what may have led to it, a sentence each."""
        return self._say_findings(suffered=False)

    @property
    def lessons(self) -> tuple[str, ...]:
        """What was checked and held, and what nobody could look at."""
        steps = self.verdict.checklist
        words = {"passed": "Held", "not done": "Not looked at"}
        return tuple(
            f"{words[result]}: {step} {_end(_begin(evidence))}"
            for result in words
            for step, evidence in steps.loc[
                steps["result"].astype("str") == result, ["step", "evidence"]
            ].itertuples(index=False)
        )

    @property
    def _best(self) -> pd.Series:
        first: pd.Series = self.verdict.hypotheses.iloc[0]
        return first

    @property
    def _cited(self) -> list[str]:
        """The findings that speak for what is likely the cause."""
        return CITED.findall(self._best["evidence_for"])

    @property
    def _worst(self) -> str:
        rows = self.findings.head(FIRST)
        if self.diagnosis.findings.empty:
            return "Nothing of what diagkit looks for was found."
        if rows.empty:
            return "Nothing of what was found is severe."
        said = zip(rows["summary"], rows["id"], strict=True)
        return f"Most severe: {'; '.join(f'{text} [{name}]' for text, name in said)}."

    def _say_cause(self, cause: str) -> str:
        best = self._best
        if best["code"] == UNDETERMINED:
            return _end(_begin(cause))
        sure = f"{100 * best['confidence']:.0f} %"
        rows = self.verdict.hypotheses.iloc[1:]
        rivals = rows.loc[rows["confidence"] == best["confidence"], "summary"]
        others = "; ".join(one.partition(UNSETTLED)[0] for one in rivals)
        as_likely = f" As likely: {others}." if others else ""
        said = f"Likely cause ({sure}): {cause}. For it: {_end(best['evidence_for'])}"
        return f"{said}{as_likely}"

    def _say_findings(self, *, suffered: bool) -> tuple[str, ...]:
        rows = self.findings
        met = rows["area"].isin(SUFFERED) | rows["code"].isin(MET)
        rows = rows[met == suffered]
        by_finding = self.moments.groupby("finding")["timestamp"]
        ends = {name: (part.min(), part.max()) for name, part in by_finding}
        columns = rows[["severity", "summary", "id"]].astype("str")
        made = []
        for severity, summary, name in columns.itertuples(index=False, name=None):
            span = f" ({_say_span(*ends[name])})" if name in ends else ""
            made.append(_begin(f"{severity}: {summary}{span} [{name}]."))
        return tuple(made)


def _begin(text: str) -> str:
    """Begin a sentence with a capital, unless it begins with a name."""
    return f"{text[:1].upper()}{text[1:]}" if WORD.match(text) else text


def _end(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _say_moment(at: pd.Timestamp) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _say_span(first: pd.Timestamp, last: pd.Timestamp) -> str:
    """Say from when to when; a day that is the same is said once."""
    if f"{first:%F %T}" == f"{last:%F %T}":
        return _say_moment(first)
    end = f"{last:%H:%M:%S} UTC" if first.date() == last.date() else _say_moment(last)
    return f"{first:%Y-%m-%d %H:%M:%S} to {end}"


def _say_seconds(span: pd.Timedelta) -> str:
    """Say how long something took, in its two largest units."""
    left = int(span.total_seconds())
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
