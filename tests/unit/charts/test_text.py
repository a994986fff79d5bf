from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from diagkit.charts.text import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cost $5", r"cost \$5"),
        ("a\nb\tc\x1b[31m\x00", "a b c[31m"),
        ("evil\u202etxt", "eviltxt"),
        ("x" * 61, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
        (None, "None"),
        ("lone \ud800", "lone "),
    ],
)
def test_plain(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize("text", ["$\\frac{$", "$$", "\\$x$", "a $ b"])
def test_hostile_text_can_be_drawn(text):
    figure, ax = plt.subplots()
    ax.set_title(plain(text))
    figure.canvas.draw()
    plt.close(figure)
