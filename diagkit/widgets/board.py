"""IncidentBoard: what was found in an incident, and what stands behind each finding."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.analyses.boardviews import (
    Evidence,
    choose_picture,
    find_evidence,
    list_findings,
)
from diagkit.analyses.findings import Diagnosis, analyse_incident
from diagkit.analyses.timebins import divide_time
from diagkit.analyses.triage import weigh_diagnosis
from diagkit.errors import SettingError, suggest
from diagkit.frames.findings import SEVERITIES, severity_rank
from diagkit.frames.incidents import Incident
from diagkit.widgets.controls import Control, same, same_times, with_all
from diagkit.widgets.explorer import Explorer
from diagkit.widgets.http import StatusExplorer
from diagkit.widgets.leaks import LeakExplorer
from diagkit.widgets.pages import Table, View, spell
from diagkit.widgets.pool import PoolExplorer
from diagkit.widgets.progress import ProgressExplorer
from diagkit.widgets.settings import read_bar, read_name, read_severity, read_time

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 25
DEFAULTS: dict[str, Any] = {
    "since": None,
    "until": None,
    "severity": SEVERITIES[0],
    "finding": None,
    "picture": None,
    "bar": None,
}
READERS = {
    "since": read_time,
    "until": read_time,
    "severity": read_severity,
    "finding": read_name,
    "picture": read_name,
    "bar": read_bar,
}
# The pictures, and which explorer has each.
PICTURES = {
    "leaks": "leaks",
    "use": "pool",
    "holders": "pool",
    "waits": "pool",
    "progress": "progress",
    "statuses": "http",
}
HYPOTHESIS = ("rank", "confidence", "area", "summary", "evidence_for")
STEP = ("area", "step", "result", "evidence")


class IncidentBoard(Explorer):
    """What was found in an incident, ranked, with the chart and the records of each.

    Without a finding that is chosen it shows all of them, what triage says may be the
    cause, and what was checked.

    Parameters
    ----------
    incident
        As `open_incident` gives it: it is read, and every analysis runs once; or what
        `analyse_incident` says of it.
    settings
        ``since``, ``until`` (times, of the pictures), ``severity`` (the least that is
        shown), ``finding`` (an id: its evidence and its records are shown), ``picture``
        (``leaks``, ``use``, ``holders``, ``waits``, ``progress`` or ``statuses``; None:
        the one that shows the finding best), ``bar`` (what of the picture is looked
        at).

    Raises
    ------
    SettingError
        If a setting has no meaning, or `incident` is none.

    Examples
    --------
    >>> import diagkit as dk
    >>> board = IncidentBoard(dk.open_sample(), finding="connection_leak-00d1e65a")
    >>> board.as_code()
    "dk.IncidentBoard(inc, finding='connection_leak-00d1e65a')"
    >>> "api.log:402" in str(board.static())
    True
    """

    readers = READERS

    def __init__(self, incident: Incident | Diagnosis, **settings: Any) -> None:
        super().__init__(dict(DEFAULTS), settings)
        given: object = incident
        if not isinstance(given, Incident | Diagnosis):
            msg = (
                "IncidentBoard shows what open_incident gives; a "
                f"{type(given).__name__} came"
            )
            raise SettingError(msg)
        self._found = (
            incident if isinstance(incident, Diagnosis) else analyse_incident(incident)
        )
        self._incident = self._found.incident
        self._parts: dict[str, Explorer] = {}
        self._evidence: dict[str, Evidence | None] = {}
        # What has no meaning is told at once, not when it is drawn; and what takes its
        # time is made ready at once, not when a picture is first wanted.
        self._finding()
        for name in self.pictures:
            self._part(PICTURES[name])
        self.verify()

    def verify(self) -> None:
        """Raise a SettingError if the settings have no meaning."""
        self._in_order()
        finding = self._finding()
        evidence = None if finding is None else self._evidence_of(finding)
        part = self._fit(finding, evidence)
        part.verify()
        self._keep_bar(part)

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        return ("inc",)

    @cached_property
    def times(self) -> list[str]:
        """Times at which a view may begin or end."""
        of = self._incident
        known = pd.concat(
            [rows["timestamp"].dropna() for rows in (of.logs, of.pool, of.http)]
        )
        return divide_time(known.min(), known.max()) if len(known) else ["", ""]

    @cached_property
    def pictures(self) -> list[str]:
        """The pictures for which the incident has data."""
        incident = self._incident
        there = {
            "leaks": len(self._found.leaks) > 0,
            "use": len(incident.pool) > 0,
            "holders": len(incident.checkouts) > 0,
            "waits": bool(incident.checkouts["wait_s"].notna().any()),
            "progress": self._found.audit is not None,
            "statuses": len(incident.http) > 0,
        }
        return [name for name in PICTURES if there[name]] or ["leaks"]

    def controls(self) -> list[Control]:
        """Return the controls: time, least severity, finding, picture."""
        rows = self._findings()
        options = [
            (spell(f"{severity}: {summary}", 80), name)
            for severity, summary, name in zip(
                rows["severity"], rows["summary"], rows["id"], strict=True
            )
        ]
        pictures = (("fitting", None), *same(self.pictures))
        return [
            Control("range", "time (UTC)", ("since", "until"), same_times(self.times)),
            Control("choice", "at least", ("severity",), same(SEVERITIES)),
            Control(*("choice", "finding", ("finding",)), (*with_all(()), *options)),
            Control("choice", "picture", ("picture",), pictures),
        ]

    def view(self) -> View:
        """Draw what the settings ask for."""
        finding = self._finding()
        evidence = None if finding is None else self._evidence_of(finding)
        part = self._fit(finding, evidence)
        drawn = part.view()
        self._keep_bar(part)
        behind = () if self.settings["bar"] is None else drawn.tables
        about = self._about_all() if finding is None else _about(finding, evidence)
        return View(
            drawn.picture,
            drawn.says,
            (*behind, *about),
            drawn.bars,
            drawn.area,
            drawn.rows,
            drawn.others,
        )

    def _findings(self) -> pd.DataFrame:
        least = severity_rank(self.settings["severity"])
        rows = self._found.findings
        ranks = rows["severity"].astype("str").map(severity_rank)
        return rows[(ranks >= least).to_numpy(dtype=bool)]

    def _finding(self) -> pd.Series | None:
        """Return the row of the finding that is chosen."""
        self._findings()
        wanted, rows = self.settings["finding"], self._found.findings
        if wanted is None:
            return None
        mine = rows[rows["id"] == wanted]
        if mine.empty:
            near = suggest(str(wanted), rows["id"].tolist())
            msg = f"no finding {wanted!r} is in this incident{near}"
            raise SettingError(msg)
        first: pd.Series = mine.iloc[0]
        return first

    def _evidence_of(self, finding: pd.Series) -> Evidence | None:
        wanted = finding["id"]
        if wanted not in self._evidence:
            self._evidence[wanted] = find_evidence(self._found, finding, ROWS)
        return self._evidence[wanted]

    def _fit(self, finding: pd.Series | None, evidence: Evidence | None) -> Explorer:
        """Return the explorer of the picture, with the settings that it gets here."""
        name = self._picture(finding)
        part = self._part(PICTURES[name])
        more = (
            {}
            if name == "progress"
            else {key: self.settings[key] for key in ("since", "until")}
        )
        more[part.picked] = self.settings["bar"]
        if PICTURES[name] == "pool":
            more["picture"] = name
            more["pool"] = evidence.pool if evidence is not None else None
        if name == "leaks" and evidence is not None:
            more["signature"] = evidence.signature
        part.fit_within(self, **more)
        return part

    def _keep_bar(self, part: Explorer) -> None:
        """Let go of a bar that a control took out of view."""
        self.settings["bar"] = part.settings[part.picked]

    def _picture(self, finding: pd.Series | None) -> str:
        wanted: str | None = self.settings["picture"]
        if wanted is None:
            first = self.pictures[0]
            if finding is None:
                return first
            best = choose_picture(finding["code"], str(finding["area"]))
            return best if best in self.pictures else first
        if wanted not in self.pictures:
            near = suggest(str(wanted), self.pictures)
            msg = (
                f"picture={wanted!r} is none of those that this incident has data for: "
                f"{', '.join(self.pictures)}{near}"
            )
            raise SettingError(msg)
        return wanted

    def _part(self, name: str) -> Explorer:
        """Return the explorer of a picture, made when it is first wanted."""
        incident, found = self._incident, self._found
        if name not in self._parts:
            if name == "leaks":
                self._parts[name] = LeakExplorer(
                    found.leaks, incident.logs, incident.marks
                )
            elif name == "pool":
                self._parts[name] = PoolExplorer(incident.pool, incident.checkouts)
            elif name == "http":
                self._parts[name] = StatusExplorer(incident.http)
            elif found.audit is not None:
                self._parts[name] = ProgressExplorer(found.audit, incident.progress)
        return self._parts[name]

    @cached_property
    def _triage(self) -> tuple[Table, ...]:
        found = weigh_diagnosis(self._found)
        causes = found.hypotheses[list(HYPOTHESIS)].copy()
        causes["confidence"] = [f"{100 * one:.0f} %" for one in causes["confidence"]]
        return (
            Table("What may be the cause, the likeliest first", causes.astype("str")),
            Table("What was checked", found.checklist[list(STEP)].astype("str")),
        )

    def _about_all(self) -> Sequence[Table]:
        rows = self._findings()
        return (
            Table("Findings, the most severe first", list_findings(rows)),
            *self._triage,
        )


def _about(finding: pd.Series, evidence: Evidence | None) -> Sequence[Table]:
    names = ("severity", "area", "summary", "evidence", "remedy", "id")
    told = pd.DataFrame(
        {"of the finding": list(names), "is": [str(finding[name]) for name in names]},
        dtype="str",
    )
    tables = [Table("The finding", told)]
    if evidence is not None:
        left = evidence.count - len(evidence.rows)
        tables.append(Table(evidence.caption, evidence.rows, left))
    return tables
