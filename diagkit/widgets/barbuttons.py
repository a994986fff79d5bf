"""Buttons that lie over the bars of a picture: clicks without a script."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from diagkit.analyses.eventviews import BARS
from diagkit.charts.bars import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = {"width": f"{WIDTH}px", "height": f"{HEIGHT}px", "min_height": f"{HEIGHT}px"}
INSIDE = WIDTH - LEFT - RIGHT


class BarButtons:
    """A row of transparent buttons over the axes of a picture.

    Parameters
    ----------
    pick
        Called with what the clicked bar stands for.
    """

    def __init__(self, pick: Callable[[str], None]) -> None:
        self._pick = pick
        self._values: tuple[str, ...] = ()
        self._buttons: list[Any] = []
        self._row: Any = None

    def build(self, widgets: Any) -> Any:
        """Make the row.

        Parameters
        ----------
        widgets
            ipywidgets.

        Returns
        -------
        object
            A box that stands behind the picture, and is drawn over it.
        """
        for at in range(BARS):
            button = widgets.Button(
                layout=widgets.Layout(
                    display="none",
                    height="100%",
                    min_width="0",
                    margin="0",
                    padding="0",
                    flex="1 1 0",
                    border="none",
                ),
                style={"button_color": "transparent"},
            )
            button.on_click(partial(self._clicked, at))
            self._buttons.append(button)
        # Over the picture: as far up as the axes reach, and as wide.
        up = HEIGHT - TOP
        self._row = widgets.HBox(
            self._buttons,
            layout=widgets.Layout(
                margin=f"-{up}px 0 {BOTTOM}px {LEFT}px",
                width=f"{INSIDE}px",
                min_width=f"{INSIDE}px",
                height=f"{HEIGHT - TOP - BOTTOM}px",
                min_height=f"{HEIGHT - TOP - BOTTOM}px",
                overflow="hidden",
            ),
        )
        return self._row

    def fit(self, values: tuple[str, ...]) -> None:
        """Give each bar its button; only what differs is sent to the page.

        Parameters
        ----------
        values
            What each bar stands for, from left to right; of more than there are
            buttons, each button takes the first of some.
        """
        step = max(1, -(-len(values) // BARS))
        chosen = values[::step]
        if chosen == self._values or self._row is None:
            return
        shown = len(self._values)
        for at, button in enumerate(self._buttons[: max(shown, len(chosen))]):
            if at < len(chosen):
                if button.tooltip != chosen[at]:
                    button.tooltip = chosen[at]
                if at >= shown:
                    button.layout.display = "block"
            else:
                button.layout.display = "none"
        self._values = chosen

    def close(self) -> None:
        """Take the buttons away."""
        if self._row is not None:
            for one in (*self._buttons, self._row):
                one.close()
        self._row, self._buttons, self._values = None, [], ()

    def _clicked(self, at: int, _: Any) -> None:
        if at < len(self._values):
            self._pick(self._values[at])
