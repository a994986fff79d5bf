"""``diagkit pool``: connections, from the side of the pool and of the server."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.output import JsonOption, show

pool = typer.Typer(no_args_is_help=True)


@pool.callback()
def group() -> None:
    """Record connections, from the side of the pool and of the server.

    Example: diagkit pool record postgresql://monitor@db/app
    """


@pool.command()
def record(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="postgresql://user:password@host/database; read only."
        ),
    ],
    every: Annotated[
        str, typer.Option(help="Time from one sample to the next: 1s, 500ms.")
    ] = "1s",
    for_: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="TEXT", help="For how long: 90s, 10min. [until Ctrl-C]"
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="A .csv or .parquet file; what it holds already stays.",
        ),
    ] = Path("activity.csv"),
    as_json: JsonOption = False,
) -> None:
    """Record what a PostgreSQL server's sessions do (pg_stat_activity) into a file.

    Reads only. A Ctrl-C ends it, and what was recorded by then is kept; so it is after
    a kill. Values in statements are left out. `dk.read_activity(FILE)` reads it.

    Example: diagkit pool record postgresql://monitor@db/app --for 10min --out a.parquet
    """
    from diagkit.sources.activity import record_activity

    every_s = _seconds("--every", every)
    for_s = None if for_ is None else _seconds("--for", for_)
    if for_s is None and not as_json:
        sys.stderr.write(f"recording into {out.name} until Ctrl-C\n")
    done = record_activity(url, out, every_s, for_s)
    note = (
        f"{out.name}: {done.samples} samples, {done.rows} rows; {done.redacted} values "
        "in statements left out"
    )
    counts = {
        "samples": done.samples,
        "rows": done.rows,
        "redacted": done.redacted,
    }
    show([], as_json=as_json, notes=[note], extra=counts)


def _seconds(option: str, text: str) -> float:
    """Read a length of time; a bare number is one of seconds."""
    import pandas as pd

    try:
        return float(text)
    except ValueError:
        pass
    try:
        seconds = float(pd.Timedelta(text).total_seconds())
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        msg = f"{option} is a length of time such as 1s, 500ms or 10min; {text!r} came"
        raise dk.SettingError(msg)
    return seconds
