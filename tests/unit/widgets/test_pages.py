from __future__ import annotations

import base64
from html.parser import HTMLParser

import pandas as pd
from hypothesis import given, strategies as st

from diagkit.widgets.pages import LONGEST, Table, View, escape, to_static, to_table

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\" onload='x' $\\frac"


class Seen(HTMLParser):
    """Notes tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Seen:
    seen = Seen()
    seen.feed(page)
    return seen


def make_view(text: str) -> View:
    rows = pd.DataFrame({"holder": [text], text: ["1"]})
    return View(b"PNG", text, (Table(text, rows, 7),))


@given(st.text(max_size=400))
def test_no_text_acts_on_a_page(text: str) -> None:
    seen = read(to_static(make_view(text), text).html)
    assert seen.tags - {"wbr", "span", "br"} == {
        *("div", "p", "img", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        "code",
    }
    assert {name for name, _ in seen.attributes} <= {
        *("src", "alt", "scope", "style", "class")
    }
    assert not any(one in seen.text for one in "\x1b\u202e\u200b\r")


def test_hostile_text_is_spelt_out() -> None:
    page = to_static(make_view(HOSTILE), "dk.X()").html
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m\\u202e" in page


def test_long_text_is_cut() -> None:
    assert len(escape("x" * 10**6)) == LONGEST
    assert escape("x" * 10**6).endswith("x…")


def test_the_picture_is_embedded_with_its_text() -> None:
    static = to_static(make_view("two & three"), "dk.X(pool)")
    seen = dict(read(static.html).attributes)
    assert seen["alt"] == "two & three"
    assert seen["src"] == "data:image/png;base64," + base64.b64encode(b"PNG").decode()
    assert ">dk.X(pool)</code>" in static.html
    assert static._repr_html_() == str(static) == static.html


def test_a_table_has_headers_and_says_what_is_left() -> None:
    table = to_table(make_view("Rows").tables[0])
    assert '<th scope="col"' in table
    assert "Rows: 1; 7 more are not shown</caption>" in table
