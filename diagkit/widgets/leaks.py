"""LeakExplorer: events of a log over time, and the records behind each bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.analyses.leakviews import LeakBook, LeakView, view_leaks
from diagkit.analyses.timebins import (
    STEPS,
    divide_time,
    say_moment,
    to_moments,
    write_moment,
)
from diagkit.charts.canvas import Margins
from diagkit.charts.leaks import plot_leaks
from diagkit.charts.timeaxis import fit_time
from diagkit.frames.incidents import MARKS
from diagkit.widgets.controls import Control, same, same_times, with_all
from diagkit.widgets.explorer import Explorer
from diagkit.widgets.pages import Bar, Table, View
from diagkit.widgets.settings import read_bar, read_every, read_name, read_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 25
HEIGHT_IN = 3.8
# At the right stands the legend.
MARGINS = Margins(left=0.8, right=3.25, top=0.4, bottom=0.6)
UNDATED = "undated"
DEFAULTS: dict[str, Any] = {
    "since": None,
    "until": None,
    "every": None,
    "signature": None,
    "logger": None,
    "bar": None,
}
READERS = {
    "since": read_time,
    "until": read_time,
    "every": read_every,
    "signature": read_name,
    "logger": read_name,
    "bar": read_bar,
}


class LeakExplorer(Explorer):
    """Events of a log to look into: over time, and the records behind each bar.

    Parameters
    ----------
    leaks
        LEAKS.
    logs
        LOGS in which they were found: with them it is seen where the log has no record
        at all.
    marks
        MARKS: deploys, migrations, restarts.
    settings
        ``since``, ``until`` (times), ``every`` (length of a bin: ``"1min"``; one that
        makes more than 120 bars is made longer), ``signature``, ``logger`` (names),
        ``bar`` (the beginning of a bin whose records are shown, or ``undated``).

    Raises
    ------
    ContractError
        If a frame is none of its contract.
    SettingError
        If a setting has no meaning.

    Examples
    --------
    >>> import pandas as pd
    >>> from diagkit.frames.leaks import LEAKS
    >>> times = pd.to_datetime(["2025-11-24 10:00:30Z", "2025-11-24 10:02:10Z"])
    >>> leaks = LEAKS.build({"timestamp": times, "signature": "x", "kind": "leak",
    ...     "severity": "high", "source": "a.log", "line": [1, 7], "message": "gone"})
    >>> explorer = LeakExplorer(leaks, every="1min", bar="2025-11-24T10:02:00.000Z")
    >>> explorer.as_code()
    "dk.LeakExplorer(leaks, every='1min', bar='2025-11-24T10:02:00.000Z')"
    >>> page = str(explorer.static())
    >>> "a.log:7" in page, "a.log:1<" in page
    (True, False)
    """

    readers = READERS

    def __init__(
        self,
        leaks: pd.DataFrame,
        logs: pd.DataFrame | None = None,
        marks: pd.DataFrame | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(dict(DEFAULTS), settings)
        self._book = LeakBook.from_frames(leaks, logs)
        self._marks = None if marks is None else MARKS.check(marks)
        self._given = ("leaks", *(["logs"] if logs is not None else []))
        self._choices: list[Control] | None = None
        # What has no meaning is told at once, not when it is drawn.
        self.verify()

    def verify(self) -> None:
        """Raise a SettingError if the settings have no meaning."""
        self._in_order()
        for name in ("signature", "logger"):
            self._choose(name, self._book.groups[name].tolist())
        selected = self._select()
        self.pick((*_bars(selected), *_others(selected)))

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        return (*self._given, *(["marks=marks"] if self._marks is not None else []))

    def controls(self) -> list[Control]:
        """Return the controls: time, length of a bin, signature, logger."""
        if self._choices is None:
            span, groups = self._book.span, self._book.groups
            times = ["", ""] if span is None else divide_time(*to_moments(span))
            names = {
                name: sorted(set(groups[name])) for name in ("signature", "logger")
            }
            self._choices = [
                Control("range", "time (UTC)", ("since", "until"), same_times(times)),
                Control("choice", "bin", ("every",), (("fitting", None), *same(STEPS))),
                *(
                    Control("choice", name, (name,), with_all(values))
                    for name, values in names.items()
                ),
            ]
        return self._choices

    def view(self) -> View:
        """Draw what the settings ask for."""
        selected = self._select()
        bars = _bars(selected)
        others = _others(selected)
        (ax,) = self.canvas.clear("leaks", HEIGHT_IN, MARGINS)
        plot_leaks(selected.line, ax=ax, marks=self._in_view(selected), total=False)
        fit_time(ax, selected.edges)
        title, area = self.canvas.take_title(ax), self.canvas.area([ax])
        chosen = self.pick((*bars, *others))
        rows, caption = selected.rows, "Records in view, the first first"
        if chosen is not None and chosen < len(bars):
            self.canvas.outline(area.part(chosen, len(bars), rows=False))
            rows = rows[slice(*selected.bounds[chosen : chosen + 2])]
            caption = f"Records of {bars[chosen].label}"
        elif chosen is not None:
            rows, caption = selected.undated, "Records without a time"
        return View(
            self.canvas.to_png(),
            self._say(title, selected),
            (self._table(selected, rows, caption),),
            bars,
            area,
            others=others,
        )

    def _say(self, title: str, selected: LeakView) -> str:
        names = ("signature", "logger")
        chosen = [f"{n} {self.settings[n]}" for n in names if self.settings[n]]
        if chosen:
            # The title speaks of the whole log, of which this is a part.
            count = len(selected.rows) + len(selected.undated)
            title = f"{_events(count)} of {', '.join(chosen)}"
            if len(selected.undated):
                title += f"; {len(selected.undated)} without a time"
        count = len(selected.line)
        if not count:
            return title
        return f"{title}; {count} bar{'' if count == 1 else 's'} of {selected.every}"

    def _table(self, selected: LeakView, rows: NDArray[Any], caption: str) -> Table:
        shown = selected.records(rows, ROWS)
        # What is chosen is the same in each row: its place is better used.
        same = [name for name in ("signature", "logger") if self.settings[name]]
        return Table(caption, shown.drop(columns=same), len(rows) - len(shown))

    def _select(self) -> LeakView:
        chosen = {name: self.settings[name] for name in DEFAULTS if name != "bar"}
        return view_leaks(self._book, **chosen)

    def _in_view(self, selected: LeakView) -> pd.DataFrame | None:
        if self._marks is None or len(selected.edges) < 2:
            return None
        low, high = pd.to_datetime(selected.edges[[0, -1]], unit="us", utc=True)
        return self._marks[self._marks["timestamp"].between(low, high)]


def _bars(selected: LeakView) -> tuple[Bar, ...]:
    begins = [write_moment(at) for at in selected.line.index]
    counts = (selected.bounds[1:] - selected.bounds[:-1]).tolist()
    return tuple(
        Bar(begin, f"{say_moment(begin)} UTC, {selected.every}: {_events(count)}")
        for begin, count in zip(begins, counts, strict=True)
    )


def _others(selected: LeakView) -> tuple[Bar, ...]:
    count = len(selected.undated)
    return (Bar(UNDATED, f"without a time: {_events(count)}"),) if count else ()


def _events(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"
