"""A chart as the bytes of a picture."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

# Where pictures go, not how they look: as the session has it.
KEPT = ("backend", "backend_fallback", "interactive", "toolbar", "datapath")


@contextmanager
def plain_style() -> Iterator[None]:
    """Draw as matplotlib does by itself, whatever the machine's own style is.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with mpl.rc_context({"axes.facecolor": "yellow"}), plain_style():
    ...     mpl.rcParams["axes.facecolor"]
    'white'
    """
    own = {k: v for k, v in mpl.rcParamsDefault.items() if k not in KEPT}
    with mpl.rc_context(own):
        yield


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
