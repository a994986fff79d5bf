"""LeakExplorer: which failure, when, of which logger, and the records behind a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagkit.analyses.eventviews import book_events, view_events
from diagkit.charts.bars import plot_events, to_screen
from diagkit.widgets.explorer import Control, Explorer
from diagkit.widgets.pages import View

if TYPE_CHECKING:
    import pandas as pd

ROWS = 25
DEFAULTS: dict[str, Any] = {
    "since": None,
    "until": None,
    "every": None,
    "signature": None,
    "logger": None,
    "at": None,
}
# So many moments does a range have to choose from.
MOMENTS = 60


class LeakExplorer(Explorer):
    """Events of the logs to look into: over time, by kind, and the records of a bar.

    Parameters
    ----------
    leaks
        LEAKS. What has no time is counted, and not drawn.
    settings
        ``since``, ``until`` (times in UTC), ``every`` (length of a bin), ``signature``,
        ``logger``, ``at`` (when the bar begins whose records are shown).

    Raises
    ------
    ContractError
        If `leaks` is no LEAKS frame.
    SettingError
        If a setting has no meaning.

    Examples
    --------
    >>> import diagkit as dk
    >>> leaks = dk.find_leaks(dk.open_sample().logs)
    >>> explorer = LeakExplorer(leaks, signature="sqlalchemy.gc_dropped", every="1min")
    >>> explorer.as_code()
    "dk.LeakExplorer(leaks, every='1min', signature='sqlalchemy.gc_dropped')"
    >>> explorer.view().says
    '65 events from 2026-11-22 17:14:29 to 17:20:39 UTC: leak 65; 7 more have no time'
    """

    caption = "Records in view, the first first"
    picks = "at"

    def __init__(self, leaks: pd.DataFrame, **settings: Any) -> None:
        super().__init__(dict(DEFAULTS), settings)
        self._book = book_events(leaks)
        # What has no meaning is told at once, not when it is drawn.
        view_events(self._book, **self.settings)

    def arguments(self) -> tuple[str, ...]:
        """Return the names that `as_code` gives to what is explored."""
        return ("leaks",)

    def controls(self) -> list[Control]:
        """Return the controls: time, bin, signature, logger."""
        book = self._book
        names = book.names
        return [
            Control("range", "time (UTC)", ("since", "until"), list_moments(book)),
            Control("choice", "bin", ("every",), one_of(book.steps, "as fits")),
            Control("choice", "signature", ("signature",), one_of(names["signature"])),
            Control("choice", "logger", ("logger",), one_of(names["logger"])),
        ]

    def view(self) -> View:
        """Draw what the settings ask for."""
        selected = view_events(self._book, **self.settings)
        ax = plot_events(selected.counts, selected.every, self.settings["at"])
        records = selected.records(ROWS)
        return View(
            to_screen(ax),
            say_events(selected, self._book.undated),
            records,
            len(selected.rows) - len(records),
            tuple(selected.bars),
        )


def list_moments(book: Any) -> tuple[tuple[str, str], ...]:
    """List times to choose a range from.

    Parameters
    ----------
    book
        As `book_events` gives it.

    Returns
    -------
    tuple
        Texts, from the first event to the last.
    """
    import pandas as pd

    if not len(book.times):
        return (("", ""), (" ", " "))
    first, last = int(book.times[0]), int(book.times[-1])
    step = max(1, -(-(last - first) // MOMENTS))
    moments = [*range(first, last, step), last]
    texts = [
        pd.Timestamp(at, unit="us").strftime("%Y-%m-%d %H:%M:%S.%f") for at in moments
    ]
    # Of one day, the time says all.
    start = 11 if texts[0][:10] == texts[-1][:10] else 5
    return tuple((text[start:-7], text) for text in dict.fromkeys(texts))


def one_of(names: list[str], none: str = "all") -> tuple[tuple[str, str | None], ...]:
    """Make options of names, and one for all of them.

    Parameters
    ----------
    names
        What can be chosen.
    none
        What stands for no choice.

    Returns
    -------
    tuple
        Texts and values.
    """
    return ((none, None), *((name or "(none)", name) for name in names))


def say_events(view: Any, undated: int) -> str:
    """Say in words what the picture of events shows.

    Parameters
    ----------
    view
        As `view_events` gives it.
    undated
        How many events have no time.

    Returns
    -------
    str
        A sentence: its alternative text.
    """
    rest = f"; {undated} more have no time" if undated else ""
    rows = view.rows
    if not len(rows):
        return f"No event is in view{rest}"
    times = view.book.events["timestamp"]
    first, last = times.iloc[int(rows[0])], times.iloc[int(rows[-1])]
    kinds = view.kinds()
    said = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
    day = "" if first.date() == last.date() else f"{last:%Y-%m-%d} "
    until = f"{day}{last:%H:%M:%S}"
    noun = "event" if len(rows) == 1 else "events"
    since = f"{first:%Y-%m-%d %H:%M:%S}"
    return f"{len(rows)} {noun} from {since} to {until} UTC: {said}{rest}"
