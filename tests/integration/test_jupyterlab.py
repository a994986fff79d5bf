"""Where it is used: a real JupyterLab in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import diagkit as dk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TOKEN = "of-this-test-alone"
DEADLINE_MS = 90_000
ERROR = '[data-mime-type="application/vnd.jupyter.error"]'
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
}
HOSTILE = (
    "<script>window.diagkitWasHere = 1</script><img src=x onerror='window."
    "diagkitWasHere = 2'> $\\frac{1}{0}$ \x1b[31m \u202e "
)


def find_chromium() -> str:
    """Find the browser; CI has to have it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("CI has no chromium: install the package chromium")
    if found is None:
        pytest.skip("chromium is not installed (Debian: apt install chromium)")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Notebooks: those of the project, and one of explorers."""
    to = tmp_path_factory.mktemp("lab")
    for path in NOTEBOOKS:
        shutil.copy(path, to)
    hostile = to / "hostile"
    hostile.mkdir()
    (hostile / "incident.toml").write_text('zone = "UTC"\n')
    text = (
        "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout"
    )
    line = f"2025-11-24 10:00:00 [ERROR] a.b: {text} 30.00 {HOSTILE}{'A' * 10**6}\n"
    (hostile / "api.log").write_text(line * 2, encoding="utf-8")
    for name, cell in CELLS.items():
        write(to / f"{name}.ipynb", cell)
    return to


CELLS = {
    "leaks": "leaks = dk.find_leaks(dk.open_sample().logs)\ndk.LeakExplorer(leaks)",
    "progress": "audit = dk.audit_started_at(dk.open_sample().progress)\n"
    "dk.ProgressExplorer(audit, projects='NULL')",
    "pool": "inc = dk.open_sample('pool_pressure')\n"
    "dk.PoolExplorer(inc.pool, inc.checkouts)",
    "board": "inc = dk.open_sample()\ndk.IncidentBoard(inc)",
    "attack": "inc = dk.open_incident('hostile')\n"
    "display(dk.LeakExplorer(dk.find_leaks(inc.logs)))\ndk.IncidentBoard(inc)",
}


def write(path: Path, source: str) -> None:
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "explorer",
        "metadata": {},
        "outputs": [],
        "source": f"import diagkit as dk\n{source}",
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    body = {"cells": [cell], "metadata": {"kernelspec": kernel}}
    path.write_text(json.dumps({**body, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture(scope="module")
def lab(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab whose settings are its own."""
    own = tmp_path_factory.mktemp("jupyter")
    for name, values in SETTINGS.items():
        path = own / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {
        f"JUPYTER_{name}_DIR": str(own / name.lower())
        for name in ("CONFIG", "DATA", "RUNTIME")
    }
    places |= {"JUPYTERLAB_SETTINGS_DIR": str(own / "settings")}
    places |= {"JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces")}
    places |= {"IPYTHONDIR": str(own / "ipython")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.ip=127.0.0.1"]
    command += ["--allow-root", f"--ServerApp.root_dir={folder}"]
    log = own / "lab.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env={**os.environ, **places}, stdout=stream, stderr=stream
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + DEADLINE_MS / 1000
        while not answers(f"{address}/api/status?token={TOKEN}"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):
            return True
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path, options = find_chromium(), ["--no-sandbox", "--disable-gpu"]
        made = playwright.chromium.launch(executable_path=path, args=options)
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.new_page(viewport={"width": 1500, "height": 1100})
    made.set_default_timeout(DEADLINE_MS)
    made.dialogs = []
    made.on("dialog", lambda dialog: (made.dialogs.append(dialog), dialog.dismiss()))
    yield made
    made.close()


def run(page: Page, lab: str, name: str) -> None:
    """Open a notebook, run all of it, and wait until it has run."""
    page.goto(f"{lab}/lab/tree/{name}.ipynb?token={TOKEN}&reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.wait_for_selector('text="Python 3 (ipykernel) | Idle"')
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    page.wait_for_function(
        """() => {
          const prompts = [...document.querySelectorAll(
            '.jp-CodeCell .jp-InputPrompt')].map(one => one.textContent);
          return prompts.length > 0 && prompts.every(one => /\\[\\d+\\]/.test(one));
        }"""
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_to_its_end(page: Page, lab: str, path: Path) -> None:
    run(page, lab, path.stem)
    assert page.locator(ERROR).all_inner_texts() == []
    assert page.locator(".jp-OutputArea-output").count() > 3
    # Nothing reaches beyond the notebook: no table makes it scroll to the side.
    inside = page.locator(".jp-Notebook").first
    assert inside.evaluate("one => one.scrollWidth <= one.clientWidth + 1")


def says(page: Page, text: str) -> None:
    page.wait_for_selector(f".widget-html-content :text({json.dumps(text)})")


def code(page: Page) -> str:
    return page.locator(".widget-text input:disabled").input_value()


def code_has(page: Page, text: str) -> None:
    box = "document.querySelector('.widget-text input:disabled')"
    page.wait_for_function(f"() => {box}.value.includes('{text}')")


def choose(page: Page, label: str, value: str) -> None:
    page.locator(".widget-dropdown", has_text=label).locator("select").select_option(
        label=value
    )


def shown(page: Page) -> Any:
    return page.locator(".jp-OutputArea .widget-button:visible")


def test_leaks_are_clicked_through(page: Page, lab: str) -> None:
    run(page, lab, "leaks")
    leaks = dk.find_leaks(dk.open_sample().logs)
    says(page, f"{leaks['timestamp'].notna().sum()} events from")
    choose(page, "signature", "sqlalchemy.gc_dropped")
    says(page, "65 events from")
    choose(page, "bin", "1min")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-OutputArea .widget-button')]"
        ".filter(one => one.offsetParent).length == 7"
    )
    # The bar itself is clicked, where the picture has it: the first holds ten.
    picture = page.locator(".jp-OutputArea img.widget-image").bounding_box()
    bar = shown(page).first.bounding_box()
    assert picture is not None
    assert bar is not None
    assert picture["x"] < bar["x"] < bar["x"] + bar["width"] < picture["x"] + 720
    assert picture["y"] < bar["y"] < bar["y"] + bar["height"] < picture["y"] + 330
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    says(page, "10 events from")
    table = page.locator(".widget-html-content table")
    assert table.locator("tbody tr").count() == 10
    first = leaks[leaks["signature"] == "sqlalchemy.gc_dropped"].iloc[0]
    cells = table.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[1] == f"{first['source']}:{first['line']}"
    assert code(page) == (
        "dk.LeakExplorer(leaks, every='1min', signature='sqlalchemy.gc_dropped', "
        "at='2026-11-22 17:14:00')"
    )


def test_progress_is_clicked_through(page: Page, lab: str) -> None:
    run(page, lab, "progress")
    says(page, "current_run_or_zero for 21 projects")
    choose(page, "policy", "all_runs")
    says(page, "all_runs for 21 projects")
    name = shown(page).first.get_attribute("title")
    shown(page).first.click()
    says(page, f"{name}: ")
    assert f"project={name!r}" in code(page)


def test_the_pool_is_clicked_through(page: Page, lab: str) -> None:
    run(page, lab, "pool")
    choose(page, "picture", "holders")
    code_has(page, "holders")
    choose(page, "operation", "GET /reports/{id}")
    code_has(page, "reports")
    cells = page.locator(".widget-html-content tbody tr td:nth-child(4)")
    assert set(cells.all_inner_texts()) == {"GET /reports/{id}"}


def test_the_board_is_clicked_through(page: Page, lab: str) -> None:
    run(page, lab, "board")
    says(page, "What may be behind it: the application does not return")
    choose(page, "area", "data")
    code_has(page, "data")
    areas = page.locator(".widget-html-content tbody tr td:nth-child(2)")
    assert set(areas.all_inner_texts()) == {"data"}
    shown(page).nth(4).click()
    says(page, "events from")


CONTRAST = """
() => {
  const light = colour => {
    const part = colour.match(/[\\d.]+/g).slice(0, 3).map(x => {
      const one = x / 255;
      return one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const ground = node => {
    for (let one = node; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const nodes = document.querySelectorAll(
    '.widget-html-content p, .widget-html-content th, .widget-html-content td,'
    + ' .widget-html-content caption, .jp-OutputArea .widget-label');
  return [...nodes].map(node => {
    const both = [light(getComputedStyle(node).color), light(ground(node))].sort();
    const [low, high] = both.sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  });
}
"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_reads_in_both_themes(page: Page, lab: str, theme: str) -> None:
    run(page, lab, "leaks")
    page.click('.lm-MenuBar-itemLabel:text-is("Settings")')
    page.hover('.lm-Menu-itemLabel:text-is("Theme")')
    page.click(f'.lm-Menu-itemLabel:text-is("{theme}")')
    dark = str("Dark" in theme).lower()
    page.wait_for_function(
        f"() => document.body.dataset.jpThemeLight != '{dark}'", timeout=DEADLINE_MS
    )
    page.wait_for_selector(".widget-html-content td")
    found = page.evaluate(CONTRAST)
    assert len(found) > 50
    assert min(found) >= 4.5


def test_hostile_text_does_nothing(page: Page, lab: str) -> None:
    run(page, lab, "attack")
    page.wait_for_selector(".widget-html-content td")
    shown(page).first.click()
    says(page, "2 events")
    assert page.evaluate("() => window.diagkitWasHere") is None
    assert page.dialogs == []
    assert page.locator(ERROR).count() == 0
    assert page.locator(".widget-html-content script").count() == 0
    assert "&lt;script&gt;" in page.locator(".widget-html-content td").last.evaluate(
        "() => document.body.innerHTML"
    )
    inside = page.locator(".jp-Notebook").first
    assert inside.evaluate("one => one.scrollWidth <= one.clientWidth + 1")


def test_the_report_reads_offline_without_scripts(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "postmortem.html"
    dk.render_report(dk.open_sample(), path)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.locator("h1").inner_text().startswith("Tenant dashboard")
    assert page.locator("img").count() >= 3
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()
