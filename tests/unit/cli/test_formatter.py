"""What a cell shows has no secrets where the extension is loaded."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, SVG, Markdown

import diagkit as dk
from diagkit.charts.text import plain
from diagkit.errors import DiagkitWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "hunter2secret"
SAID = f"password={SECRET}"
CLEAN = "password=[redacted:secret]"
FRAME = pd.DataFrame({"said": [SAID, f"{'x' * 60} {SAID}"], "number": [1, 2]})


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "diagkit")
    yield made
    made.run_line_magic("unload_ext", "diagkit")
    InteractiveShell.clear_instance()


SHOWN: dict[str, Any] = {
    "frame": FRAME,
    "series": FRAME["said"],
    "index": FRAME.set_index("said"),
    "two indices": FRAME.set_index(["said", "number"]),
    "name of a column": FRAME.set_axis([SAID, "b"], axis=1),
    "two columns of a name": FRAME.set_axis(["b", "b"], axis=1),
    "names in levels": FRAME.set_axis([("a", SAID), ("a", "b")], axis=1),
    "category": FRAME.astype({"said": "category"})["said"],
    "lists": pd.DataFrame({"said": [[SAID], {"k": [SAID]}]}),
    "counts": FRAME["said"].value_counts(),
    "name of a series": pd.Series([1], name=SAID),
    "styled": FRAME.style,
    "text": SAID,
    "list": [SAID, FRAME],
    "Markdown": Markdown(f"**{SAID}**"),
    "HTML": HTML(f"<b>password=&quot;{SECRET}&quot;</b>"),
    "attribute": HTML(f'<a title="{SAID}">[redacted:</a>'),
    "picture": SVG(
        f"<svg xmlns='http://www.w3.org/2000/svg'><text>{SAID}</text></svg>"
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_none_is_shown(shell, name: str) -> None:
    bundle, about = shell.display_formatter.format(SHOWN[name])
    # Also not the first half of it, as a table that cuts its cells would show.
    assert SECRET[:5] not in str(bundle)
    assert "[redacted:" in str(bundle)
    assert about["diagkit"]["redactions"] > 0


def test_what_has_none_is_shown_as_without(shell) -> None:
    data = "iVBORw0KGgo" * 99
    page = f'<p>5 < 6 &amp; "a"<img src="data:image/png;base64,{data}"></p>'
    things = [pd.DataFrame({"a": [1.5]}), pd.DataFrame(), "a", [1, (2,)], HTML(page)]
    mine = [shell.display_formatter.format(thing) for thing in things]
    shell.run_line_magic("unload_ext", "diagkit")
    assert mine == [shell.display_formatter.format(thing) for thing in things]


def test_a_category_that_no_row_has(shell) -> None:
    series = pd.Series(pd.Categorical(["a"], ["a", SAID]))
    assert SECRET in str(series)
    assert SECRET not in str(shell.display_formatter.format(series)[0])


def test_variables_stay(shell) -> None:
    before = FRAME.copy()
    shell.display_formatter.format(FRAME)
    pd.testing.assert_frame_equal(FRAME, before)
    shell.user_ns["said"] = SAID
    shell.run_cell("said")
    assert shell.user_ns["_"] == SAID


def test_it_can_be_printed(shell, capsys) -> None:
    shell.user_ns["frame"] = FRAME
    shell.run_cell("print(frame)")
    assert SECRET in capsys.readouterr().out


def test_of_many_rows_those_that_are_shown(shell) -> None:
    rows = 500_000
    frame = pd.DataFrame(
        {"said": [SAID] * rows, "at": pd.date_range("2025", periods=rows, freq="s")}
    )
    frame.iloc[-1, 0] = f"token={SECRET}"
    text = shell.display_formatter.format(frame)[0]["text/plain"]
    assert SECRET not in text
    assert "token=[redacted:secret]" in text
    assert "[500000 rows x 2 columns]" in text
    assert str(frame["at"].iloc[-2]) in text


def test_a_list_that_holds_itself(shell) -> None:
    ring: list[Any] = [np.int64(1)]
    ring.append(ring)
    assert "..." in shell.display_formatter.format(ring)[0]["text/plain"]


def test_charts_and_warnings_too(shell, capsys) -> None:
    assert plain(SAID) == CLEAN
    text = warnings.formatwarning(SAID, DiagkitWarning, "file", 1)
    assert CLEAN in text
    assert SECRET not in text


def test_a_warning_does_not_tell_where_diagkit_is(shell) -> None:
    text = warnings.formatwarning("a.log: no zone", DiagkitWarning, "/home/sam/d.py", 1)
    assert text == "DiagkitWarning: a.log: no zone\n"
    # Somebody's own warning does: it is about their code.
    text = warnings.formatwarning(SAID, UserWarning, "mine.py", 7)
    assert text.startswith("mine.py:7: UserWarning: ")
    assert SECRET not in text


def test_unloaded_all_is_as_before(shell) -> None:
    shell.run_line_magic("load_ext", "diagkit")
    shell.run_line_magic("unload_ext", "diagkit")
    assert SECRET in str(shell.display_formatter.format(FRAME)[0])
    assert plain(SAID) == SAID
    assert SECRET in warnings.formatwarning(SAID, DiagkitWarning, "file", 1)
    assert "format" not in vars(shell.display_formatter)


@pytest.mark.parametrize("line", [f"check '{SAID}'", f"'{SAID}'", f"review '{SAID}' b"])
def test_errors_of_the_magic(shell, capsys, line: str) -> None:
    assert shell.run_line_magic("diagkit", line) is None
    err = capsys.readouterr().err
    assert err.startswith("diagkit: ")
    assert SECRET not in err


def test_a_report_asked_to_be_raw_is(shell, sample, tmp_path) -> None:
    path = tmp_path / "o.md"
    dk.render_report(dk.open_incident(sample), path, redact=False)
    assert "Nothing was redacted" in path.read_text(encoding="utf-8")
