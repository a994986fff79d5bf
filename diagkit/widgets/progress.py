"""ProgressExplorer: what a rule shows for projects, and the evidence for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagkit.analyses.projectviews import SHOWN, ProjectView, view_projects
from diagkit.charts.bars import plot_percentages, to_screen
from diagkit.errors import SettingError
from diagkit.widgets.explorer import Control, Explorer
from diagkit.widgets.leaks import one_of
from diagkit.widgets.pages import View

if TYPE_CHECKING:
    from diagkit.analyses.progress import StartedAtAudit

ROWS = 25


class ProgressExplorer(Explorer):
    """An audit to look into: what each rule shows for each project, and the evidence.

    Parameters
    ----------
    audit
        As `audit_started_at` gives it.
    settings
        ``policy`` (a rule; by default the newest that was in use), ``projects``
        (``all``, ``NULL``, ``NULL that is illegal``), ``project`` (one whose evidence
        is listed).

    Raises
    ------
    SettingError
        If a setting has no meaning.

    Examples
    --------
    >>> import diagkit as dk
    >>> audit = dk.audit_started_at(dk.open_sample().progress)
    >>> explorer = ProgressExplorer(audit, projects="NULL")
    >>> explorer.as_code()
    "dk.ProgressExplorer(audit, projects='NULL')"
    >>> explorer.view().says
    'current_run_or_zero for 21 projects: 56.5 points from the evidence in the mean'
    """

    caption = "Projects in view, the largest effect first"
    picks = "project"

    def __init__(self, audit: StartedAtAudit, **settings: Any) -> None:
        if not audit.policies:
            msg = "the audit has no policy, so there is nothing to show"
            raise SettingError(msg)
        newest = max(audit.policies, key=lambda rule: rule.since)
        defaults = {"policy": newest.name, "projects": "all", "project": None}
        super().__init__(defaults, settings)
        self._audit = audit
        self._select()

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        return ("audit",)

    def controls(self) -> list[Control]:
        """Return the controls: rule, projects, project."""
        rules = tuple((rule.name, rule.name) for rule in self._audit.policies)
        names = self._audit.projects["project_id"].astype("str").tolist()
        return [
            Control("choice", "policy", ("policy",), rules),
            Control(
                "choice", "projects", ("projects",), tuple((one, one) for one in SHOWN)
            ),
            Control("choice", "project", ("project",), one_of(names)),
        ]

    def view(self) -> View:
        """Draw what the settings ask for."""
        chosen, policy = self._select(), self.settings["policy"]
        ax = plot_percentages(chosen.bars, self.settings["project"], policy)
        records = chosen.records(ROWS)
        rows = chosen.table if chosen.candidates is None else chosen.candidates
        return View(
            to_screen(ax),
            _say(chosen, self.settings),
            records,
            len(rows) - len(records),
            tuple(chosen.bars["project_id"]),
        )

    def _select(self) -> ProjectView:
        return view_projects(self._audit, **self.settings)


def _say(chosen: ProjectView, settings: dict[str, Any]) -> str:
    policy, project = settings["policy"], settings["project"]
    if chosen.candidates is not None:
        many = len(chosen.candidates)
        noun = "moment" if many == 1 else "moments"
        return f"{project}: {many} {noun} at which its run may have started"
    effect = chosen.table[f"effect_pp_{policy}"].abs().mean()
    noun = "project" if chosen.count == 1 else "projects"
    far = "" if effect != effect else f": {effect:.1f} points from the evidence"
    mean = " in the mean" if far else ""
    drawn = len(chosen.bars)
    left = (
        f"; the {drawn} with the largest effect are drawn"
        if drawn < chosen.count
        else ""
    )
    return f"{policy} for {chosen.count} {noun}{far}{mean}{left}"
