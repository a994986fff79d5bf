"""A picture whose bars can be clicked: buttons that nobody sees lie over it.

ipywidgets' pictures tell nothing of the mouse. A grid of one cell holds the picture
and, over it, a grid of transparent buttons in the proportions of the chart's axes, so
that they stay where they are when the picture is scaled. It needs no script of its own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from diagkit.widgets.pages import spell

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagkit.widgets.pages import View

__all__ = ["Stage"]

ONE_CELL = "1 / 1 / 2 / 2"


class Stage:
    """A picture and what can be clicked on it.

    Parameters
    ----------
    widgets
        The module ipywidgets.
    clicked
        Is told which bar was clicked, from 0.
    """

    def __init__(self, widgets: Any, clicked: Callable[[int], None]) -> None:
        self._widgets, self._clicked = widgets, clicked
        layout = widgets.Layout
        self.picture = widgets.Image(
            format="png",
            layout=layout(width="100%", grid_area=ONE_CELL, margin="0"),
        )
        fill = {"overflow": "hidden", "min_width": "0", "min_height": "0"}
        # One layout and one style for all: a hundred of each take a browser its time.
        self._thin = layout(
            width="auto", height="auto", margin="0", padding="0", border="none", **fill
        )
        self._clear = widgets.ButtonStyle(button_color="transparent")
        self._buttons: list[Any] = []
        self._bars = widgets.GridBox(
            layout=layout(grid_area="2 / 2 / 3 / 3", grid_gap="0", **fill)
        )
        self._frame = widgets.GridBox(
            [self._bars],
            # As high as the picture, and never what makes the cell higher.
            layout=layout(
                grid_area=ONE_CELL,
                grid_gap="0",
                height="0",
                **fill | {"min_height": "100%"},
            ),
        )
        self.box = widgets.GridBox(
            [self.picture, self._frame],
            layout=layout(
                grid_template_columns="minmax(0, 1fr)", width="100%", overflow="hidden"
            ),
        )

    def draw(self, view: View) -> None:
        """Show the picture of a view.

        Parameters
        ----------
        view
            What is shown.
        """
        # Where there is none an error stands in its place.
        self.picture.layout.display = None if view.picture else "none"
        # It has no alternative text, and a tooltip of it breaks its view (ipywidgets
        # 8.1): what the picture says is written above it.
        self.picture.value = view.picture

    def lay(self, view: View) -> None:
        """Lay the buttons over the picture.

        Parameters
        ----------
        view
            What is shown.
        """
        area, bars = view.area, view.bars
        if area is None or not bars:
            self._bars.children = ()
            return
        frame, inner = self._frame.layout, self._bars.layout
        frame.grid_template_columns = _tracks(area.left, area.right)
        frame.grid_template_rows = _tracks(area.top, area.bottom)
        equal = f"repeat({len(bars)}, minmax(0, 1fr))"
        one = "minmax(0, 1fr)"
        inner.grid_template_columns = one if view.rows else equal
        inner.grid_template_rows = equal if view.rows else one
        while len(self._buttons) < len(bars):
            self._buttons.append(self._make(len(self._buttons)))
        for button, bar in zip(self._buttons, bars, strict=False):
            button.tooltip = spell(bar.label)
        if len(self._bars.children) != len(bars):
            self._bars.children = self._buttons[: len(bars)]

    def close(self) -> None:
        """Take the widgets away."""
        for one in (*self._buttons, self._bars, self._frame, self.picture, self.box):
            one.close()

    def _make(self, place: int) -> Any:
        button = self._widgets.Button(layout=self._thin, style=self._clear)
        button.on_click(partial(self._tell, place))
        return button

    def _tell(self, place: int, _: Any) -> None:
        self._clicked(place)


def _tracks(begin: float, end: float) -> str:
    """Return the tracks of a grid: before the axes, the axes, after them."""
    parts = (begin, end - begin, 1 - end)
    return " ".join(f"minmax(0, {1000 * max(part, 0):.3f}fr)" for part in parts)
