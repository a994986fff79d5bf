from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from diagkit.charts import stamps
from diagkit.charts.stamps import StampCanvas

TEXTS = {
    "plain": {"s": "held for 12 s"},
    "descenders": {"s": "gypq Åjß", "fontsize": 15},
    "rotated": {"s": "connections", "rotation": 90},
    "slanted": {"s": "projects", "rotation": 37, "style": "italic"},
    "see-through": {"s": "left out", "alpha": 0.4, "color": "#D55E00"},
    "lines": {"s": "two\nlines", "ha": "right", "va": "top"},
    "mathtext": {"s": r"$\sum_i x^2$"},
    "boxed": {"s": "boxed", "bbox": {"facecolor": "#F7D7C4"}},
    "bold": {"s": "NULL", "fontweight": "bold", "fontsize": 8},
}


def paint(canvas: type[FigureCanvasAgg], *, dpi: float = 96, **text) -> np.ndarray:
    figure = Figure(figsize=(3, 2), dpi=dpi)
    drawn = canvas(figure)
    figure.text(0.5, 0.5, **text)
    drawn.draw()
    return np.asarray(drawn.buffer_rgba()).astype(int).copy()


def ink(picture: np.ndarray) -> np.ndarray:
    """Return first and last rows and columns on which something is."""
    there = (picture[..., :3] < 250).any(axis=2)
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    return np.array([rows[0], rows[-1], columns[0], columns[-1]])


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("dpi", [96, 144])
def test_a_stamp_is_what_agg_draws(name: str, dpi: float) -> None:
    text = TEXTS[name]
    ours, theirs = (
        paint(one, dpi=dpi, **text) for one in (StampCanvas, FigureCanvasAgg)
    )
    # Whole pixels: no edge moves by more than one.
    assert np.abs(ink(ours) - ink(theirs)).max() <= 1
    blank = paint(FigureCanvasAgg, dpi=dpi, s="")
    dark = [(blank - one).sum(axis=2) for one in (ours, theirs)]
    assert dark[0].sum() == pytest.approx(dark[1].sum(), rel=0.03)
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    alike = [
        np.corrcoef(np.roll(dark[0], by, (0, 1)).ravel(), dark[1].ravel())[0, 1]
        for by in shifts
    ]
    assert max(alike) > 0.85


def test_a_text_is_drawn_once() -> None:
    first = paint(StampCanvas, s="once and for all")
    before = stamps._stamp.cache_info()
    assert (paint(StampCanvas, s="once and for all") == first).all()
    after = stamps._stamp.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (0, 1)


def test_clipped_text_is_clipped() -> None:
    pictures = []
    for canvas in (StampCanvas, FigureCanvasAgg):
        figure = Figure(figsize=(3, 2), dpi=96)
        drawn = canvas(figure)
        ax = figure.add_axes((0.25, 0.25, 0.5, 0.5))
        ax.set_axis_off()
        ax.text(0.8, 0.5, "over the edge of the axes", clip_on=True)
        drawn.draw()
        pictures.append(np.asarray(drawn.buffer_rgba()).astype(int))
    ours, theirs = pictures
    beyond = slice(round(3 * 96 * 0.75) + 3, None)
    assert (ours[:, beyond, :3] == 255).all()
    assert (theirs[:, beyond, :3] == 255).all()
    assert (ours != 255).any()


def test_a_canvas_of_another_size_is_drawn_anew() -> None:
    figure = Figure(figsize=(3, 2), dpi=100)
    canvas = StampCanvas(figure)
    canvas.draw()
    figure.set_size_inches(2, 4)
    canvas.draw()
    assert np.asarray(canvas.buffer_rgba()).shape == (400, 200, 4)
