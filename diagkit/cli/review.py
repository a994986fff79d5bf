"""``diagkit review``: how two runs differ, and what people say of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import diagkit as dk
from diagkit.cli.output import JsonOption, Section, show
from diagkit.errors import suggest
from diagkit.report.reviewing import check_format, count_changes
from diagkit.report.sidecar import ask_git, name_sidecar

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

# What a reviewer has agreed to, or need not.
SETTLED = ("accepted",)


def review(
    base: Annotated[
        str,
        typer.Argument(
            help="A report, a notebook that was run, an incident's folder; "
            "or REVISION:FILE of git."
        ),
    ],
    head: Annotated[
        str | None, typer.Argument(help="The same after a change. None: only BASE.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write a page too: .html or .md."),
    ] = None,
    accept: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Agree with a finding.")
    ] = None,
    dispute: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Disagree with a finding.")
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Comment on a finding, without deciding."),
    ] = None,
    comment: Annotated[str, typer.Option(help="Why, or what else there is.")] = "",
    by: Annotated[
        str | None, typer.Option(help="Who decides. [git's user.name]")
    ] = None,
    reviews: Annotated[
        Path | None,
        typer.Option(help="File of decisions. [beside HEAD, .reviews.jsonl]"),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            help="Exit 1 where a finding that differs is not accepted, or one is "
            "disputed or outdated."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the findings of two runs, and accept, dispute or comment on them.

    Example: diagkit review main:./postmortem.ipynb postmortem.ipynb -o review.html
    """
    last = head or base
    before, now = (_read(base) if head else None), _read(last)
    if before is None:
        before = now
    where = reviews or name_sidecar(_path(last))
    changes = dk.compare_findings(before, now, dk.read_reviews(where))
    decisions = {"accept": accept, "dispute": dispute, "comment": on}
    # What cannot be done is told before anything is written down.
    if output is not None:
        check_format(output)
    if comment and not any(decisions.values()):
        msg = "--comment: say on which finding, with --accept, --dispute or --on"
        raise dk.SettingError(msg)
    if any(decisions.values()):
        _decide(where, decisions, changes, by=by, comment=comment)
        changes = dk.compare_findings(before, now, dk.read_reviews(where))
    notes = [count_changes(changes)]
    if output is not None:
        dk.render_review(changes, output, **_name(base, last))
        notes.append(f"page: {output}")
    parts = [Section("Findings", changes, ())]
    if not as_json:
        parts = _sections(changes, all_of_it=head is None)
    show(parts, as_json=as_json, notes=notes)
    raise typer.Exit(int(check and bool(_open(changes).any())))


def _sections(changes: pd.DataFrame, *, all_of_it: bool) -> list[Section]:
    """Put what a reviewer looks at into one table; what is the same is counted."""
    differs, decided = changes["change"] != "same", changes["reviews"] != ""
    rows = changes[differs | decided | all_of_it]
    if rows.empty:
        return []
    now, before = rows["now"], rows["before"]
    was = before.where((before != now) & (before != "") & (now != ""), "")
    said = now.where(now != "", before) + ("\n(was: " + was + ")").where(was != "", "")
    severity = rows["severity_now"].where(now != "", rows["severity_before"])
    columns = ["change", "severity", "summary", "finding"]
    # A column in which nobody decided anything would only take room.
    columns += ["state", "reviews"] if decided.any() else []
    return [Section("Findings", rows.assign(summary=said, severity=severity), columns)]


def _open(changes: pd.DataFrame) -> pd.Series:
    differs = (changes["change"] != "same") & ~changes["state"].isin(SETTLED)
    return differs | changes["state"].isin(("disputed", "outdated"))


def _path(run: str) -> Path:
    """Return where a run stands; one of a revision, in the working tree."""
    path = Path(run)
    if path.exists() or ":" not in run:
        return path
    file = run.partition(":")[2]
    # As git reads it: from here where it begins with a dot, else from the root.
    root = ask_git("rev-parse", "--show-cdup", folder=Path())
    return Path(file) if file.startswith(("./", "../")) else Path(root) / file


def _name(base: str, head: str) -> dict[str, str]:
    """Name two runs by their files, or as they were given where these are the same."""
    names = {"base": Path(base).name, "head": Path(head).name}
    if base != head and names["base"] == names["head"]:
        return {"base": base, "head": head}
    return names


def _read(run: str) -> pd.DataFrame:
    if Path(run).is_dir():
        return dk.redact_frame(dk.rank_findings(dk.open_incident(run))).frame
    return dk.read_findings(run)


def _decide(
    where: Path,
    decisions: dict[str, list[str] | None],
    changes: pd.DataFrame,
    *,
    by: str | None,
    comment: str,
) -> None:
    rows = changes.set_index("finding")[["now", "severity_now"]].astype("str")
    said = {key: (now, level) for key, now, level in rows.itertuples(name=None)}
    who = by or ask_git("config", "user.name", folder=Path())
    if not who:
        msg = "nobody decides: say who with --by, or set git's user.name"
        raise dk.SettingError(msg)
    if decisions["comment"] and not comment:
        msg = "--on comments on a finding: say what with --comment"
        raise dk.SettingError(msg)
    # All ids are looked up before the first decision is written.
    known = [
        (decision, _find(key, said))
        for decision, keys in decisions.items()
        for key in keys or ()
    ]
    for decision, key in known:
        now, level = said[key]
        dk.add_review(
            where, key, decision, by=who, text=comment, said=now, severity=level
        )


def _find(key: str, said: Collection[str]) -> str:
    found = [one for one in said if key and one.startswith(key)]
    if key in said or len(found) == 1:
        return key if key in said else found[0]
    if found:
        msg = f"{key} begins the ids of {len(found)} findings: {', '.join(found)}"
    else:
        msg = f"{key!r} is the id of no finding of the two runs{suggest(key, said)}"
    raise dk.SettingError(msg)
