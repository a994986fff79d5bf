"""What comes with diagkit: the sample incident and the notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diagkit.errors import SourceNotFoundError
from diagkit.sources.incidents import open_incident

if TYPE_CHECKING:
    from diagkit.frames.incidents import Incident

SAMPLE = "tenant_dashboard"


def find_bundled(name: str) -> Path:
    """Find a folder that comes with diagkit.

    Parameters
    ----------
    name
        ``"notebooks"`` or ``"data_samples"``.

    Returns
    -------
    pathlib.Path
        Inside of the installed package, or at the top of the checkout.

    Raises
    ------
    SourceNotFoundError
        If the installation lacks it.

    Examples
    --------
    >>> find_bundled("notebooks").name
    'notebooks'
    """
    package = Path(__file__).parents[1]
    for folder in (package / "_bundled" / name, package.parent / name):
        if folder.is_dir():
            return folder
    msg = f"this installation of diagkit lacks its {name}: install it anew"
    raise SourceNotFoundError(msg)


def open_sample() -> Incident:
    """Open the incident that comes with diagkit: a dashboard that leaks connections.

    Returns
    -------
    Incident
        As `open_incident` gives it.

    Raises
    ------
    SourceNotFoundError
        If the installation lacks it.

    Examples
    --------
    >>> open_sample().name
    'tenant_dashboard'
    """
    return open_incident(find_bundled("data_samples") / SAMPLE)
