"""The built wheel, installed into fresh environments, away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE_AT_MOST = 35
ALL_AT_MOST = 160
pytestmark = pytest.mark.slow


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(a) for a in argv],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_environment(folder: Path, requirement: str) -> Path:
    """Install into a new environment with uv, or with pip where uv is not at hand."""
    uv = os.environ.get("UV") or shutil.which("uv")
    venv.create(folder, with_pip=uv is None)
    python = folder.joinpath(
        *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
    )
    if uv:
        run(uv, "pip", "install", "--quiet", "--python", python, requirement)
    else:
        run(python, "-m", "pip", "install", "--quiet", requirement)
    return python


def count_distributions(python: Path) -> int:
    code = (
        "import importlib.metadata as m; "
        "names = {d.name.lower() for d in m.distributions()}; "
        "print(len(names - {'pip', 'setuptools'}))"
    )
    return int(run(python, "-c", code))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("dist")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder))
    return Path(built)


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("core"), str(wheel))


@pytest.fixture(scope="module")
def everything(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("all"), f"{wheel}[all]")


def test_what_the_wheel_holds(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "diagkit/py.typed" in names
    assert "diagkit/signatures/catalogue.toml" in names
    for data in ("formats", "envelopes", "prefixes"):
        assert f"diagkit/sources/{data}.toml" in names
    assert "diagkit/report/templates/postmortem.html.jinja" in names
    bundled = "diagkit/_bundled/"
    assert f"{bundled}notebooks/01_connection_leaks.ipynb" in names
    assert f"{bundled}notebooks/03_pool_pressure.ipynb" in names
    assert f"{bundled}data_samples/tenant_dashboard/api.log" in names
    assert f"{bundled}data_samples/pool_pressure/activity.csv.gz" in names
    assert [n for n in names if "/capture/" in n or "tests/" in n or ".pyc" in n] == []


def test_the_core_install_is_small(core: Path) -> None:
    assert count_distributions(core) <= CORE_AT_MOST


def test_the_demo_needs_the_core_alone(core: Path, tmp_path: Path) -> None:
    out = run(core, "-m", "diagkit", "demo", cwd=tmp_path)
    assert "65 connections leaked" in out
    assert 'pip install "diagkit[notebooks]"' in out.splitlines()[-1]
    page = (tmp_path / "diagkit-demo/postmortem.html").read_text(encoding="utf-8")
    assert "Tenant dashboard" in page
    assert str(tmp_path) not in page


def test_it_is_the_wheel_that_runs(core: Path, tmp_path: Path) -> None:
    out = run(core, "-c", "import diagkit; print(diagkit.__file__)", cwd=tmp_path)
    assert Path(out.strip()).is_relative_to(core.parents[1])
    version = run(core, "-c", "import sys; print(sys.version)", cwd=tmp_path)
    assert version.strip() == sys.version


def test_everything_is_not_too_much(everything: Path) -> None:
    assert count_distributions(everything) <= ALL_AT_MOST


def test_the_notebooks_run_from_it(everything: Path, tmp_path: Path) -> None:
    run(everything, "-m", "diagkit", "notebooks", "nb", cwd=tmp_path)
    paths = sorted((tmp_path / "nb").glob("*.ipynb"))
    assert len(paths) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    # All of them are run elsewhere; here, that they find what the wheel brings.
    for path in paths[:2]:
        execute = ("-m", "nbconvert", "--to", "notebook", "--execute", "--inplace")
        run(everything, *execute, path, cwd=tmp_path)
        text = path.read_text(encoding="utf-8")
        assert "image/png" in text or path.name.startswith("00")
