"""A second output of a cell: the view without a kernel, kept as the view changes.

A notebook saves what widgets are called, not what they show, and JupyterLab prefers
the widget to any other form in the same output. So the form that needs no kernel is an
output of its own, which is written again when the view has changed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Output", "offer_cell", "show_data"]

# So long nothing must have changed: whoever clicks on waits for pictures, not for this.
REST_S = 0.4


class Output:
    """An output of HTML that is written again.

    Parameters
    ----------
    make
        Returns the HTML as it is now.
    """

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        # It finds the output on the page; no notebook saves it.
        self._id = uuid4().hex
        self._sent: str | None = None
        self._timer: asyncio.TimerHandle | None = None

    def show(self) -> None:
        """Write it below the cell that runs."""
        self._sent = self._make()
        show_data({"text/html": self._sent}, display_id=self._id)

    def follow(self) -> None:
        """Write it again soon: when nothing has changed for a moment."""
        if self._sent is None:
            return
        self._cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write()
            return
        self._timer = loop.call_later(REST_S, self.write)

    def write(self) -> None:
        """Write it again, if it was shown and has changed."""
        self._cancel()
        if self._sent is None:
            return
        html = self._make()
        if html != self._sent:
            self._sent = html
            show_data({"text/html": html}, display_id=self._id, update=True)

    def finish(self) -> None:
        """Write what is still to be written."""
        if self._timer is not None:
            self.write()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def show_data(data: dict[str, Any], **how: Any) -> None:
    """Show data of types that are named.

    Parameters
    ----------
    data
        By MIME type.
    how
        As IPython's `display` takes it.
    """
    from IPython.display import display

    # IPython says of none of its functions what it takes.
    write: Any = display
    write(data, raw=True, **how)


def offer_cell(code: str) -> bool:
    """Put code into a new cell below the one that runs.

    Parameters
    ----------
    code
        Of the cell; nobody runs it yet.

    Returns
    -------
    bool
        Whether there is a notebook, or another shell of IPython, to do so.
    """
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return False
    shell: Any = get_ipython()
    if shell is None:
        return False
    shell.set_next_input(code, replace=False)
    return True
