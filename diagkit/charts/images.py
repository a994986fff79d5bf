"""A chart as the bytes of a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def to_png(ax: Axes, dpi: int = 110) -> bytes:
    r"""Draw the figure of an Axes as PNG, and close it.

    Parameters
    ----------
    ax
        Any Axes of the figure.
    dpi
        Dots an inch.

    Returns
    -------
    bytes
        The same for the same chart: no date, no version of a program in it.

    Examples
    --------
    >>> from diagkit.analyses.leaks import count_leaks
    >>> from diagkit.charts.leaks import plot_leaks
    >>> from diagkit.frames.leaks import LEAKS
    >>> to_png(plot_leaks(count_leaks(LEAKS.empty())))[:4]
    b'\x89PNG'
    """
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    plt.close(figure)
    return out.getvalue()
