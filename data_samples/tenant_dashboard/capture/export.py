"""Files of the sample that are written once the run is over."""

from __future__ import annotations

import sys
import sysconfig
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from process import HERE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def rewrite_paths(path: Path) -> None:
    """Put the paths of a deployment in the place of this machine's."""
    places = {
        sysconfig.get_path("purelib"): f"/srv/venv/lib/{PYTHON}/site-packages",
        sys.prefix: "/srv/venv",
        sysconfig.get_path("stdlib"): f"/usr/local/lib/{PYTHON}",
        sys.base_prefix: "/usr/local",
        str(HERE): "/srv/app",
    }
    content = path.read_bytes()
    for ours in sorted(places, key=len, reverse=True):
        content = content.replace(f"{ours}/".encode(), f"{places[ours]}/".encode())
    path.write_bytes(content)


def write_incident(
    path: Path, title: str, zone: str, marks: Sequence[tuple[datetime, str]]
) -> None:
    """Write ``incident.toml``: what no other file of the sample says."""
    lines = [
        f'title = "{title}"',
        'zone = "UTC"  # of times that are written without one',
        f'display_zone = "{zone}"',
        'ignore = ["capture"]  # the code that made the files, no part of the incident',
    ]
    for at, label in marks:
        moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines += ["", "[[marks]]", f"at = {moment}", f'label = "{label}"']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
