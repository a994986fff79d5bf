"""The command line: one module a command. `main` alone makes exit codes of errors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        The arguments after the program's name; by default those of this process.

    Returns
    -------
    int
        0: done. 1: findings at or above ``--fail-on``. 2: an error, told in one line.

    Examples
    --------
    >>> main(["leaks", "no-such.log"])
    2
    """
    from diagkit.cli.commands import run

    return run(sys.argv[1:] if argv is None else list(argv))
