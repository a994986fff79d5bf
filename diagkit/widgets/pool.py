"""PoolExplorer: who held which connection, when, and how far the pool was used."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pandas as pd

from diagkit.analyses.checkouts import HolderLayout, lay_out
from diagkit.analyses.poolviews import PoolBook, PoolView, view_pool
from diagkit.analyses.timebins import say_moment, write_moment
from diagkit.analyses.utilisation import rank_series
from diagkit.charts.canvas import Area, Margins
from diagkit.charts.checkouts import draw_waits, plot_holders, rank_waits
from diagkit.charts.pool import draw_series
from diagkit.charts.timeaxis import fit_time
from diagkit.errors import DiagkitError, SettingError, suggest
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.widgets.controls import Control, same, same_times, with_all
from diagkit.widgets.explorer import Explorer
from diagkit.widgets.pages import Bar, Table, View
from diagkit.widgets.settings import read_bar, read_name, read_seconds, read_time

PICTURES = ("use", "holders", "waits")
# What a row of a picture is.
COLUMNS = {"holders": "holder", "waits": "operation"}
ROWS = 25
# So many pools have a panel, so many holders and operations a row; so many bars of
# checkouts can be told apart, in so many columns of dots.
PANELS, LINES, MOST_BARS, DOTS = 3, 15, 600, 600
DEFAULTS: dict[str, Any] = {
    "since": None,
    "until": None,
    "pool": None,
    "operation": None,
    "longer_than_s": 0.0,
    "picture": "use",
    "bar": None,
}
READERS = {
    "since": read_time,
    "until": read_time,
    "pool": read_name,
    "operation": read_name,
    "longer_than_s": read_seconds,
    "picture": read_name,
    "bar": read_bar,
}
# What people call a source of that type.
NAMES = {"PoolRecorder": "recorder"}
# So much longer than it takes to look and draw is waited until the next time.
REST = 5.0


class PoolExplorer(Explorer):
    """A pool to look into: its use, its holders and waits, and the checkouts in view.

    Parameters
    ----------
    source
        POOL; or what is looked at again and again: a running `PoolRecorder`, what
        `watch_server` returns, or anything else with a method ``look()`` that returns
        POOL and CHECKOUTS.
    checkouts
        CHECKOUTS; may be left out.
    every_s
        How often a running one is looked at, in seconds, where there is a running
        event loop, as in a notebook; it is looked at less often where that takes
        long. `close` ends it.
    settings
        ``since``, ``until`` (times), ``pool``, ``operation`` (names),
        ``longer_than_s``, ``picture`` (``use``, ``holders`` or ``waits``), ``bar``
        (the beginning of a part of the time, a holder, or an operation, whose checkouts
        are shown).

    Raises
    ------
    ContractError
        If a frame is none of its contract.
    SettingError
        If a setting has no meaning.

    Examples
    --------
    >>> import pandas as pd
    >>> from diagkit.frames.pool import POOL
    >>> times = pd.date_range("2025-11-24", periods=4, freq="1s", tz="UTC")
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "size": 2,
    ...     "max_overflow": 1, "checked_out": [1, 2, 3, 2]})
    >>> explorer = PoolExplorer(pool, longer_than_s=5.0)
    >>> explorer.as_code()
    'dk.PoolExplorer(pool, longer_than_s=5.0)'
    >>> "Pool &#x27;app&#x27; had no connection left" in str(explorer.static())
    True
    """

    of = "checkouts of"
    readers = READERS

    def __init__(
        self,
        source: Any,
        checkouts: pd.DataFrame | None = None,
        *,
        every_s: float = 2.0,
        **settings: Any,
    ) -> None:
        super().__init__(dict(DEFAULTS), settings)
        self._every_s = read_seconds("every_s", every_s)
        if not self._every_s:
            msg = f"every_s is more than 0 seconds; {every_s} came"
            raise SettingError(msg)
        self._live = None if isinstance(source, pd.DataFrame) else source
        self._given = checkouts is not None
        self._choices: list[Control] | None = None
        if self._live is None:
            rows = CHECKOUTS.empty() if checkouts is None else checkouts
            self._take(source, rows)
        else:
            if not callable(getattr(source, "look", None)):
                msg = (
                    "PoolExplorer explores POOL, a PoolRecorder, or what watch_server "
                    f"returns; a {type(source).__name__} came"
                )
                raise SettingError(msg)
            self._take(*self._live.look())
        self._task: asyncio.Task[None] | None = None
        # What has no meaning is told at once, not when it is drawn.
        self.verify()

    def verify(self) -> None:
        """Raise a SettingError if the settings have no meaning."""
        self._in_order()
        self._choose("pool", self._book.pools)
        self._choose("operation", self._book.operations)
        if self.settings["picture"] in COLUMNS and len(self._pictures) == 1:
            self.settings["picture"] = "use"
        selected = self._select()
        if self.settings["bar"] is not None:
            self.pick(self._bars_of(selected))

    @property
    def _pictures(self) -> tuple[str, ...]:
        """The pictures there are; without checkouts there are no holders, no waits."""
        known = self._live is not None or len(self._book.checkouts.frame) > 0
        return PICTURES if known else PICTURES[:1]

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        if self._live is not None:
            return (NAMES.get(type(self._live).__name__, "watch"),)
        return ("pool", "checkouts") if self._given else ("pool",)

    def controls(self) -> list[Control]:
        """Return the controls: time, pool, operation, least hold, picture."""
        if self._choices is None:
            times, book = self._book.times or ["", ""], self._book
            self._choices = [
                Control("range", "time (UTC)", ("since", "until"), same_times(times)),
                Control("choice", "pool", ("pool",), with_all(book.pools)),
                Control(
                    "choice", "operation", ("operation",), with_all(book.operations)
                ),
                Control("number", "held for at least (s)", ("longer_than_s",)),
                Control("choice", "picture", ("picture",), same(self._pictures)),
            ]
        return self._choices

    def view(self) -> View:
        """Draw what the settings ask for."""
        selected = self._select()
        title, area, bars = self._draw(selected)
        by_row = self.settings["picture"] != "use"
        chosen = self.pick(bars)
        rows, caption = selected.rows, "Checkouts in view, the longest first"
        if chosen is not None:
            bar = bars[chosen]
            self.canvas.outline(area.part(chosen, len(bars), rows=by_row))
            rows = self._behind(selected, bar, chosen)
            caption = f"Checkouts of {bar.label}, the longest first"
        records = selected.records(ROWS, rows)
        return View(
            self.canvas.to_png(),
            self._say_filter() + title if by_row else title,
            (Table(caption, records, len(rows) - len(records)),),
            bars,
            area,
            by_row,
        )

    def _say_filter(self) -> str:
        """Say of which checkouts a picture is: rates are of these alone."""
        held, told = self.settings["longer_than_s"], []
        if held:
            told.append(f"held for at least {held:g} s")
        told += [
            f"{word} {self.settings[name]}"
            for name, word in (("operation", "for"), ("pool", "of pool"))
            if self.settings[name] is not None
        ]
        return f"Of checkouts {', '.join(told)}: " if told else ""

    def start(self) -> None:
        """Look again and again, until `close`; in a notebook, showing it does so.

        Raises
        ------
        SettingError
            If there is nothing that runs, or no event loop does.
        """
        if self._live is None:
            msg = "frames do not change; a PoolRecorder or watch_server(url) does"
            raise SettingError(msg)
        if self._task is None or self._task.done():
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                msg = "no event loop runs here; call look() to look once more"
                raise SettingError(msg) from None
            self._task = loop.create_task(self._again())

    def look(self) -> None:
        """Look once more at what runs, and draw."""
        if self._live is not None:
            self._take(*self._live.look())
        self._follow_bar()
        self._move(True)

    def close(self) -> None:
        """Stop to look, and take the widgets away."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        super().close()

    @property
    def widget(self) -> Any:
        """The controls, the picture and the records; what runs is looked at again."""
        box = super().widget
        if self._live is not None and self._task is None:
            try:
                self.start()
            except SettingError:
                # Without a loop it is shown as it is now.
                return box
        return box

    def _follow_bar(self) -> None:
        """Choose the bar in which the chosen one begins, if bars are longer now."""
        bar = self.settings["bar"]
        if bar is not None and self.settings["picture"] == "use":
            selected = self._select()
            begins = [one.value for one in _bars(selected, selected.edges)]
            self.settings["bar"] = max(
                (one for one in begins if one <= bar), default=bar
            )

    def _take(self, pool: pd.DataFrame, checkouts: pd.DataFrame) -> None:
        self._book = PoolBook.from_frames(pool, checkouts)
        self._choices = None

    async def _again(self) -> None:
        took = 0.0
        while True:
            await asyncio.sleep(max(self._every_s, REST * took))
            began = time.perf_counter()
            self._try()
            took = time.perf_counter() - began

    def _try(self) -> None:
        try:
            self.look()
        except DiagkitError as error:
            self.tell(error)

    def _select(self) -> PoolView:
        chosen = dict(self.settings)
        picture = chosen.pop("picture")
        if picture not in PICTURES:
            near = suggest(str(picture), PICTURES)
            msg = f"picture={picture!r} is none of {', '.join(PICTURES)}{near}"
            raise SettingError(msg)
        name = chosen.pop("pool")
        del chosen["bar"]
        return view_pool(self._book, name=name, **chosen)

    def _draw(self, selected: PoolView) -> tuple[str, Area, tuple[Bar, ...]]:
        """Draw a picture; return its title, and what of it can be clicked."""
        if self.settings["picture"] == "use":
            return self._draw_use(selected)
        if self.settings["picture"] == "holders":
            layout = _lay_out(selected)
            (ax,) = self.canvas.clear(
                "holders",
                1.4 + 0.42 * max(len(layout.holders), 3),
                Margins(left=2.4, right=1.75, top=0.45, bottom=0.85),
            )
            plot_holders(layout, ax=ax)
            bars = _row_bars(layout.holders["holder"], layout.holders["checkouts"])
        else:
            waits = selected.waits()
            table = rank_waits(waits, LINES)
            (ax,) = self.canvas.clear(
                "waits",
                1.7 + 0.3 * max(len(table), 3),
                Margins(left=2.4, right=0.3, top=0.45, bottom=0.85),
            )
            draw_waits(waits, ax=ax, limit=LINES)
            bars = _row_bars(table["name"], table["checkouts"])
        area = self.canvas.area([ax]).with_labels()
        return self.canvas.take_title(ax), area, bars

    def _draw_use(self, selected: PoolView) -> tuple[str, Area, tuple[Bar, ...]]:
        table = rank_series(selected.series)
        count = min(max(len(table), 1), PANELS)
        axes = self.canvas.clear(
            "use",
            3.6 if count == 1 else 0.9 + 1.5 * count,
            Margins(left=0.65, right=1.3, top=0.25),
            count,
        )
        draw_series(selected.series, table, axes, DOTS)
        edges = selected.edges
        fit_time(axes[0], edges)
        title, area = self.canvas.take_title(axes[0]), self.canvas.area(axes)
        return title, area, _bars(selected, edges)

    def _bars_of(self, selected: PoolView) -> tuple[Bar, ...]:
        """Return what could be clicked on the picture, which is not drawn for it."""
        if self.settings["picture"] == "use":
            return _bars(selected, selected.edges)
        if self.settings["picture"] == "holders":
            holders = _lay_out(selected).holders
            return _row_bars(holders["holder"], holders["checkouts"])
        table = rank_waits(selected.waits(), LINES)
        return _row_bars(table["name"], table["checkouts"])

    def _behind(self, selected: PoolView, bar: Bar, place: int) -> Any:
        """Return the rows of the checkouts of a bar."""
        column = COLUMNS.get(self.settings["picture"])
        if column is not None:
            return selected.named(column, bar.value)
        low, high = selected.edges[place : place + 2].tolist()
        return selected.during(low, high)


def _lay_out(selected: PoolView) -> HolderLayout:
    return lay_out(selected.book.checkouts, selected.rows, LINES, most=MOST_BARS)


def _row_bars(names: pd.Series, checkouts: pd.Series) -> tuple[Bar, ...]:
    return tuple(
        Bar(name, f"{name}: {_count(count)}")
        for name, count in zip(names, checkouts, strict=True)
    )


def _bars(selected: PoolView, edges: Any) -> tuple[Bar, ...]:
    if len(edges) < 2:
        return ()
    begun = selected.begun(edges).tolist()
    times = pd.to_datetime(edges[:-1], unit="us", utc=True)
    most = [one.most(edges) for one in selected.series]
    said = [
        [
            _say_use(series.name, out[place], waiting[place])
            for series, (out, waiting) in zip(selected.series, most, strict=True)
        ]
        for place in range(len(begun))
    ]
    bars = []
    for at, texts, count in zip(times, said, begun, strict=True):
        begin = write_moment(at)
        words = [f"{_count(count)} begun", *(text for text in texts if text)]
        bars.append(Bar(begin, f"{say_moment(begin)} UTC: {'; '.join(words)}"))
    return tuple(bars)


def _say_use(name: str, out: float, waiting: float) -> str:
    if np.isnan(out):
        return ""
    more = f", {waiting:.0f} waiting" if waiting > 0 else ""
    return f"{name} at most {out:.0f} out{more}"


def _count(count: int) -> str:
    return f"{count} checkout{'' if count == 1 else 's'}"
