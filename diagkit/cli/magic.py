"""``%diagkit`` in a notebook: the commands, as thin calls of the public functions."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import diagkit as dk
from diagkit.cli.hiding import hide
from diagkit.errors import DiagkitError, SettingError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable


class Call(NamedTuple):
    """What one command of the magic does.

    Attributes
    ----------
    usage
        How it is written.
    run
        Called with the words behind the command; what it returns is shown.
    least, most
        How many words it takes.
    """

    usage: str
    run: Callable[..., Any]
    least: int = 1
    most: int = 1


def _leaks(*paths: str) -> Any:
    return dk.LeakExplorer(dk.find_leaks(dk.read_logs(list(paths))))


def _audit(where: str) -> Any:
    return dk.ProgressExplorer(dk.audit_started_at(dk.read_progress(where)))


def _pool(folder: str) -> Any:
    incident = dk.open_incident(folder)
    return dk.PoolExplorer(incident.pool, incident.checkouts)


def _http(*paths: str) -> Any:
    return _clean(dk.reconcile_http(dk.read_http(list(paths))).rates)


def _ports(*paths: str) -> Any:
    return _clean(dk.audit_ports(dk.read_compose(list(paths))))


def _board(folder: str) -> Any:
    return dk.IncidentBoard(dk.open_incident(folder))


def _triage(folder: str) -> Any:
    return _clean(dk.triage(dk.open_incident(folder)).hypotheses)


def _check(folder: str) -> Any:
    return _clean(dk.check_incident(dk.open_incident(folder)))


def _compare(before: str, after: str) -> Any:
    sides = dk.open_incident(before), dk.open_incident(after)
    return _clean(dk.compare_incidents(*sides))


def _review(base: str, head: str) -> Any:
    changes = dk.compare_findings(dk.read_findings(base), dk.read_findings(head))
    return _clean(changes)


def _report(folder: str, output: str) -> Any:
    dk.render_report(dk.open_incident(folder), output)
    return f"report: {output}"


def _clean(frame: Any) -> Any:
    # What a notebook shows is saved with it.
    return dk.redact_frame(frame).frame


CALLS = {
    "leaks": Call("leaks PATH ...", _leaks, 1, 100),
    "audit": Call("audit FOLDER_OR_URL", _audit),
    "pool": Call("pool FOLDER", _pool),
    "http": Call("http PATH ...", _http, 1, 100),
    "ports": Call("ports PATH ...", _ports, 1, 100),
    "board": Call("board FOLDER", _board),
    "triage": Call("triage FOLDER", _triage),
    "check": Call("check FOLDER", _check),
    "compare": Call("compare BEFORE AFTER", _compare, 2, 2),
    "review": Call("review BASE HEAD", _review, 2, 2),
    "report": Call("report FOLDER OUTPUT", _report, 2, 2),
}


def load(shell: Any) -> None:
    """Register the magic: ``%load_ext diagkit``.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    shell.register_magic_function(run_magic, "line", "diagkit")


def run_magic(line: str) -> Any:
    """Run a line of the magic.

    Parameters
    ----------
    line
        What stands behind ``%diagkit``: a command and its words, quoted where they
        have blanks.

    Returns
    -------
    object
        What the notebook shows: an explorer, a frame without secrets, a line of text.
        None where something is wrong: then one line says what.

    Examples
    --------
    >>> run_magic("check diagkit/no-such-folder")
    """
    try:
        return _run(line)
    except DiagkitError as error:
        # As on the command line: no traceback.
        sys.stderr.write(f"diagkit: {hide(str(error))}\n")
        return None


def _run(line: str) -> Any:
    try:
        words = shlex.split(line)
    except ValueError as error:
        msg = f"%diagkit {line}: {error}"
        raise SettingError(msg) from None
    if not words or words[0] not in CALLS:
        usages = "; ".join(f"%diagkit {call.usage}" for call in CALLS.values())
        near = suggest(words[0], CALLS) if words else ""
        msg = f"%diagkit takes a command{near}: {usages}"
        raise SettingError(msg)
    call = CALLS[words[0]]
    if not call.least <= len(words) - 1 <= call.most:
        msg = f"%diagkit {' '.join(words)}: write %diagkit {call.usage}"
        raise SettingError(msg)
    return call.run(*words[1:])
