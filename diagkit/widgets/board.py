"""IncidentBoard: what was found in an incident, and the records behind each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagkit.analyses.eventviews import book_events, view_events
from diagkit.analyses.findings import Diagnosis, analyse_incident
from diagkit.analyses.kinds import CODES
from diagkit.analyses.triage import weigh_diagnosis
from diagkit.charts.bars import plot_events, to_screen
from diagkit.errors import SettingError, suggest
from diagkit.frames.findings import AREAS, name_finding
from diagkit.widgets.explorer import Control, Explorer
from diagkit.widgets.leaks import ROWS, list_moments, one_of, say_events
from diagkit.widgets.pages import View

if TYPE_CHECKING:
    import pandas as pd

    from diagkit.frames.incidents import Incident

DEFAULTS: dict[str, Any] = {
    "since": None,
    "until": None,
    "area": None,
    "finding": None,
    "at": None,
}
COLUMNS = ("severity", "area", "summary", "evidence", "remedy", "id")


class IncidentBoard(Explorer):
    """An incident to look into: its findings, when it happened, what may be behind it.

    Parameters
    ----------
    incident
        As `open_incident` gives it, or what `analyse_incident` says of it.
    settings
        ``since``, ``until`` (times in UTC), ``area``, ``finding`` (an id: its records
        are shown), ``at`` (when the bar begins whose records are shown).

    Raises
    ------
    SettingError
        If a setting has no meaning.

    Examples
    --------
    >>> import diagkit as dk
    >>> board = IncidentBoard(dk.open_sample("two_stacks"), area="infrastructure")
    >>> board.as_code()
    "dk.IncidentBoard(inc, area='infrastructure')"
    >>> board.view().says.startswith("What may be behind it: a service that is needed")
    True
    """

    caption = "Findings in view, the most severe first"
    picks = "at"

    def __init__(self, incident: Incident | Diagnosis, **settings: Any) -> None:
        super().__init__(dict(DEFAULTS), settings)
        done = (
            incident if isinstance(incident, Diagnosis) else analyse_incident(incident)
        )
        self._findings = done.findings
        self._verdict = weigh_diagnosis(done)
        leaks = done.leaks
        names = leaks[["kind", "signature"]].astype("str").drop_duplicates()
        # Which events a finding counts.
        self._signatures = {
            name_finding(CODES.get(kind, (kind, ""))[0], signature): signature
            for kind, signature in names.itertuples(index=False)
        }
        self._book = book_events(leaks)
        self._check_choices()
        self._events()

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        return ("inc",)

    def controls(self) -> list[Control]:
        """Return the controls: time, area, finding."""
        ids = self._in_area()["id"].tolist()
        moments = list_moments(self._book)
        return [
            Control("range", "time (UTC)", ("since", "until"), moments),
            Control("choice", "area", ("area",), one_of(list(AREAS))),
            Control("choice", "finding", ("finding",), one_of(ids)),
        ]

    def view(self) -> View:
        """Draw what the settings ask for."""
        self._check_choices()
        selected = self._events()
        ax = plot_events(selected.counts, selected.every, self.settings["at"])
        finding, at = self.settings["finding"], self.settings["at"]
        if at is None and finding is None:
            rows = self._in_area()[list(COLUMNS)].astype("str")
            said = f"What may be behind it: {self._verdict.conclusion}."
        elif at is None and finding not in self._signatures:
            rows = self._findings[self._findings["id"] == finding].astype("str")
            said = str(rows["summary"].iloc[0])
        else:
            rows, said = selected.records(ROWS), say_events(selected, 0)
            left = len(selected.rows) - len(rows)
            return View(to_screen(ax), said, rows, left, tuple(selected.bars))
        left = max(0, len(rows) - ROWS)
        bars = tuple(selected.bars)
        return View(to_screen(ax), said, rows.head(ROWS), left, bars)

    def _events(self) -> Any:
        chosen = {name: self.settings[name] for name in ("since", "until", "at")}
        signature = self._signatures.get(self.settings["finding"] or "")
        return view_events(self._book, signature=signature, **chosen)

    def _in_area(self) -> pd.DataFrame:
        area = self.settings["area"]
        found = self._findings
        return found if area is None else found[found["area"].astype("str") == area]

    def _check_choices(self) -> None:
        for name, known in (
            ("area", list(AREAS)),
            ("finding", self._findings["id"].tolist()),
        ):
            value = self.settings[name]
            if value is not None and value not in known:
                msg = f"{name}={value!r} is none of what is there"
                raise SettingError(msg + suggest(str(value), known))
