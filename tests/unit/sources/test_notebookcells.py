"""The warning of a cell that left a connection in transaction, in a real shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from diagkit.sources import notebookcells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETUP = """
import gc, sqlite3, sqlalchemy as sa, pandas as pd
engine = sa.create_engine("sqlite:///{}", poolclass=sa.QueuePool)
with engine.begin() as link:
    link.execute(sa.text("create table t (x)"))
"""
INSERT = 'link.execute(sa.text("insert into t values (1)"))'


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    shell.run_cell(SETUP.format(tmp_path / "x.db"))
    shell.run_cell("%load_ext diagkit")
    yield shell
    shell.run_cell("%unload_ext diagkit")
    shell.run_cell("globals().pop('link', None); gc.collect(); engine.dispose()")


def run(shell: Any, cell: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    # As a notebook does: only cells that are kept have a number.
    shell.run_cell(cell, store_history=True).raise_error()
    return capsys.readouterr().err


def test_a_cell_that_leaves_a_transaction_is_told_once(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(shell, f"link = engine.connect()\n{INSERT};", capsys)
    assert said == (
        "diagkit: cell [1] left a connection in transaction: taken in Cell In[1], line "
        "1. Until it is\nclosed, or rolled back, the server keeps its locks and its "
        "snapshot.\n"
    )
    assert run(shell, "1 + 1", capsys) == ""
    assert run(shell, "link.rollback()", capsys) == ""
    assert "cell [4] left" in run(shell, INSERT + ";", capsys)
    assert run(shell, "link.close()", capsys) == ""


@pytest.mark.parametrize(
    "cell",
    [
        "with engine.begin() as link: " + INSERT,
        "link = engine.connect()",
        "pd.read_sql('select 1', engine)",
        "db = sqlite3.connect(':memory:'); db.close()",
        "_hidden = 1",
    ],
)
def test_a_cell_that_ends_what_it_began_is_left_alone(
    shell: Any, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shell, cell, capsys) == ""


def test_a_connection_of_the_driver_is_named(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = "db = sqlite3.connect(':memory:'); db.execute('create table t (x)')\n"
    said = run(shell, cell + "db.execute('insert into t values (1)');", capsys)
    assert "cell [1] left a connection in transaction: the variable db." in said
    run(shell, "db.close()", capsys)


def test_loaded_twice_it_says_it_once(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    notebookcells.load(shell)
    said = run(shell, f"link = engine.connect()\n{INSERT};", capsys)
    assert said.count("diagkit:") == 1
    run(shell, "link.close()", capsys)


def test_unloaded_it_is_silent(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%unload_ext diagkit", capsys)
    notebookcells.unload(shell)
    assert not sa.create_engine("sqlite://").pool.dispatch.checkout
    assert run(shell, f"link = engine.connect()\n{INSERT};", capsys) == ""
    run(shell, "link.close()", capsys)


def test_a_fault_of_the_watch_fails_no_cell(
    shell: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(notebookcells.TransactionWatch, "look", broken)
    said = run(shell, "1 + 1", capsys)
    assert said == "diagkit: could not look at connections (ZeroDivisionError)\n"
