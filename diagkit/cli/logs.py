"""``diagkit logs``: how logs are read."""

from __future__ import annotations

from typing import Annotated

import typer

from diagkit.cli.output import JsonOption, Section, show

logs = typer.Typer(
    help="Say how logs are read.\n\nExample: diagkit logs explain api.log",
    no_args_is_help=True,
)
FORMAT_COLUMNS = ("source", "format", "records", "lines", "without_time", "example")
UNKNOWN_COLUMNS = ("source", "line", "lines", "text")


@logs.callback()
def _group() -> None:
    """Keep ``explain`` a command of its own, though it is the only one."""


@logs.command()
def explain(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Logs: files, folders or globs."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show which format took how many lines of logs, and what no format explains.

    Formats of your own are read from the TOML files that DIAGKIT_FORMATS names.

    Example: diagkit logs explain api.log
    """
    from diagkit.sources.explanations import explain_logs
    from diagkit.sources.files import refuse_empty
    from diagkit.sources.paths import find_files

    files = find_files(paths)
    if len(files) == 1:
        refuse_empty(files[0].path)
    found = explain_logs(files)
    table = found.formats
    nothing = table[table["format"] == "unknown"]
    notes = [
        f"{table['lines'].sum()} lines in {table['records'].sum()} records, "
        f"{table['without_time'].sum()} of them without a time",
        f"lines that no format explains: {nothing['lines'].sum()}",
        *(f"{name}: taken out of {kind}" for name, kind in found.envelopes.items()),
    ]
    sections = [Section("Formats", table, FORMAT_COLUMNS)]
    if len(found.unknown) or as_json:
        sections.append(Section("Unexplained", found.unknown, UNKNOWN_COLUMNS))
    show(sections, as_json=as_json, notes=notes)
