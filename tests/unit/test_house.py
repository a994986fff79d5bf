"""The house: imports point one way, heavy libraries have one door, names are public."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import diagkit as dk

PACKAGE = Path(dk.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# room -> the rooms that it may import, besides errors (and itself).
MAY_IMPORT = {
    "frames": set(),
    "signatures": set(),
    "redaction": set(),
    "engine": set(),
    "sources": {"frames", "signatures", "engine", "redaction"},
    "analyses": {"frames", "signatures"},
    "charts": {"frames", "analyses"},
    # What a widget shows is saved with the notebook: it leaves.
    "widgets": {"frames", "analyses", "charts", "redaction"},
    "report": {"frames", "analyses", "charts", "redaction"},
    "cli": {
        "frames",
        "signatures",
        "redaction",
        "engine",
        "sources",
        "analyses",
        "charts",
        "report",
    },
}
# heavy library -> the only rooms that may import it.
DOORS = {
    "sqlalchemy": {"sources"},
    "polars": {"sources"},
    "psutil": {"sources"},
    "yaml": {"sources"},
    "matplotlib": {"charts"},
    "ipywidgets": {"widgets"},
    "dask": {"engine"},
    "distributed": {"engine"},
    "jinja2": {"report"},
    "papermill": {"report"},
    "nbclient": {"report"},
    "nbconvert": {"report"},
    "typer": {"cli"},
    "rich": {"cli"},
}
HEAVY = ["pandas", "matplotlib", "IPython", "polars", "sqlalchemy", "numpy", "pyarrow"]


def imports_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.append(node.module or "")
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if not room:
        return  # the package itself resolves names lazily from every room
    rooms = {
        name.split(".")[1]
        for name in imports_of(path)
        if name.startswith("diagkit.") and name.split(".")[1] in MAY_IMPORT
    }
    assert rooms - MAY_IMPORT[room] - {room} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_have_one_door(path: Path) -> None:
    room = room_of(path)
    wrong = {
        library
        for library in (name.split(".")[0] for name in imports_of(path))
        if library in DOORS and room not in DOORS[library]
    }
    assert wrong == set()


def test_every_room_is_known() -> None:
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert rooms <= set(MAY_IMPORT)


def test_no_room_is_named_after_nothing() -> None:
    nothing = {"utils", "helpers", "common", "misc", "core"}
    assert [p for p in MODULES if p.stem in nothing] == []


def test_modules_are_one_noun_long() -> None:
    long = {
        str(p.relative_to(PACKAGE)): count
        for p in MODULES
        if (count := len(p.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, diagkit; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_public_names_resolve_and_are_sorted() -> None:
    assert list(dk.__all__) == sorted(dk.__all__)
    for name in dk.__all__:
        assert getattr(dk, name) is not None


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(dk.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'read_log'"):
        dk.read_log  # noqa: B018


def test_every_public_name_is_documented_with_a_running_example() -> None:
    lacking = []
    for name in dk.__all__:
        thing = getattr(dk, name)
        doc = thing.__doc__ or ""
        if not callable(thing):
            continue
        if not doc or (not isinstance(thing, type) and ">>>" not in doc):
            lacking.append(name)
    assert lacking == []
