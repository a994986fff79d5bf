"""The table of commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

import typer

from diagkit.errors import DiagkitError, DiagkitWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where it is set, a fault of diagkit itself is shown with its traceback.
DEBUG = "DIAGKIT_DEBUG"
# A command is a module of this room with a function of the same name, a group of
# commands one with an application of that name.
COMMANDS = (
    "demo",
    "leaks",
    "logs",
    "audit",
    "backfill",
    "check",
    "compare",
    "http",
    "migration",
    "pool",
    "ports",
    "report",
    "review",
    "triage",
    "notebooks",
)


def build_app(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """Put the commands together.

    Parameters
    ----------
    names
        Which: what one command needs is not to be imported for all of them.

    Returns
    -------
    typer.Typer
        The application.
    """
    app = typer.Typer(
        name="diagkit",
        help="Diagnose incidents: connection leaks, NULL timestamps, percentages.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    # Without it, an application of one command has no commands.
    app.callback()(_nothing)
    for name in names:
        command = getattr(import_module(f"diagkit.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code; see `diagkit.cli.main`.

    Parameters
    ----------
    argv
        The arguments after the program's name.

    Returns
    -------
    int
        0, 1 or 2.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", DiagkitWarning)
            warnings.showwarning = _tell
            named = [name for name in argv[:1] if name in COMMANDS]
            app = build_app(named or COMMANDS)
            app(args=argv, prog_name="diagkit", standalone_mode=True)
    except DiagkitError as error:
        return _fail(str(error))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        # The reader of a pipe (head, less) has what it wanted; what Python would still
        # flush at its exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _fail(
            f"a fault of diagkit itself ({type(error).__name__}: {error}); set "
            f"{DEBUG}=1 to see where, and report it"
        )
    return 0


def _nothing() -> None:
    """Do nothing before a command."""


def _fail(message: str) -> int:
    """Tell a person what went wrong, in one line; the exit code of an error."""
    _say(message)
    return 2


def _say(message: str) -> None:
    """Write a line for people, redacted."""
    from diagkit.cli.output import printable
    from diagkit.redaction.text import hide

    # Redacted first: what a line end ends, a blank may not.
    line = printable(" ".join(hide(message).split()))
    sys.stderr.write(f"diagkit: {line}\n")


def _tell(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Tell a person what was read only in part; other warnings are not for them."""
    if issubclass(category, DiagkitWarning):
        _say(str(message))
