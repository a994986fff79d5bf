"""Requests by status over time, and the records behind each bar: for IncidentBoard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.analyses.httpviews import HttpBook, HttpView, view_http
from diagkit.analyses.timebins import divide_time, say_moment, to_moments, write_moment
from diagkit.charts.canvas import Margins
from diagkit.charts.http import conclude_statuses, plot_statuses
from diagkit.charts.timeaxis import fit_time
from diagkit.widgets.controls import Control, same_times
from diagkit.widgets.explorer import Explorer
from diagkit.widgets.pages import Bar, Table, View
from diagkit.widgets.settings import read_bar, read_time

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 25
UNDATED = "undated"
MARGINS = Margins(left=0.65, right=0.25, top=0.45)
DEFAULTS: dict[str, Any] = {"since": None, "until": None, "bar": None}
READERS = {"since": read_time, "until": read_time, "bar": read_bar}


class StatusExplorer(Explorer):
    """Requests to look into: by status over time, and the records behind each bar.

    Parameters
    ----------
    http
        HTTP.
    settings
        ``since``, ``until`` (times), ``bar`` (the beginning of a bin whose requests are
        shown).
    """

    readers = READERS

    def __init__(self, http: pd.DataFrame, **settings: Any) -> None:
        super().__init__(dict(DEFAULTS), settings)
        self._book = HttpBook.from_frame(http)
        self.verify()

    def verify(self) -> None:
        """Raise a SettingError if the settings have no meaning."""
        self._in_order()
        selected = self._select()
        self.pick((*_bars(selected), *self._others()))

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        return ("http",)

    def controls(self) -> list[Control]:
        """Return the control: time."""
        span = self._book.span
        times: Sequence[str] = (
            ["", ""] if span is None else divide_time(*to_moments(span))
        )
        ends = ("since", "until")
        return [Control("range", "time (UTC)", ends, same_times(times))]

    def view(self) -> View:
        """Draw what the settings ask for."""
        selected = self._select()
        bars = _bars(selected)
        (ax,) = self.canvas.clear("statuses", 3.6, MARGINS)
        plot_statuses(selected.statuses, ax=ax)
        fit_time(ax, selected.edges)
        others = self._others()
        area, chosen = self.canvas.area([ax]), self.pick((*bars, *others))
        rows, caption = selected.rows, "Requests in view, the first first"
        if chosen is not None and chosen == len(bars):
            rows, caption = self._book.undated, "Requests without a time"
        elif chosen is not None:
            self.canvas.outline(area.part(chosen, len(bars), rows=False))
            rows = rows[slice(*selected.bounds[chosen : chosen + 2])]
            caption = f"Requests of {bars[chosen].label}"
        records = selected.records(rows, ROWS)
        table = Table(caption, records, len(rows) - len(records))
        said = [
            conclude_statuses(selected.statuses) or "No request with a time in view"
        ]
        said += [one.label for one in others]
        if bars:
            word = "bar" if len(bars) == 1 else "bars"
            said.append(f"{len(bars)} {word} of {selected.every}")
        return View(
            self.canvas.to_png(), "; ".join(said), (table,), bars, area, others=others
        )

    def _others(self) -> tuple[Bar, ...]:
        """Return what has no bar: requests without a time, in no part of it."""
        count = len(self._book.undated)
        if not count or self.settings["since"] or self.settings["until"]:
            return ()
        word = "request" if count == 1 else "requests"
        return (Bar(UNDATED, f"without a time: {count} {word}"),)

    def _select(self) -> HttpView:
        ends = {name: self.settings[name] for name in ("since", "until")}
        return view_http(self._book, **ends)


def _bars(selected: HttpView) -> tuple[Bar, ...]:
    counts = (selected.bounds[1:] - selected.bounds[:-1]).tolist()
    times = pd.to_datetime(selected.edges[:-1], unit="us", utc=True)
    begins = [write_moment(at) for at in times]
    return tuple(
        Bar(
            begin,
            f"{say_moment(begin)} UTC, {selected.every}: {count} "
            f"request{'' if count == 1 else 's'}, {failed} failed",
        )
        for begin, count, failed in zip(
            begins, counts, selected.failed.tolist(), strict=True
        )
    )
