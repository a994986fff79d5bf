"""``%diagkit`` in a notebook: the commands, as thin calls of the public functions."""

from __future__ import annotations

import html
import os
import re
import shlex
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

import diagkit as dk
from diagkit.engine.told import collect_told
from diagkit.errors import DiagkitError, SettingError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

# Text from files never acts on a terminal, nor turns the words beside it.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class Call(NamedTuple):
    """What one command of the magic does.

    Attributes
    ----------
    usage
        How it is written.
    does
        What it shows, in a few words.
    run
        Called with the words behind the command; what it returns is shown.
    least, most
        How many words it takes.
    zone
        Whether it takes ``--tz``, too.
    """

    usage: str
    does: str
    run: Callable[..., Any]
    least: int = 1
    most: int = 1
    zone: bool = False


class _Complete(pd.DataFrame):
    """A frame that a notebook shows with all its rows and all its words, at the left.

    As `pandas` shows it, a summary is cut after 50 characters.
    """

    def _repr_html_(self) -> str:
        cell = 'style="text-align:left;vertical-align:top"'
        head = "".join(f"<th {cell}>{_escape(name)}</th>" for name in self.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td {cell}>{_escape(one)}</td>" for one in row) + "</tr>"
            for row in self.itertuples(index=False, name=None)
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{len(self)} {'row' if len(self) == 1 else 'rows'}</p>"
        )


def _escape(value: Any) -> str:
    text = "–" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)
    # Between two of them a notebook reads a formula.
    return html.escape(CONTROL.sub("", text)).replace("$", "<span>$</span>")


def _leaks(*paths: str, tz: str | None = None) -> Any:
    logs = dk.read_logs(list(paths), tz=tz)
    made_by = (
        f"logs = dk.read_logs({_write(*paths)}{_write_zone(tz)})\n"
        "leaks = dk.find_leaks(logs)"
    )
    return dk.LeakExplorer(dk.find_leaks(logs), logs, made_by=made_by)


def _audit(where: str, tz: str | None = None) -> Any:
    progress = dk.read_progress(where, tz=tz)
    made_by = (
        f"progress = dk.read_progress({where!r}{_write_zone(tz)})\n"
        "audit = dk.audit_started_at(progress)"
    )
    return dk.ProgressExplorer(dk.audit_started_at(progress), progress, made_by=made_by)


def _pool(folder: str) -> Any:
    incident = dk.open_incident(folder)
    pool, checkouts = incident.pool, incident.checkouts
    if pool.empty and checkouts.empty:
        msg = f"{folder}: no samples of a pool and no checkouts are in this folder"
        raise SettingError(msg)
    made_by = (
        f"inc = dk.open_incident({folder!r})\npool, checkouts = inc.pool, inc.checkouts"
    )
    return dk.PoolExplorer(pool, checkouts, made_by=made_by)


def _http(*paths: str, tz: str | None = None) -> Any:
    return _clean(dk.reconcile_http(dk.read_http(list(paths), tz=tz)).rates)


def _ports(*paths: str) -> Any:
    return _clean(dk.audit_ports(dk.read_compose(list(paths))))


def _board(folder: str) -> Any:
    made_by = f"inc = dk.open_incident({folder!r})"
    return dk.IncidentBoard(dk.open_incident(folder), made_by=made_by)


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
    return _Complete(dk.redact_frame(frame).frame)


def _write(*paths: str) -> str:
    return repr(paths[0] if len(paths) == 1 else list(paths))


def _write_zone(tz: str | None) -> str:
    return "" if tz is None else f", tz={tz!r}"


CALLS = {
    "leaks": Call("leaks PATH ...", "events of logs over time", _leaks, 1, 100, True),
    "audit": Call(
        *("audit FOLDER_OR_URL", "starts, and what rules make of them", _audit),
        zone=True,
    ),
    "pool": Call("pool FOLDER", "who held connections of a pool", _pool),
    "http": Call(
        "http PATH ...", "requests, as each observer saw them", _http, 1, 100, True
    ),
    "ports": Call("ports PATH ...", "ports of compose files", _ports, 1, 100),
    "board": Call("board FOLDER", "all of an incident, to click through", _board),
    "triage": Call("triage FOLDER", "what may be the cause", _triage),
    "check": Call("check FOLDER", "what diagkit reads of a folder", _check),
    "compare": Call(
        *("compare BEFORE AFTER", "findings of two incidents", _compare), 2, 2
    ),
    "review": Call("review BASE HEAD", "findings of two runs", _review, 2, 2),
    "report": Call("report FOLDER OUTPUT", "writes the postmortem", _report, 2, 2),
}
HELP = ("help", "--help", "-h")


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
    with collect_told() as told:
        try:
            return _run(line)
        except DiagkitError as error:
            # As on the command line: no traceback.
            _tell(error)
            return None
        finally:
            for one in told:
                _tell(one)


def _tell(what: object) -> None:
    """Tell a person, in one line, what is wrong or was read only in part."""
    said = CONTROL.sub("", " ".join(str(what).split()))
    sys.stderr.write(f"diagkit: {dk.redact_text(said).text}\n")


def _run(line: str) -> Any:
    try:
        # As in a cell, a comment may stand behind.
        words = shlex.split(line, comments=True)
    except ValueError as error:
        msg = f"%diagkit {line}: {error}"
        raise SettingError(msg) from None
    if not words or words[0] in HELP:
        sys.stdout.write(_help())
        return None
    if words[0] not in CALLS:
        msg = (
            f"%diagkit has no command {words[0]!r}{suggest(words[0], CALLS)}; %diagkit "
            "help lists them"
        )
        raise SettingError(msg)
    call = CALLS[words[0]]
    rest, options = _take_zone(call, words[1:])
    if not call.least <= len(rest) <= call.most:
        msg = f"%diagkit {' '.join(words)}: write %diagkit {call.usage}"
        raise SettingError(msg)
    return call.run(*map(os.path.expanduser, rest), **options)


def _take_zone(call: Call, words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Take ``--tz ZONE`` out of words; no other option is known."""
    rest: list[str] = []
    options: dict[str, str] = {}
    left = iter(words)
    for word in left:
        name, _, value = word.partition("=")
        if name == "--tz" and call.zone:
            value = value or next(left, "")
            if not value:
                msg = "--tz takes a zone: --tz Europe/Berlin"
                raise SettingError(msg)
            options["tz"] = value
        elif word.startswith("--"):
            takes = "only --tz ZONE" if call.zone else "no option"
            msg = f"%diagkit {call.usage} takes {takes}; {word} came"
            raise SettingError(msg)
        else:
            rest.append(word)
    return rest, options


def _help() -> str:
    """Return a line for each command."""
    usages = [
        f"%diagkit {call.usage}{' [--tz ZONE]' if call.zone else ''}"
        for call in CALLS.values()
    ]
    width = max(map(len, usages))
    return "".join(
        f"{usage:{width}}  {call.does}\n"
        for usage, call in zip(usages, CALLS.values(), strict=True)
    )
