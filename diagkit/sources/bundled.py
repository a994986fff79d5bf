"""What comes with diagkit: the sample incidents and the notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diagkit.errors import SourceNotFoundError, suggest
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


def open_sample(name: str = SAMPLE) -> Incident:
    """Open an incident that comes with diagkit.

    Parameters
    ----------
    name
        ``tenant_dashboard``: a dashboard that leaks connections, and its progress after
        a migration. ``pool_pressure``: a shop whose pools run short, recorded.
        ``two_stacks``: a front end that sees 503s which its backend never logged.

    Returns
    -------
    Incident
        As `open_incident` gives it.

    Raises
    ------
    SourceNotFoundError
        If there is no such sample, or the installation lacks it.

    Examples
    --------
    >>> open_sample().name
    'tenant_dashboard'
    """
    folder = find_bundled("data_samples")
    names = sorted(one.name for one in folder.iterdir() if one.is_dir())
    if name not in names:
        near = suggest(name, names)
        msg = f"{name!r} is no sample of diagkit's: {', '.join(names)}{near}"
        raise SourceNotFoundError(msg)
    return open_incident(folder / name)
