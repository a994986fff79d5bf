"""A figure that is drawn again and again, and where its axes lie on the picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import blended_transform_factory
from PIL import Image

from diagkit.charts.stamps import StampCanvas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["Area", "Canvas", "Margins"]

WIDTH_IN, DPI = 8.0, 96
# Where labels stand: below axes, and from the left edge of the picture.
BELOW_IN, BESIDE_IN = 0.28, 0.18
# Smaller files take longer to write than to send to a browser on the same machine.
PNG = {"compress_level": 1}


@dataclass(frozen=True)
class Margins:
    """Room around axes, in inches: for labels, a title, a legend."""

    left: float = 0.6
    right: float = 0.25
    top: float = 0.6
    bottom: float = 0.6


@dataclass(frozen=True)
class Area:
    """A rectangle on a picture, in shares of its width and height from the upper left.

    Attributes
    ----------
    left, right, top, bottom
        0 to 1.
    """

    left: float
    right: float
    top: float
    bottom: float

    def with_labels(self) -> Area:
        """Return the area with what stands left of it: rows are chosen by name too."""
        return Area(0.004, self.right, self.top, self.bottom)

    def part(self, place: int, count: int, *, rows: bool) -> Area:
        """Return one of equal parts.

        Parameters
        ----------
        place
            Which, from 0.
        count
            How many there are.
        rows
            Whether they lie below each other; else beside.

        Returns
        -------
        Area
            The part.

        Examples
        --------
        >>> Area(0, 1, 0, 1).part(1, 4, rows=False)
        Area(left=0.25, right=0.5, top=0, bottom=1)
        """
        if rows:
            step = (self.bottom - self.top) / count
            top = self.top + place * step
            return Area(self.left, self.right, top, top + step)
        step = (self.right - self.left) / count
        left = self.left + place * step
        return Area(left, left + step, self.top, self.bottom)


class Canvas:
    r"""Figures that are drawn again and again, a figure a kind of picture.

    Nothing on them is moved to make room, so that a redraw is one pass, and whoever
    shows the picture knows where its axes lie. The axes are kept: to make new ones,
    with all their ticks, takes as long as to draw what is on them.

    Examples
    --------
    >>> canvas = Canvas()
    >>> (ax,) = canvas.clear("leaks", 4.0)
    >>> canvas.area([ax]).bottom
    0.85
    >>> canvas.to_png()[:4]
    b'\x89PNG'
    """

    def __init__(self) -> None:
        self._sheets: dict[tuple[str, int], tuple[Figure, list[Axes]]] = {}
        self._figure = Figure()

    def clear(
        self,
        kind: str,
        height_in: float,
        margins: Margins | None = None,
        count: int = 1,
    ) -> list[Axes]:
        """Take away what is drawn.

        Parameters
        ----------
        kind
            Of picture: axes are used again for the same one.
        height_in
            Of the picture, in inches.
        margins
            Around the axes.
        count
            How many axes below each other, with one axis of x.

        Returns
        -------
        list of matplotlib.axes.Axes
            Empty ones, to draw on.
        """
        room = margins or Margins()
        if (kind, count) not in self._sheets:
            self._sheets[kind, count] = _make(count)
        self._figure, axes = self._sheets[kind, count]
        for artist in list(self._figure.artists):
            artist.remove()
        for ax in axes:
            _wipe(ax)
        self._figure.set_size_inches(WIDTH_IN, height_in)
        self._figure.subplots_adjust(
            left=room.left / WIDTH_IN,
            right=1 - room.right / WIDTH_IN,
            top=1 - room.top / height_in,
            bottom=room.bottom / height_in,
            hspace=0.12,
        )
        for ax in axes:
            self._place_labels(ax, room.bottom / height_in, height_in)
        return axes

    def take_title(self, ax: Axes) -> str:
        """Take away the title of axes: it is written beside the picture.

        Parameters
        ----------
        ax
            As `clear` returned them.

        Returns
        -------
        str
            The title, in one line.
        """
        title = " ".join(ax.get_title(loc="left").replace("\\$", "$").split())
        ax.set_title("", loc="left")
        return title

    def area(self, axes: Sequence[Axes]) -> Area:
        """Tell where axes lie on the picture.

        Parameters
        ----------
        axes
            As `clear` returned them.

        Returns
        -------
        Area
            From the first to the last of them.
        """
        first, last = axes[0].get_position(), axes[-1].get_position()
        sides = (first.x0, first.x1, 1 - first.y1, 1 - last.y0)
        left, right, top, bottom = (round(float(side), 6) for side in sides)
        return Area(left, right, top, bottom)

    def outline(self, area: Area) -> None:
        """Draw a frame around a part of the picture.

        Parameters
        ----------
        area
            Which.
        """
        self._figure.add_artist(
            Rectangle(
                (area.left, 1 - area.bottom),
                area.right - area.left,
                area.bottom - area.top,
                transform=self._figure.transFigure,
                facecolor="none",
                edgecolor="black",
                linewidth=1.6,
                zorder=10,
            )
        )

    def to_png(self) -> bytes:
        """Draw.

        Returns
        -------
        bytes
            PNG, the same for the same chart.
        """
        # A FigureCanvasAgg, of which matplotlib has no types.
        canvas: Any = self._figure.canvas
        canvas.draw()
        out = io.BytesIO()
        Image.fromarray(np.asarray(canvas.buffer_rgba())).save(out, "png", **PNG)
        return out.getvalue()

    def _place_labels(self, ax: Axes, bottom: float, height_in: float) -> None:
        """Say where the labels of axes stand: to find room for them takes its time."""
        whole = self._figure.transFigure
        ax.xaxis.set_label_coords(
            0.5,
            bottom - BELOW_IN / height_in,
            transform=blended_transform_factory(ax.transAxes, whole),
        )
        ax.yaxis.set_label_coords(
            BESIDE_IN / WIDTH_IN,
            0.5,
            transform=blended_transform_factory(whole, ax.transAxes),
        )


def _make(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(dpi=DPI)
    StampCanvas(figure)
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)
    return figure, list(axes[:, 0])


def _wipe(ax: Axes) -> None:
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()
    for artist in [*ax.lines, *ax.collections, *ax.patches, *ax.texts, *ax.artists]:
        artist.remove()
    ax.containers.clear()
    ax.set_title("", loc="left")
    ax.relim()
    ax.autoscale()
