"""A real kernel on a real PostgreSQL: `pandas.read_sql` leaves it in transaction."""

from __future__ import annotations

import asyncio

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_read_sql_is_told_in_a_kernel(postgres_url: str) -> None:
    cells = [
        f"%load_ext diagkit\nimport pandas as pd, sqlalchemy as sa\n"
        f"engine = sa.create_engine({postgres_url!r})",
        "pd.read_sql('select 1 as x', engine)",
        "connection = engine.connect()\n"
        "pd.read_sql(sa.text('select 1 as x'), connection)",
        "connection.close()",
        "import psycopg\n"
        f"raw = psycopg.connect({postgres_url.replace('+psycopg', '')!r})\n"
        "raw.execute('select 1').fetchall()",
        "raw.close(); engine.dispose()",
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        f"later = create_async_engine({postgres_url!r})\n"
        "link = await later.connect()\n"
        "(await link.execute(sa.text('select 1'))).all()",
        "await link.close(); await later.dispose()",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    # Its own execute() leaves an event loop open.
    asyncio.run(
        nbclient.NotebookClient(
            notebook, timeout=120, kernel_name="python3"
        ).async_execute()
    )
    said = [
        "".join(o["text"] for o in cell.outputs if o.get("name") == "stderr")
        for cell in notebook.cells
    ]
    assert ["left a connection" in text for text in said] == [
        *(False, False, True, False),
        *(True, False, True, False),
    ]
    assert "cell [3] left a connection in transaction: taken in Cell In[3]," in said[2]
    assert "the variable raw" in said[4]
    assert "taken in Cell In[7], line 3" in said[6]
