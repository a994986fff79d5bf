"""Capture the picture of ``docs/explorers.md`` in a real JupyterLab.

``uv run python docs/capture_explorer.py``; it needs Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
import jupyter_page  # noqa: E402  # found only then

MAKE = """
import diagkit as dk
incident = dk.open_sample()
logs, marks = incident.logs, incident.marks
leaks = dk.find_leaks(logs)
"""
SHOW = (
    "dk.LeakExplorer(leaks, logs, marks=marks, "
    "signature='sqlalchemy.queuepool_timeout', bar='2026-11-22T17:18:15.000Z')"
)


def main() -> None:
    """Write ``images/explorer.png`` beside this file."""
    found = jupyter_page.find_browser()
    if found is None:
        sys.exit("no Chromium is installed (Debian: apt install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        root, own = Path(folder) / "notebooks", Path(folder) / "jupyter"
        root.mkdir()
        jupyter_page.write_notebook(root / "explorer.ipynb", MAKE, SHOW)
        with (
            jupyter_page.serve(root, own) as url,
            jupyter_page.browse(found) as browser,
        ):
            lab = jupyter_page.LabPage(browser, url)
            lab.open("explorer.ipynb")
            lab.run_all()
            output = lab.page.locator(".jp-OutputArea-output:has(.widget-gridbox)")
            output.locator("img.widget-image").wait_for()
            output.screenshot(path=HERE / "images" / "explorer.png")
            lab.close()


if __name__ == "__main__":
    main()
