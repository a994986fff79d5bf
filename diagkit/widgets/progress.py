"""ProgressExplorer: what each rule shows for each project, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagkit.analyses.policies import INFERRED
from diagkit.analyses.progress import StartedAtAudit
from diagkit.analyses.progressviews import (
    TaskRecords,
    list_portfolio,
    list_shown,
    tell_project,
    view_audit,
)
from diagkit.charts.canvas import Margins
from diagkit.charts.progress import choose_policies, draw_ranked, rank_projects
from diagkit.errors import SettingError, suggest
from diagkit.frames.progress import Progress
from diagkit.widgets.controls import Control, same
from diagkit.widgets.explorer import Explorer
from diagkit.widgets.pages import Bar, Table, View
from diagkit.widgets.settings import read_flag, read_name

if TYPE_CHECKING:
    import pandas as pd

# So many projects have a row in the picture, and so many more can be chosen by name.
LINES, NAMES, ROWS = 15, 300, 25
MARGINS = Margins(left=2.3, right=0.85, top=0.45, bottom=0.85)
DEFAULTS: dict[str, Any] = {"policy": None, "illegal": False, "project": None}
READERS = {"policy": read_name, "illegal": read_flag, "project": read_name}


class ProgressExplorer(Explorer):
    """An audit of starts to look into: what rules show, and what is known of a project.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    progress
        What was audited: with it the tasks of a project are shown.
    settings
        ``policy`` (the name of the rule that is drawn besides `inferred`; None: the
        latest two in use), ``illegal`` (only projects that ran and have no start),
        ``project`` (an id: all that is known of it is shown).

    Raises
    ------
    SettingError
        If a setting has no meaning.

    Examples
    --------
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> projects = PROJECTS.build({"project_id": ["north"],
    ...     "execution_status": ["running"]})
    >>> tasks = TASKS.build({"project_id": ["north"], "task_name": ["build"],
    ...     "status": ["completed"], "created_at": ["2025-11-24 10:00Z"]})
    >>> progress = Progress(projects, tasks)
    >>> explorer = ProgressExplorer(audit_started_at(progress), progress,
    ...     project="north")
    >>> explorer.as_code()
    "dk.ProgressExplorer(audit, progress, project='north')"
    >>> "Tasks of north: 1" in str(explorer.static())
    True
    """

    of, picked = "all of", "project"
    readers = READERS

    def __init__(
        self,
        audit: StartedAtAudit,
        progress: Progress | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(dict(DEFAULTS), settings)
        given: object = audit
        if not isinstance(given, StartedAtAudit):
            msg = (
                "ProgressExplorer explores what audit_started_at returns; a "
                f"{type(given).__name__} came"
            )
            raise SettingError(msg)
        tasks: object = progress
        if tasks is not None and not isinstance(tasks, Progress):
            msg = (
                "ProgressExplorer takes the tasks from what read_progress returns; a "
                f"{type(tasks).__name__} came"
            )
            raise SettingError(msg)
        self._audit = audit
        self._tasks = None if progress is None else TaskRecords(progress)
        # What has no meaning is told at once, not when it is drawn.
        self.verify()

    def verify(self) -> None:
        """Raise a SettingError if the settings have no meaning."""
        choose_policies(self._audit, self._policies())
        self._choose("project", self._audit.projects["project_id"].tolist())
        self._known()

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        return ("audit",) if self._tasks is None else ("audit", "progress")

    def controls(self) -> list[Control]:
        """Return the controls: policy, only illegal NULLs."""
        names = [one.name for one in self._audit.policies if one.name != INFERRED.name]
        usual = (("the latest two", None), *same(names))
        return [
            Control("choice", "policy", ("policy",), usual),
            Control("check", "only projects that ran without a start", ("illegal",)),
        ]

    def view(self) -> View:
        """Draw what the settings ask for."""
        part = view_audit(self._audit, illegal=self.settings["illegal"])
        policies = self._policies()
        names = choose_policies(self._audit, policies)
        ranked = rank_projects(part, policies)
        drawn = ranked.head(LINES)
        (ax,) = self.canvas.clear("progress", 1.4 + 0.3 * max(len(drawn), 4), MARGINS)
        draw_ranked(part, ranked, names, ax, LINES)
        title = self.canvas.take_title(ax)
        area = self.canvas.area([ax]).with_labels()
        bars = _bars(drawn, names)
        project = self._known()
        for place, bar in enumerate(bars):
            if bar.value == project:
                self.canvas.outline(area.part(place, len(bars), rows=True))
        return View(
            self.canvas.to_png(),
            title,
            self._tables(part, ranked, names),
            bars,
            area,
            rows=True,
            others=self._others({bar.value for bar in bars}),
        )

    def _policies(self) -> list[str] | None:
        policy = self.settings["policy"]
        return None if policy is None else [policy]

    def _known(self) -> str | None:
        project: str | None = self.settings["project"]
        ids = self._audit.projects["project_id"]
        if project is not None and not (ids == project).any():
            if self._moved:
                self.settings["project"] = None
                return None
            near = suggest(str(project), ids.head(10_000).tolist())
            msg = f"no project {project!r} is in the audit{near}"
            raise SettingError(msg)
        return project

    def _others(self, drawn: set[str]) -> tuple[Bar, ...]:
        """Return projects that have no row, the chosen one among them."""
        chosen = self.settings["project"]
        ids = self._audit.projects["project_id"].head(NAMES + len(drawn)).tolist()
        names = dict.fromkeys([*([] if chosen is None else [chosen]), *ids])
        return tuple(Bar(name, name) for name in names if name not in drawn)

    def _tables(
        self, part: StartedAtAudit, ranked: pd.DataFrame, names: list[str]
    ) -> tuple[Table, ...]:
        project = self.settings["project"]
        if project is None:
            shown = list_shown(ranked, names, ROWS)
            said = "Projects about which the rules differ, the worst first"
            return (
                Table(said, shown, len(ranked) - len(shown)),
                Table("What the rules show for all", list_portfolio(part)),
            )
        told = tell_project(self._audit, project)
        tables = [Table(caption, rows) for caption, rows in told.items()]
        if self._tasks is not None:
            rows, count = self._tasks.of(project, ROWS)
            tables.append(Table(f"Tasks of {project}", rows, count - len(rows)))
        return tuple(tables)


def _bars(drawn: pd.DataFrame, names: list[str]) -> tuple[Bar, ...]:
    shown = list_shown(drawn, names, len(drawn))
    policies = dict.fromkeys((*names, INFERRED.name))
    return tuple(
        Bar(
            str(project),
            f"{project}: "
            + ", ".join(
                f"{name} {text}" for name, text in zip(policies, texts, strict=True)
            ),
        )
        for project, texts in zip(
            drawn["project_id"],
            shown[list(policies)].itertuples(index=False, name=None),
            strict=True,
        )
    )
