"""``diagkit notebooks``: the notebooks, copied to where they can be run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.gitfiles import NEXT, add_git_files, find_repository
from diagkit.cli.output import JsonOption, Section, show


def notebooks(
    folder: Annotated[Path, typer.Argument(help="Where to put them.")],
    force: Annotated[
        bool, typer.Option(help="Replace notebooks there that were changed.")
    ] = False,
    git: Annotated[
        bool,
        typer.Option(
            "--git",
            help="Write settings of git, pre-commit and nbdime at its root too.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy the notebooks, ready to run, into a folder.

    Example: diagkit notebooks investigation && jupyter lab investigation
    """
    import pandas as pd

    if git:
        # Before anything is copied.
        find_repository(folder)
    copied = copy_notebooks(folder, force=force)
    frame = pd.DataFrame({"notebook": [path.name for path in copied]})
    parts = [Section("Notebooks", frame, ("notebook",))]
    notes = [f"open them with: {lab_command(folder)}"]
    if git:
        written = pd.DataFrame(add_git_files(folder))
        parts.append(Section("Git", written, ("file", "done")))
        notes.append(NEXT)
    show(parts, as_json=as_json, notes=notes)


def copy_notebooks(folder: Path, *, force: bool = False) -> list[Path]:
    """Copy the notebooks that come with diagkit.

    Parameters
    ----------
    folder
        Where to put them; made if it is not there.
    force
        Replace notebooks there that differ.

    Returns
    -------
    list of pathlib.Path
        The copies.

    Raises
    ------
    SettingError
        If one is there already and differs: somebody's work is not overwritten.
    SourceAccessError
        If the folder cannot be written.
    """
    from diagkit.sources.bundled import find_bundled

    sources = sorted(find_bundled("notebooks").glob("*.ipynb"))
    changed = [
        source.name
        for source in sources
        if (folder / source.name).is_file()
        and (folder / source.name).read_bytes() != source.read_bytes()
    ]
    if changed and not force:
        msg = f"{folder}: {', '.join(changed)} was changed there; --force replaces it"
        raise dk.SettingError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            (folder / source.name).write_bytes(source.read_bytes())
    except OSError as error:
        msg = f"{folder}: cannot be written ({error.strerror or error})"
        raise dk.SourceAccessError(msg) from None
    return [folder / source.name for source in sources]


def lab_command(folder: Path) -> str:
    """Return the command that opens a folder in JupyterLab on this machine.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    str
        One line.
    """
    import os
    import shlex

    # `uv run` tells its children; outside of it `jupyter` would not be found.
    prefix = "uv run " if "UV_RUN_RECURSION_DEPTH" in os.environ else ""
    install = "" if find_spec("jupyterlab") else 'pip install "diagkit[notebooks]" && '
    return f"{install}{prefix}jupyter lab {shlex.quote(str(folder))}"
