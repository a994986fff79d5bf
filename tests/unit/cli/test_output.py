"""Commands say how many replacements they made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.text import Text

from diagkit.charts.text import plain
from diagkit.cli import main
from diagkit.cli.output import Section, show, write_chart

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2secret"
SAID = f"password={SECRET}"


def table(*said: object, name: str = "said") -> Section:
    return Section("Rows", pd.DataFrame({name: pd.Series(said)}), (name,))


@pytest.mark.parametrize(
    ("section", "notes", "count"),
    [
        (table(SAID, SAID, "a"), (), 2),
        (table("a"), (SAID,), 1),
        (table("a", name=SAID), (), 1),
        (table([SAID], {"k": SAID}), ("a",), 2),
        (table("a"), ("b",), 0),
    ],
)
def test_replacements_are_counted(capsys, section, notes, count: int) -> None:
    show([section], as_json=False, notes=notes)
    out = capsys.readouterr().out
    assert SECRET not in out
    line = f"redacted: {count} replacement{'s' * (count != 1)}\n"
    assert out.endswith(line) == (count > 0)
    show([section], as_json=True, notes=notes, extra={"more": 1})
    out = capsys.readouterr().out
    assert SECRET not in out
    assert json.loads(out)["redactions"] == count
    assert json.loads(out)["more"] == 1


def test_columns_that_differ_in_their_secret_alone_stay_two(capsys) -> None:
    frame = pd.DataFrame({"a@example.net": [1], "b@example.net": [2]})
    show([Section("Rows", frame, tuple(frame.columns))], as_json=True)
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row == {"[redacted:email]": 1, "[redacted:email] (2)": 2}
    show([Section("Rows", frame, tuple(frame.columns))], as_json=False)
    assert "@example.net" not in capsys.readouterr().out


def test_a_chart_has_none(monkeypatch, tmp_path: Path) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(
        Text, "draw", lambda self, _renderer: drawn.append(self.get_text())
    )

    def draw():
        _, ax = plt.subplots()
        ax.set_title(plain(SAID))
        return ax

    note = write_chart(tmp_path / "c.png", draw)
    assert note == f"chart: {tmp_path / 'c.png'}"
    assert "password=[redacted:secret]" in drawn
    assert plain(SAID) == SAID


def test_what_is_read_in_part_is_told_without(tmp_path: Path, capsys) -> None:
    path = tmp_path / f"{SAID}.log"
    path.write_text("2025-11-24 10:00:00 [INFO] app: ready\n")
    main(["leaks", str(path)])
    err = capsys.readouterr().err
    assert "have no zone" in err
    assert SECRET not in err
    assert "[redacted:secret]" in err
