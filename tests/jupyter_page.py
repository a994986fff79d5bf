"""A real JupyterLab in a real browser, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import nbformat
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]
TOKEN = "only-for-this-test"
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # All cells are in the page, not only those in view.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
CELLS = """
() => window.jupyterapp.shell.currentWidget.content.widgets
  .filter(cell => cell.model.type === 'code')
  .map(cell => ({
    count: cell.model.executionCount,
    busy: cell.model.executionState === 'running',
    outputs: cell.model.outputs ? cell.model.outputs.toJSON() : [],
  }))
"""
RAN = """
() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const status = panel.sessionContext.session?.kernel?.status;
  const cells = panel.content.widgets.filter(cell => cell.model.type === 'code');
  return status === 'idle' && cells.every(cell =>
    !cell.model.sharedModel.getSource().trim() || cell.model.executionCount !== null);
}
"""
READY = """
path => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  return panel?.context?.path === path && panel.context.isReady
    && panel.sessionContext?.session?.kernel?.status === 'idle';
}
"""


def find_browser() -> str | None:
    """Return where a Chromium of the machine's own packages is."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells."""
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(book, path)
    return path


@contextmanager
def serve(root: Path, own: Path) -> Iterator[str]:
    """Run a JupyterLab server on a free port, with settings of its own."""
    for name, settings in SETTINGS.items():
        file = own / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {
        "JUPYTER_CONFIG_DIR": own / "config",
        "JUPYTER_DATA_DIR": own / "data",
        "JUPYTER_RUNTIME_DIR": own / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": own / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": own / "workspaces",
        "IPYTHONDIR": own / "ipython",
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]
    log = own / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            cwd=root,
            env=os.environ | {name: str(path) for name, path in places.items()},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(f"{url}/api?token={TOKEN}", process, log)
        yield url
    finally:
        # Its kernels end with it.
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def browse(executable: str) -> Iterator[Any]:
    """Start a browser, and end it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class LabPage:
    """A page with JupyterLab.

    Parameters
    ----------
    browser
        As `browse` gives it.
    url
        As `serve` gives it.
    """

    def __init__(self, browser: Any, url: str) -> None:
        self.page = browser.new_page(viewport={"width": 1500, "height": 1000})
        self.page.set_default_timeout(30_000)
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        self.page.on("dialog", self._dismiss)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._url = url

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, name: str) -> None:
        """Open a notebook and wait until its kernel is there."""
        self.page.goto(f"{self._url}/lab/tree/{name}?token={TOKEN}&reset")
        self.page.wait_for_function(READY, arg=name, timeout=60_000)

    def run_all(self, timeout_s: float = 120) -> list[dict[str, Any]]:
        """Run all cells to the end; return their counts and outputs."""
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('runmenu:run-all')"
        )
        self.page.wait_for_function(RAN, timeout=1000 * timeout_s)
        cells: list[dict[str, Any]] = self.page.evaluate(CELLS)
        return cells

    def reopen(self, name: str) -> None:
        """Save the notebook, end its kernel, and open it again without one."""
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('docmanager:save')"
        )
        self.page.evaluate(
            "() => window.jupyterapp.serviceManager.sessions.shutdownAll()"
        )
        self.page.goto("about:blank")
        self.page.goto(f"{self._url}/lab/tree/{name}?token={TOKEN}&reset")
        self.page.wait_for_function(READY, arg=name, timeout=60_000)

    def use_theme(self, name: str) -> None:
        """Change the theme: JupyterLab Light, or JupyterLab Dark."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute("
            "'apputils:change-theme', {theme})",
            name,
        )
        light = str("Light" in name).lower()
        self.page.wait_for_selector(
            f"body[data-jp-theme-light='{light}']", state="attached"
        )
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def close(self) -> None:
        """End the page's kernels and the page."""
        self.page.evaluate(
            "() => window.jupyterapp?.serviceManager.sessions.shutdownAll()"
        )
        self.page.close()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                msg = f"JupyterLab does not answer:\n{said}"
                raise RuntimeError(msg) from None
            time.sleep(0.1)
