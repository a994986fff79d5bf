"""A renderer that draws each text once: a redraw mostly writes what it wrote before."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, cos, floor, radians, sin
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

__all__ = ["StampCanvas"]

# Letters reach over the box that is told for them: italics, marks above, smooth edges.
EDGE_PX = 3
# Of which matplotlib has no types.
_Agg: Any = RendererAgg
_draw_text: Any = RendererAgg.draw_text


class StampCanvas(FigureCanvasAgg):
    """Draws a figure as Agg does, but each text from a picture of it that is kept.

    Laying out letters and smoothing them takes about half of the time in which a chart
    is drawn, and its axes, legend and names are mostly the same after a redraw. Texts
    stand on whole pixels.
    """

    renderer: Any
    _size: tuple[float, ...] = ()

    def get_renderer(self) -> Any:
        """Return what the figure is drawn with; a new one when its size changes."""
        size = (*self.get_width_height(physical=True), self.figure.dpi)
        if self._size != size:
            stamper: Any = _Stamper
            self.renderer, self._size = stamper(*size), size
        return self.renderer


class _Stamper(RendererAgg):
    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        if gc.get_clip_path()[0] is not None:
            _draw_text(self, gc, x, y, s, prop, angle, ismath, mtext)
            return
        rgba = tuple(gc.get_rgb()), gc.get_alpha()
        image, left, bottom = _stamp(s, prop.copy(), angle, ismath, rgba, self.dpi)
        inked = self.new_gc()
        inked.set_clip_rectangle(gc.get_clip_rectangle())
        # An image is placed by its lower corner, from the bottom; text from the top.
        base = int(self.height) - round(y)
        self.draw_image(inked, round(x) + left, base + bottom, image[::-1])

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        return _measure(s, prop.copy(), ismath, self.dpi)


@lru_cache(maxsize=8)
def _rule(dpi: float) -> Any:
    return _Agg(1, 1, dpi)


@lru_cache(maxsize=4096)
def _measure(text: str, prop: Any, ismath: Any, dpi: float) -> Any:
    return _rule(dpi).get_text_width_height_descent(text, prop, ismath)


@lru_cache(maxsize=1024)
def _stamp(
    text: str, prop: Any, angle: float, ismath: Any, rgba: Any, dpi: float
) -> tuple[Any, int, int]:
    """Return a picture of text, and where it lies from the text's begin."""
    width, height, descent = _measure(text, prop, ismath, dpi)
    along, up = cos(radians(angle)), sin(radians(angle))
    corners = [
        (x * along - y * up, x * up + y * along)
        for x in (0, width)
        for y in (-descent, height - descent)
    ]
    left = floor(min(x for x, _ in corners)) - EDGE_PX
    right = ceil(max(x for x, _ in corners)) + EDGE_PX
    bottom = floor(min(y for _, y in corners)) - EDGE_PX
    top = ceil(max(y for _, y in corners)) + EDGE_PX
    page = _Agg(right - left, top - bottom, dpi)
    gc = page.new_gc()
    color, alpha = rgba
    gc.set_foreground(color, isRGBA=True)
    gc.set_alpha(alpha)
    page.draw_text(gc, -left, top, text, prop, angle, ismath)
    return np.array(page.buffer_rgba()), left, bottom
