"""PoolExplorer: who held which connection, when, and how far the pool was used."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.analyses.poolviews import (
    PoolView,
    list_operations,
    list_pools,
    list_times,
    view_pool,
)
from diagkit.charts.checkouts import plot_holders, plot_waits
from diagkit.charts.images import to_png
from diagkit.charts.pool import plot_pool
from diagkit.errors import DiagkitError, SettingError, suggest
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.pool import POOL
from diagkit.widgets.explorer import Control, Explorer
from diagkit.widgets.pages import View

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURES: dict[str, Callable[[PoolView], Any]] = {
    "use": lambda view: plot_pool(view.pool),
    "holders": lambda view: plot_holders(view.checkouts),
    "waits": lambda view: plot_waits(view.checkouts),
}
ROWS = 25
DEFAULTS: dict[str, Any] = {
    "since": None,
    "until": None,
    "pool": None,
    "operation": None,
    "longer_than_s": 0.0,
    "picture": "use",
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
        ``longer_than_s``, ``picture`` (``use``, ``holders`` or ``waits``).

    Raises
    ------
    ContractError
        If a frame is none of its contract.
    SettingError
        If a setting has no meaning.

    Examples
    --------
    >>> import pandas as pd
    >>> times = pd.date_range("2025-11-24", periods=4, freq="1s", tz="UTC")
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "size": 2,
    ...     "max_overflow": 1, "checked_out": [1, 2, 3, 2]})
    >>> explorer = PoolExplorer(pool, longer_than_s=5.0)
    >>> explorer.as_code()
    'dk.PoolExplorer(pool, longer_than_s=5.0)'
    >>> "Pool &#x27;app&#x27; had no connection left" in str(explorer.static())
    True
    """

    caption = "Checkouts in view, the longest first"

    def __init__(
        self,
        source: Any,
        checkouts: pd.DataFrame | None = None,
        *,
        every_s: float = 2.0,
        **settings: Any,
    ) -> None:
        super().__init__(dict(DEFAULTS), settings)
        if not every_s > 0:
            msg = f"every_s is more than 0 seconds; {every_s} came"
            raise SettingError(msg)
        self._every_s = every_s
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
        self._select()

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        if self._live is not None:
            return (NAMES.get(type(self._live).__name__, "watch"),)
        return ("pool", "checkouts") if self._given else ("pool",)

    def controls(self) -> list[Control]:
        """Return the controls: time, pool, operation, least hold, picture."""
        if self._choices is None:
            times = list_times(self._pool, self._checkouts) or ["", ""]
            pools = list_pools(self._pool, self._checkouts)
            operations = list_operations(self._checkouts)
            self._choices = [
                Control("range", "time (UTC)", ("since", "until"), _same(times)),
                Control("choice", "pool", ("pool",), _all(pools)),
                Control("choice", "operation", ("operation",), _all(operations)),
                Control("number", "held for at least (s)", ("longer_than_s",)),
                Control("choice", "picture", ("picture",), _same(list(PICTURES))),
            ]
        return self._choices

    def view(self) -> View:
        """Draw what the settings ask for."""
        selected = self._select()
        ax = PICTURES[self.settings["picture"]](selected)
        says = " ".join(ax.get_title(loc="left").replace("\\$", "$").split())
        records = selected.records(ROWS)
        left = selected.count - len(records)
        return View(to_png(ax, dpi=90), says, records, left)

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
        self.refresh()

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

    def _take(self, pool: pd.DataFrame, checkouts: pd.DataFrame) -> None:
        # Further columns are not shown, and a million rows of them take their time.
        self._pool = POOL.check(pool)[POOL.names]
        self._checkouts = CHECKOUTS.check(checkouts)[CHECKOUTS.names]
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
        return view_pool(self._pool, self._checkouts, name=name, **chosen)


def _same(values: list[str]) -> tuple[tuple[str, str], ...]:
    return tuple((value, value) for value in values)


def _all(names: list[str]) -> tuple[tuple[str, str | None], ...]:
    return (("all", None), *_same(names))
