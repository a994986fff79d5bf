"""Notebooks and explorers in a real JupyterLab, in a real browser."""

from __future__ import annotations

import html
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nbconvert import HTMLExporter

import diagkit as dk
from tests import jupyter_page

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
# Where somebody wants to look at the pages, pictures of them are put here.
SHOTS = os.environ.get("DIAGKIT_SCREENSHOTS")
PICTURE = "img.widget-image"
BARS = ".widget-gridbox .widget-gridbox > button"
# Of every text that an explorer shows: how it stands out against what is behind it.
CONTRAST = """
root => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const read = text => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    return parts.length === 3 ? [...parts, 1] : parts;
  };
  const over = (top, below) =>
    [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]);
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement)
      layers.push(read(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const found = [];
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    if (!texts.currentNode.data.trim() || !box.width || element.tagName === 'OPTION')
      continue;
    let opacity = 1;
    for (let at = element; at; at = at.parentElement)
      opacity *= Number(getComputedStyle(at).opacity);
    const back = behind(element);
    const ink = read(getComputedStyle(element).color);
    const text = light(over([...ink.slice(0, 3), ink[3] * opacity], back));
    const ratio = [text, light(back)].sort((a, b) => b - a);
    found.push([(ratio[0] + 0.05) / (ratio[1] + 0.05), texts.currentNode.data.trim()]);
  }
  return found;
}
"""
# A setting may leave the picture as it is, but never the code.
CHANGED = """
([root, picture, [source, text]]) => {
  const image = root.querySelector(picture);
  return (image.src !== source || root.querySelector('code').innerText !== text)
    && image.complete && image.naturalWidth > 0;
}
"""
IDLE = """
() => {
  const panel = window.jupyterapp.shell.currentWidget;
  return panel.sessionContext.session.kernel.status === 'idle'
    && new Promise(done => requestAnimationFrame(() => setTimeout(() => done(true))));
}
"""
FITS = """
root => {
  const cell = root.closest('.jp-OutputArea-output').getBoundingClientRect();
  const wide = [...root.querySelectorAll('.widget-vbox, .widget-gridbox, img')]
    .filter(one => one.getBoundingClientRect().right > cell.right + 1);
  return wide.map(one => one.className);
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = jupyter_page.find_browser()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no Chromium: install the package chromium")
        pytest.skip("no Chromium is installed (Debian: apt install chromium)")
    with jupyter_page.browse(found) as one:
        yield one


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def url(root: Path, tmp_path_factory, browser) -> Iterator[str]:
    with jupyter_page.serve(root, tmp_path_factory.mktemp("jupyter")) as one:
        yield one


@pytest.fixture
def lab(browser, url) -> Iterator[jupyter_page.LabPage]:
    page = jupyter_page.LabPage(browser, url)
    yield page
    page.close()


class Shown:
    """An explorer on the page, found by its place among the outputs."""

    def __init__(self, lab: jupyter_page.LabPage, place: int = 0) -> None:
        self.page = lab.page
        outputs = self.page.locator(".jp-OutputArea-output:has(.widget-gridbox)")
        self.root = outputs.nth(place)
        self.picture = self.root.locator(PICTURE)
        self.picture.wait_for()

    @property
    def says(self) -> str:
        return self.root.locator(".widget-html-content p").first.inner_text()

    @property
    def code(self) -> str:
        return self.root.locator("code").inner_text()

    @property
    def captions(self) -> list[str]:
        return self.root.locator("caption").all_inner_texts()

    def rows(self, table: int = 0) -> list[list[str]]:
        return [
            row.locator("td").all_inner_texts()
            for row in self.root.locator("table").nth(table).locator("tbody tr").all()
        ]

    def bars(self) -> list[str]:
        return [bar.get_attribute("title") for bar in self.root.locator(BARS).all()]

    def after(self, change: Any) -> None:
        """Do something, and wait until the browser has the new picture and its bars."""
        before = [self.picture.get_attribute("src"), self.code]
        change()
        self.page.wait_for_function(
            CHANGED, arg=[self.root.element_handle(), PICTURE, before]
        )
        # What comes after the picture has come when the kernel has nothing more to do.
        self.page.wait_for_function(IDLE)

    def choose(self, label: str, option: str) -> None:
        control = self.root.locator(
            ".widget-dropdown", has=self.page.locator(f"label:text-is('{label}')")
        ).locator("select")
        self.after(lambda: control.select_option(label=option))

    def chosen(self, label: str) -> str:
        control = self.root.locator(
            ".widget-dropdown", has=self.page.locator(f"label:text-is('{label}')")
        ).locator("select")
        return control.evaluate("list => list.selectedOptions[0].label")

    def type_number(self, text: str) -> None:
        control = self.root.locator(".widget-text input[type=number]")

        def change() -> None:
            control.fill(text)
            control.press("Enter")

        self.after(change)

    def tick(self) -> None:
        self.after(self.root.locator("input[type=checkbox]").click)

    def move_begin(self, steps: int) -> None:
        """Move the lower end of the time by keys."""
        handle = self.root.locator(".noUi-handle-lower")
        handle.focus()
        for _ in range(steps):
            self.after(lambda: handle.press("ArrowRight"))

    def click_bar(self, place: int) -> None:
        """Click with the mouse where the bar is on the picture."""
        self.picture.scroll_into_view_if_needed()
        box = self.root.locator(BARS).nth(place).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.after(lambda: self.page.mouse.click(x, y))

    def wait_for_text(self, text: str) -> None:
        self.root.locator("table").get_by_text(text, exact=False).first.wait_for()

    def check_bars(self) -> None:
        """Check that the buttons lie over the axes: they end where the axes do."""
        bars = self.root.locator(BARS)
        if not bars.count():
            return
        picture = self.picture.bounding_box()
        frame = self.root.locator(".widget-gridbox").first.bounding_box()
        assert frame["height"] == pytest.approx(picture["height"], abs=1)
        first, last = bars.first.bounding_box(), bars.last.bounding_box()
        assert first["y"] > picture["y"]
        assert last["y"] + last["height"] < picture["y"] + picture["height"]
        assert last["x"] + last["width"] < picture["x"] + picture["width"]
        assert first["width"] * first["height"] > 20

    def check(self, name: str) -> None:
        """Check that it fits, in both themes, and that each text can be read."""
        assert self.root.evaluate(FITS) == []
        self.check_bars()
        if SHOTS:
            theme = self.page.evaluate("document.body.dataset.jpThemeLight")
            file = Path(SHOTS) / f"{name}-{'light' if theme == 'true' else 'dark'}.png"
            self.root.screenshot(path=file)
        poor = [one for one in self.root.evaluate(CONTRAST) if one[0] < 4.5]
        assert poor == []


# Of each notebook on the sample: how many pictures it has, and words of its own.
SHOWS = {
    "00_start_here": (0, "What may be behind it: **the application does not return "),
    "01_connection_leaks": (1, "65 connections leaked."),
    "02_started_at_audit": (3, "**`current_run_or_all`** was at work: of the 42 "),
    "03_pool_pressure": (3, "**35 leaked by the application, 0 stranded on the "),
    "04_incident_triage": (1, "**a service that is needed from outside publishes no "),
    "05_postmortem": (1, "- Root cause and trigger"),
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_to_its_end(lab, root: Path, path: Path) -> None:
    shutil.copy(path, root / path.name)
    lab.open(path.name)
    cells = lab.run_all()
    assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [one for one in outputs if one["output_type"] == "error"] == []
    assert [one for one in outputs if one.get("name") == "stderr"] == []
    pictures = sum("image/png" in one.get("data", {}) for one in outputs)
    said = "\n".join(one.get("data", {}).get("text/markdown", "") for one in outputs)
    wanted, words = SHOWS[path.stem]
    assert pictures == wanted
    assert words in said
    # Nothing reaches beyond the notebook: no table makes it scroll to the side.
    inside = lab.page.locator(".jp-Notebook").first
    assert inside.evaluate("one => one.scrollWidth <= one.clientWidth + 1")
    assert lab.errors == lab.dialogs == []


SAMPLE = """
import diagkit as dk
inc = incident = dk.open_sample()
logs, marks, progress = incident.logs, incident.marks, incident.progress
leaks, audit = dk.find_leaks(logs), dk.audit_started_at(progress)
"""


@pytest.fixture(scope="module")
def leaks() -> Any:
    return dk.find_leaks(dk.open_sample().logs)


def test_leaks_are_clicked_through(lab, root: Path, leaks) -> None:
    shown = "dk.LeakExplorer(leaks, logs, marks=marks)"
    jupyter_page.write_notebook(root / "leaks.ipynb", SAMPLE, shown)
    lab.open("leaks.ipynb")
    lab.run_all()
    explorer = Shown(lab)
    assert explorer.says.startswith(
        "65 connections leaked; most (10) from 17:17:45 UTC"
    )
    assert explorer.captions == [
        "Records in view, the first first: 25; 292 more are not shown"
    ]
    assert explorer.chosen("signature") == explorer.chosen("logger") == "all"

    explorer.choose("bin", "1min")
    times = leaks["timestamp"].dropna()
    counts = times.dt.floor("1min").value_counts().sort_index()
    bars = [text.rsplit(": ", 1)[1] for text in explorer.bars()]
    full = counts.asfreq("1min", fill_value=0)
    assert bars == [f"{n} event{'' if n == 1 else 's'}" for n in full]

    name = "sqlalchemy.queuepool_timeout"
    explorer.choose("signature", name)
    mine = leaks[(leaks["signature"] == name) & leaks["timestamp"].notna()]
    assert explorer.captions == [
        f"Records in view, the first first: 25; {len(mine) - 25} more are not shown"
    ]
    logger = mine["logger"].value_counts().index[0]
    explorer.choose("logger", logger)
    mine = mine[mine["logger"] == logger]
    begins = [text[:19] for text in explorer.bars()]
    place = begins.index("2026-11-22 17:18:00")
    explorer.click_bar(place)
    found = mine[mine["timestamp"].dt.floor("1min") == "2026-11-22 17:18:00+00:00"]
    assert len(found) > 1
    explorer.wait_for_text(
        f"Records of 2026-11-22 17:18:00 UTC, 1min: {len(found)} events"
    )
    found = found.sort_values("timestamp", kind="stable")
    places = [
        f"{file}:{line}"
        for file, line in zip(found["source"], found["line"], strict=True)
    ]
    assert [row[1] for row in explorer.rows()] == places[:25]
    assert explorer.rows()[0][2][:60] == found["message"].iloc[0][:60]
    assert explorer.code == (
        f"dk.LeakExplorer(leaks, logs, marks=marks, every='1min', signature='{name}', "
        f"logger='{logger}', bar='2026-11-22T17:18:00.000Z')"
    )
    # The mouse may do it again, or the list of bars: nothing is chosen then.
    explorer.click_bar(place)
    assert "bar=" not in explorer.code
    explorer.move_begin(2)
    assert "since='2026-11-22T17:13:32" in explorer.code
    explorer.check("leaks")
    lab.use_theme("JupyterLab Dark")
    explorer.check("leaks")
    lab.use_theme("JupyterLab Light")
    assert lab.errors == lab.dialogs == []


def test_pools_are_clicked_through(lab, root: Path) -> None:
    jupyter_page.write_notebook(
        root / "pool.ipynb",
        "import diagkit as dk\nincident = dk.open_sample('pool_pressure')\n"
        "pool, checkouts = incident.pool, incident.checkouts",
        "dk.PoolExplorer(pool, checkouts)",
    )
    lab.open("pool.ipynb")
    lab.run_all()
    rows = dk.open_sample("pool_pressure").checkouts
    ends = rows["checked_out_at"] + rows["held_s"].fillna(0).map(
        lambda held: f"{held}s"
    ).astype("timedelta64[us]")
    explorer = Shown(lab)
    assert explorer.says.startswith("Pool 'api' had no connection left for 11 %")
    # A bar of the time: who had a connection then.
    begin = explorer.bars()[10][:19]
    explorer.click_bar(10)
    at = rows["checked_out_at"].dt.tz_localize(None).astype("str")
    out = rows[(ends.dt.tz_localize(None) >= begin)]
    step = int(explorer.bars()[11][17:19]) - int(begin[17:19])
    until = f"{begin[:17]}{int(begin[17:19]) + step:02d}"
    out = out[at.loc[out.index] < until]
    assert len(explorer.rows()) == min(len(out), 25) > 0
    longest = out.sort_values(["held_s", "checked_out_at"], ascending=[False, True])
    assert [row[2] for row in explorer.rows()] == longest["holder"].tolist()[:25]
    assert "bar=" in explorer.code
    # Another picture: the bar is none of its rows.
    explorer.choose("picture", "holders")
    assert explorer.code == "dk.PoolExplorer(pool, checkouts, picture='holders')"
    names = [text.split(": ")[0] for text in explorer.bars()]
    place = names.index("shop.py:121 Export.write")
    explorer.click_bar(place)
    mine = rows[rows["holder"] == names[place]]
    assert explorer.captions[0].startswith(
        f"Checkouts of {names[place]}: {len(mine)} checkouts, the longest first: 25; "
        f"{len(mine) - 25} more"
    )
    explorer.type_number("20")
    long = mine[mine["held_s"] >= 20]
    assert [float(row[1]) for row in explorer.rows()] == [
        round(held, 3) for held in sorted(long["held_s"], reverse=True)
    ]
    explorer.type_number("0")
    explorer.choose("pool", "api")
    explorer.choose("operation", "GET /reports/{id}")
    explorer.choose("picture", "waits")
    assert explorer.bars() == ["GET /reports/{id}: 96 checkouts"]
    explorer.move_begin(1)
    assert "since='2026-11-23T07:09:" in explorer.code
    assert "pool='api', operation='GET /reports/{id}', picture='waits'" in explorer.code
    explorer.check("pool")
    lab.use_theme("JupyterLab Dark")
    explorer.check("pool")
    lab.use_theme("JupyterLab Light")
    assert lab.errors == lab.dialogs == []


def test_progress_is_clicked_through(lab, root: Path) -> None:
    shown = "dk.ProgressExplorer(audit, progress)"
    jupyter_page.write_notebook(root / "progress.ipynb", SAMPLE, shown)
    lab.open("progress.ipynb")
    lab.run_all()
    progress = dk.open_sample().progress
    table = dk.audit_started_at(progress).projects.set_index("project_id")
    explorer = Shown(lab)
    explorer.choose("policy", "current_run_or_zero")
    explorer.tick()
    wrong = table[table["null"] & (table["legal"] != True)]  # noqa: E712
    assert {row[0] for row in explorer.rows()} == set(wrong.index)
    for name, start, zero, inferred, _ in explorer.rows():
        row = wrong.loc[name]
        assert start == "NULL"
        assert zero == f"{row['percent_current_run_or_zero']:.1f} %"
        assert inferred == f"{row['percent_inferred']:.1f} %"
    project = explorer.bars()[3].split(": ")[0]
    explorer.click_bar(3)
    assert explorer.captions[0].startswith(f"What each policy shows of {project}")
    shown_by = {row[0]: row[1] for row in explorer.rows()}
    for policy, said in shown_by.items():
        value = wrong.loc[project, f"percent_{policy}"]
        assert said == ("–" if value != value else f"{value:.1f} %")
    tasks = progress.tasks[progress.tasks["project_id"] == project]
    assert len(explorer.rows(3)) == min(len(tasks), 25)
    ordered = tasks.sort_values("created_at", kind="stable")
    assert [row[0] for row in explorer.rows(3)] == ordered["task_name"].tolist()[:25]
    assert explorer.code == (
        "dk.ProgressExplorer(audit, progress, policy='current_run_or_zero', "
        f"illegal=True, project='{project}')"
    )
    explorer.check("progress")
    lab.use_theme("JupyterLab Dark")
    explorer.check("progress")
    lab.use_theme("JupyterLab Light")
    assert lab.errors == lab.dialogs == []


def test_the_board_is_clicked_through(lab, root: Path, leaks) -> None:
    jupyter_page.write_notebook(root / "board.ipynb", SAMPLE, "dk.IncidentBoard(inc)")
    lab.open("board.ipynb")
    lab.run_all()
    incident = dk.open_sample()
    findings = dk.rank_findings(incident)
    explorer = Shown(lab)
    assert [row[3][:100] for row in explorer.rows()] == [
        text[:100] for text in findings["summary"]
    ]
    causes = dk.triage(incident).hypotheses
    assert [row[3][:60] for row in explorer.rows(1)] == [
        text[:60] for text in causes["summary"]
    ]
    explorer.choose("at least", "high")
    severe = findings[findings["severity"].isin(["high", "critical"])]
    assert len(explorer.rows()) == len(severe)
    leak = findings[findings["code"] == "connection_leak"].iloc[0]
    explorer.choose("finding", f"high: {leak['summary']}")
    assert dict(explorer.rows()) == {
        name: str(leak[name])[:159] + "…" * (len(str(leak[name])) > 160)
        for name in ("severity", "area", "summary", "evidence", "remedy", "id")
    }
    mine = leaks[leaks["kind"] == "leak"]
    places = [f"{a}:{b}" for a, b in zip(mine["source"], mine["line"], strict=True)]
    assert [row[1] for row in explorer.rows(1)] == places[:25]
    busiest = max(
        range(len(explorer.bars())),
        key=lambda at: int(explorer.bars()[at].split(": ")[1].split()[0]),
    )
    explorer.click_bar(busiest)
    count = int(explorer.bars()[busiest].split(": ")[1].split()[0])
    assert len(explorer.rows(0)) == count
    assert explorer.code.startswith(
        f"dk.IncidentBoard(inc, severity='high', finding='{leak['id']}', bar='"
    )
    for picture in ("use", "progress", "statuses"):
        explorer.choose("picture", picture)
        assert f"picture='{picture}'" in explorer.code
        # A part of the time stays chosen where the next picture has it too.
        assert ("bar=" in explorer.code) == (picture == "use")
    explorer.choose("picture", "use")
    explorer.move_begin(1)
    assert "since='" in explorer.code
    explorer.choose("finding", "all")
    explorer.check("board")
    lab.use_theme("JupyterLab Dark")
    explorer.check("board")
    lab.use_theme("JupyterLab Light")
    assert lab.errors == lab.dialogs == []


def test_a_saved_view_is_there_without_its_kernel(lab, root: Path) -> None:
    shown = "x = dk.LeakExplorer(leaks, logs, marks=marks)\nx"
    path = jupyter_page.write_notebook(root / "saved.ipynb", SAMPLE, shown)
    lab.open("saved.ipynb")
    lab.run_all()
    explorer = Shown(lab)
    explorer.click_bar(7)
    code = explorer.code
    assert "bar=" in code
    folded = lab.page.locator(".jp-OutputArea-output details")
    # It follows the click, once nothing is clicked any more.
    lab.page.wait_for_function(
        "code => document.querySelector('.jp-OutputArea-output details code')"
        ".textContent.includes(code)",
        arg=code[-40:],
    )
    picture = folded.locator("img").get_attribute("src")
    lab.reopen("saved.ipynb")
    folded.wait_for()
    # JupyterLab trusts what it ran and saved; the widget has nothing to show.
    lab.page.get_by_text("Error displaying widget").wait_for()
    folded.locator("summary").click()
    assert folded.locator("img").get_attribute("src") == picture
    assert folded.locator("code").inner_text() == code
    assert "Records of 2026-11-22" in folded.locator("caption").inner_text()
    assert folded.locator("img").bounding_box()["height"] > 200
    if SHOTS:
        lab.page.screenshot(path=Path(SHOTS) / "saved.png")
    body, _ = HTMLExporter().from_filename(str(path))
    assert picture in body
    assert f">{code}</code>" in html.unescape(body)
    assert lab.errors == lab.dialogs == []


def test_the_code_goes_into_a_cell_that_shows_the_same(lab, root: Path) -> None:
    cells = (
        "x = dk.LeakExplorer(leaks, every='1min', bar='undated')\nx",
        "x.to_cell()",
    )
    jupyter_page.write_notebook(root / "cell.ipynb", SAMPLE, *cells)
    lab.open("cell.ipynb")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('runmenu:run-all')")
    code = Shown(lab).code
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.length === 4"
    )
    source = lab.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets[3]"
        ".model.sharedModel.getSource()"
    )
    assert source == code == "dk.LeakExplorer(leaks, every='1min', bar='undated')"
    lab.page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3;"
        " return window.jupyterapp.commands.execute('notebook:run-cell'); }"
    )
    again = Shown(lab, 1)
    assert again.says == Shown(lab).says
    assert again.captions == Shown(lab).captions
    assert again.rows() == Shown(lab).rows()
    assert lab.errors == lab.dialogs == []


FORMULAS = r"""
import pandas as pd
import diagkit as dk
leaks = dk.LEAKS.build({
    "timestamp": pd.to_datetime(["2025-11-24 10:00Z"]), "signature": "$a_1$",
    "kind": "leak", "severity": "high", "logger": r"\(b_2\)", "source": "a.log",
    "line": [1],
    "message": r"costs $c_3$ $$d_4$$ \[e_5\] \begin{equation}f_6\end{equation}",
})
"""


def test_text_from_logs_is_no_formula(lab, root: Path) -> None:
    jupyter_page.write_notebook(
        root / "formulas.ipynb",
        FORMULAS,
        "from IPython.display import HTML\nHTML('$g_7$')",
        "x = dk.LeakExplorer(leaks, signature='$a_1$')\nx",
        "x.static()",
    )
    lab.open("formulas.ipynb")
    lab.run_all()
    formulas = lab.page.locator("mjx-container")
    formulas.first.wait_for()
    # Only that which is one: the page has a typesetter.
    assert formulas.count() == 1
    static = lab.page.locator(".jp-RenderedHTML td")
    for text in ("$c_3$", "$$d_4$$", r"\[e_5\]", r"\begin{equation}f_6"):
        assert static.get_by_text(text).first.count() == 1
    assert lab.errors == lab.dialogs == []


HOSTILE = r"""
import pandas as pd
import diagkit as dk
bad = (
    "<script>window.__x = 1</script><img src=x onerror='window.__x = 2'>"
    "<svg onload='window.__x = 3'> $\\frac{1}{0}$ {0} %s \x1b[31m \u202e\u0000 "
    + "w" * 1_000_000
)
at = pd.to_datetime(["2025-11-24 10:00Z", "2025-11-24 10:01Z"])
leaks = dk.LEAKS.build({
    "timestamp": at, "signature": bad, "kind": ["leak", bad], "severity": "high",
    "logger": bad, "source": bad, "line": [1, 2], "message": bad,
})
marks = dk.MARKS.build({"timestamp": at, "label": bad})
pool = dk.POOL.build({
    "timestamp": at, "pool": bad, "size": 1, "max_overflow": 0, "checked_out": 1,
    "waiting": 2,
})
checkouts = dk.CHECKOUTS.build({
    "checkout_id": ["1", "2"], "pool": bad, "checked_out_at": at, "holder": bad,
    "operation": bad, "held_s": 5.0, "wait_s": 0.5,
    "outcome": ["returned", "garbage_collected"],
})
projects = dk.PROJECTS.build({
    "project_id": [bad], "client_name": [bad], "execution_status": ["running"],
    "created_at": at[:1],
})
tasks = dk.TASKS.build({
    "task_id": [bad], "project_id": [bad], "agent_type": [bad], "task_name": [bad],
    "status": ["completed"], "created_at": at[:1],
})
progress = dk.Progress(projects, tasks)
audit = dk.audit_started_at(progress)
"""
LOG = r"""
from pathlib import Path
folder = Path("hostile")
folder.mkdir()
line = ("2025-11-25 22:00:00 [ERROR   ] a.b: QueuePool limit of size 5 overflow 10 "
        "reached, connection timed out, timeout 30.00 ")
(folder / "api.log").write_text(
    "".join(f"{line}{bad[:n]}\n" for n in (300, 1_100_000)), encoding="utf-8"
)
dk.IncidentBoard(dk.open_incident(folder), finding="pool_exhausted-601955e4")
"""
EXPLORED = (
    "dk.LeakExplorer(leaks, marks=marks)",
    "dk.PoolExplorer(pool, checkouts)",
    "dk.ProgressExplorer(audit, progress)",
    LOG,
)


def test_hostile_text_neither_acts_nor_breaks_an_explorer(lab, root: Path) -> None:
    jupyter_page.write_notebook(root / "hostile.ipynb", HOSTILE, *EXPLORED)
    lab.open("hostile.ipynb")
    cells = lab.run_all()
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [one for one in outputs if one["output_type"] == "error"] == []
    for place in range(len(EXPLORED)):
        explorer = Shown(lab, place)
        explorer.click_bar(0)
        explorer.wait_for_text("<script>window.__x = 1</script>")
        assert explorer.root.locator("script, svg, img:not(.widget-image)").count() == 0
        text = explorer.root.inner_text()
        assert not any(one in text for one in "\x1b\u202e\x00")
        explorer.check(f"hostile-{place}")
    explorer = Shown(lab, 1)
    for picture in ("holders", "waits"):
        explorer.choose("picture", picture)
        explorer.click_bar(0)
        explorer.check(f"hostile-{picture}")
    assert lab.page.evaluate("window.__x") is None
    assert lab.errors == lab.dialogs == []


def test_the_report_reads_offline_without_scripts(browser, tmp_path: Path) -> None:
    path = tmp_path / "postmortem.html"
    dk.render_report(dk.open_sample(), path)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.locator("h1").inner_text().startswith("Tenant dashboard")
    assert page.locator("img").count() >= 3
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()
